"""Training that meets numbers that are not finite: where it stops, what it says, and what it leaves as it was."""

import math

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.backend import generator
from minidl.data import Dataset, Loader
from minidl.errors import NonFiniteError, OptionError
from minidl.train import Callback, Checkpoint, fit

RNG = np.random.default_rng(3)
INPUTS = RNG.normal(size=(600, 6)).astype(np.float32)
LABELS = (INPUTS[:, 0] > INPUTS[:, 1]).astype(int)
BATCH = 10  # so 60 steps an epoch
ENGINES = pytest.mark.parametrize("compile", [False, None], ids=["eager", "compiled if possible"])


def spoilt(batch, value=1e38):
    """The data with one sample, in that batch, from which the forward pass overflows (or that is NaN)."""
    inputs = INPUTS.copy()
    inputs[batch * BATCH + 3] = value
    return Dataset(inputs, LABELS, name="points")


def network(dropout=0.2):
    minidl.seed(1)
    layers = nn.Dense(6, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(dropout), nn.Dense(8, 8), nn.ReLU(), nn.Dense(8, 2)
    return nn.Sequential(*layers)


def start(rule=optim.Adam, **options):
    model = network(**options)
    return model, rule(model.parameters(), lr=0.01)


def train(model, optimizer, data, epochs=2, **options):
    loader = Loader(data, BATCH, shuffle=False)
    return fit(model, loader, optimizer=optimizer, epochs=epochs, progress=False, **options)


def everything(model, optimizer):
    """All bits that a training step changes."""
    place = generator("dropout").bit_generator.state
    arrays = {**model.state_dict(), **optimizer.state_dict()["state"]}
    return {name: array.tobytes() for name, array in arrays.items()}, optimizer.t, place


def by_hand(data, steps, **options):
    """The same training in a loop of one's own, up to that step."""
    model, optimizer = start(**options)
    done = 0
    while done < steps:
        for x, y in Loader(data, BATCH, shuffle=False):
            if done < steps:
                optimizer.zero_grad()
                nn.softmax_cross_entropy(model(x), y).backward()
                optimizer.step()
                done += 1
    return everything(model, optimizer)


# stop


@ENGINES
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_in_epochs_of_few_steps_too_and_they_are_compiled_all_the_same(batch, compile):
    model, optimizer = start()
    history = train(model, optimizer, Dataset(INPUTS[:50], LABELS[:50]), epochs=3, compile=compile)
    assert (history.rows[-1]["engine"] == "eager") == (compile is False)
    assert history.reason is None
    assert everything(model, optimizer) == by_hand(Dataset(INPUTS[:50], LABELS[:50]), 15)
    model, optimizer = start()
    with pytest.raises(NonFiniteError, match=rf"^fit: step {batch + 1} \(epoch 1, batch {batch + 1} of 5\)"):
        train(model, optimizer, spoilt(batch)[:50], compile=compile)
    assert everything(model, optimizer) == by_hand(spoilt(batch)[:50], batch)


@ENGINES
@pytest.mark.parametrize("rule", [optim.Adam, optim.Nesterov])
@pytest.mark.parametrize("batch", [0, 1, 31, 32, 33, 59])
def test_training_stops_before_the_update_with_everything_as_it_was(batch, rule, compile):
    model, optimizer = start(rule)
    with pytest.raises(NonFiniteError, match=rf"^fit: step {batch + 1} \(epoch 1, batch {batch + 1} of 60\)") as error:
        train(model, optimizer, spoilt(batch), compile=compile)
    assert everything(model, optimizer) == by_hand(spoilt(batch), batch, rule=rule)
    assert "Weights, running statistics and optimizer are as they were before this step" in str(error.value)


@ENGINES
def test_the_first_op_is_named_with_its_layer(compile):
    minidl.seed(1)
    model = nn.Sequential(nn.Dense(6, 8), nn.ReLU(), nn.Dense(8, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    with pytest.raises(
        NonFiniteError, match=r"the loss is nan; it began in (dense|matmul), forward, in layers.0 D"
    ) as error:
        train(model, optimizer, spoilt(47, 3e38), compile=compile)
    assert isinstance(error.value.__cause__, NonFiniteError)
    assert str(error.value.__cause__) in str(error.value)
    assert isinstance(error.value, FloatingPointError)


def test_data_that_are_not_finite_are_found_by_their_place_in_the_data_set():
    for data in (spoilt(40, math.nan), spoilt(40, -math.inf)):
        model, optimizer = start()
        with pytest.raises(NonFiniteError, match="first in sample 403 of points: fix or drop it"):
            train(model, optimizer, data)
    model, optimizer = start()
    with pytest.raises(NonFiniteError, match="first in sample 403 of points"):  # also if the epoch is shuffled
        fit(model, spoilt(40, math.nan), optimizer=optimizer, epochs=1, batch_size=BATCH, progress=False)


def test_a_gradient_may_be_at_fault_where_the_loss_is_not():
    model, optimizer = start()
    before = everything(model, optimizer)
    vanishing = lambda output, y: minidl.sqrt((output * 0.0).sum())  # 0, with an infinite slope
    with pytest.raises(NonFiniteError, match=r"step 1 .*the gradient of layers\.\d\.\w+ holds nan.*sqrt, backward"):
        train(model, optimizer, Dataset(INPUTS, LABELS), loss=vanishing)
    assert everything(model, optimizer) == before


def test_a_rate_that_makes_training_blow_up_is_told_to_be_lowered():
    model = nn.Sequential(nn.Dense(6, 1))
    optimizer = optim.SGD(model.parameters(), lr=30.0)
    square = lambda output, y: nn.mean_squared_error(output, y.astype(np.float32)[:, None])
    with pytest.raises(NonFiniteError, match=r"Lower lr \(now 30\)"):
        train(model, optimizer, Dataset(INPUTS, LABELS), loss=square, guards=False)
    assert all(np.isfinite(p.numpy()).all() for p in model.parameters())


def test_the_epochs_before_are_kept_in_the_error_and_training_can_go_on():
    model, optimizer = start()

    def last_epoch_fails(output, y):
        value = nn.softmax_cross_entropy(output, y)
        return value * math.inf if optimizer.t == 90 else value

    with pytest.raises(NonFiniteError, match=r"step 91 \(epoch 2, batch 31 of 60\)") as error:
        train(model, optimizer, Dataset(INPUTS, LABELS), loss=last_epoch_fails)
    assert error.value.history["epoch"] == [1]
    assert not model.training
    history = train(model, optimizer, Dataset(INPUTS, LABELS), epochs=2)
    assert optimizer.t == 90 + 120
    assert history[-1]["loss"] < error.value.history[-1]["loss"]


def test_callbacks_see_every_good_step_once_and_no_other():
    seen = []

    class Watch(Callback):
        def on_step(self, run):
            seen.append((run.step, run.batch, float(run.loss.numpy())))

        def on_end(self, run):
            seen.append("end")

    model, optimizer = start()
    with pytest.raises(NonFiniteError):
        train(model, optimizer, spoilt(12), callbacks=[Watch()])
    assert [s[:2] for s in seen[:-1]] == [(i, i) for i in range(1, 13)]
    assert all(math.isfinite(loss) for _, _, loss in seen[:-1])
    assert seen[-1] == "end"


def test_what_does_not_come_again_is_no_reason_to_stop():
    calls = []

    def once(output, y):
        calls.append(1)
        value = nn.softmax_cross_entropy(output, y)
        return value * math.nan if len(calls) == 47 else value

    model, optimizer = start()
    history = train(model, optimizer, Dataset(INPUTS, LABELS), epochs=1, loss=once, guards=False)
    assert everything(model, optimizer) == by_hand(Dataset(INPUTS, LABELS), 60)
    assert history[0]["step"] == 60
    assert math.isfinite(history[0]["loss"])


def test_what_callbacks_do_between_epochs_is_not_taken_back():
    def halve(model):
        for p in model.parameters():
            with minidl.no_grad():
                p *= 0.5

    def fails(output, y):
        value = nn.softmax_cross_entropy(output, y)
        return value * math.nan if optimizer.t == 100 else value

    model, optimizer = start()
    with pytest.raises(NonFiniteError, match="step 101 "):
        train(model, optimizer, Dataset(INPUTS, LABELS), loss=fails, callbacks=[lambda run: halve(run.model)])
    found = everything(model, optimizer)
    model, optimizer = start()
    for batches in (60, 40):
        for x, y in Loader(Dataset(INPUTS, LABELS)[: batches * BATCH], BATCH, shuffle=False):
            optimizer.zero_grad()
            nn.softmax_cross_entropy(model(x), y).backward()
            optimizer.step()
        if batches == 60:
            halve(model)
    assert found == everything(model, optimizer)


@pytest.mark.parametrize("step", [3, 54, 58, 59])
def test_a_large_weight_whose_gradient_alone_is_at_fault_is_found_in_its_step(step):
    minidl.seed(1)
    model = nn.Sequential(nn.Dense(6, 3000), nn.ReLU(), nn.Dense(3000, 2))
    optimizer = optim.SGD(model.parameters(), lr=1e-3)

    def fails(output, y):
        value = nn.softmax_cross_entropy(output, y)
        return value + minidl.sqrt((model[0].weight * 0.0).sum()) if optimizer.t == step else value

    class Pause(Callback):
        def interval(self, run):
            return 55 - run.batch if run.batch < 55 else None

    with pytest.raises(NonFiniteError, match=f"step {step + 1} .*the gradient of layers.0.weight holds nan"):
        train(model, optimizer, Dataset(INPUTS, LABELS), loss=fails, callbacks=[Pause()])
    assert np.isfinite(model[0].weight.numpy()).all()


@pytest.mark.parametrize("ends", ["checkpoint", "stop"])
def test_such_a_step_is_neither_saved_nor_what_training_ends_with(tmp_path, ends):
    minidl.seed(1)
    model = nn.Sequential(nn.Dense(6, 3000), nn.ReLU(), nn.Dense(3000, 2))
    optimizer = optim.SGD(model.parameters(), lr=1e-3)

    def fails(output, y):
        value = nn.softmax_cross_entropy(output, y)
        return value + minidl.sqrt((model[0].weight * 0.0).sum()) if optimizer.t == 19 else value

    class Stop(Callback):
        def interval(self, run):
            return 20 - run.batch if run.batch < 20 else None

        def on_pause(self, run):
            if run.step == 20:
                run.stop("enough")

    options = {"checkpoint": Checkpoint(tmp_path, "10 steps")} if ends == "checkpoint" else {"callbacks": [Stop()]}
    with pytest.raises(NonFiniteError, match=r"step 20 .*the gradient of layers.0.weight holds nan"):
        train(model, optimizer, Dataset(INPUTS, LABELS), loss=fails, **options)
    assert np.isfinite(model[0].weight.numpy()).all()
    if ends == "checkpoint":
        assert [file.name for file in tmp_path.glob("step-*")] == ["step-00000010.safetensors"]


@ENGINES
@pytest.mark.parametrize("watched", [False, True])
def test_an_update_whose_squares_overflow_is_not_made(watched, compile):
    class Watch(Callback):
        def on_step(self, run):
            pass

    def fresh():
        minidl.seed(1)
        model = nn.Sequential(nn.Dense(6, 2))
        return model, optim.Adam(model.parameters())

    model, optimizer = fresh()
    options = {"guards": False, "callbacks": [Watch()] if watched else []}
    with pytest.raises(NonFiniteError, match=r"step 21 .*the largest 1\.0e\+20, but after this update s holds inf"):
        train(model, optimizer, spoilt(20, -1e21), compile=compile, **options)
    found = everything(model, optimizer)
    model, optimizer = fresh()
    train(model, optimizer, Dataset(INPUTS[: 20 * BATCH], LABELS[: 20 * BATCH]), epochs=1)
    assert found == everything(model, optimizer)


def test_an_infinite_loss_is_found_even_if_its_gradient_is_finite():
    def fails(output, y):
        value = nn.softmax_cross_entropy(output, y)
        return value + math.inf if optimizer.t == 20 else value

    model, optimizer = start()
    with pytest.raises(NonFiniteError, match="step 21 .*the loss is inf; it began in add, forward"):
        train(model, optimizer, Dataset(INPUTS, LABELS), loss=fails)
    assert everything(model, optimizer) == by_hand(Dataset(INPUTS, LABELS), 20)


def test_numbers_that_are_large_but_finite_are_no_fault():
    model = nn.Sequential(nn.Dense(6, 2))
    optimizer = optim.SGD(model.parameters(), lr=1e-27)
    large = lambda output, y: nn.softmax_cross_entropy(output, y) * 1e25
    for data in (Dataset(INPUTS, LABELS), Dataset(INPUTS[:50], LABELS[:50])):
        history = train(model, optimizer, data, loss=large, guards=False)
        assert history[-1]["loss"] > 1e24
    assert optimizer.t == 120 + 10


# skip and continue


@pytest.mark.slow
@ENGINES
@pytest.mark.parametrize("batch", [0, 20, 59])
def test_skipping_trains_as_if_the_batch_were_not_in_the_data(batch, compile):
    model, optimizer = start()
    history = train(model, optimizer, spoilt(batch), on_nonfinite="skip", compile=compile)
    skipped = everything(model, optimizer)
    rows = np.r_[0 : batch * BATCH, (batch + 1) * BATCH : len(INPUTS)]
    model, optimizer = start()
    without = train(model, optimizer, Dataset(INPUTS[rows], LABELS[rows]), compile=compile)
    assert skipped == everything(model, optimizer)
    assert history["skipped"] == [1, 1]
    assert history["step"] == without["step"] == [59, 118]
    assert history["loss"] == without["loss"]
    assert without["skipped"] == [None, None]


def test_skipped_batches_are_reported_with_the_epoch(capsys):
    model, optimizer = start()
    loader = Loader(spoilt(3), BATCH, shuffle=False)
    fit(model, loader, optimizer=optimizer, epochs=1, on_nonfinite="skip")
    assert "1 batch skipped" in capsys.readouterr().out


def test_an_epoch_of_which_nothing_is_left_has_no_loss():
    model, optimizer = start()
    before = everything(model, optimizer)
    data = Dataset(np.full_like(INPUTS, np.nan), LABELS)
    history = train(model, optimizer, data, epochs=1, on_nonfinite="skip", guards=False)
    assert math.isnan(history[0]["loss"])
    assert history[0]["skipped"] == 60
    assert history[0]["step"] == 0
    assert everything(model, optimizer) == before


@ENGINES
def test_continuing_looks_at_nothing(compile):
    model, optimizer = start(dropout=0.0)
    with np.errstate(all="ignore"):
        history = train(model, optimizer, spoilt(5, math.nan), on_nonfinite="continue", guards=False, compile=compile)
    assert np.isnan(history["loss"]).all()
    assert optimizer.t == 120


def test_another_action_is_refused():
    model, optimizer = start()
    with pytest.raises(OptionError, match="on_nonfinite='ignore': choose one of 'stop', 'skip', 'continue'"):
        train(model, optimizer, Dataset(INPUTS, LABELS), on_nonfinite="ignore")


@ENGINES
@pytest.mark.parametrize("guards", [True, False])
def test_where_all_is_well_watching_changes_no_bit(guards, compile):
    data = Dataset(INPUTS, LABELS)
    model, optimizer = start()
    history = train(model, optimizer, data, compile=compile, guards=guards)
    assert everything(model, optimizer) == by_hand(data, 120)
    model, optimizer = start()
    unwatched = train(model, optimizer, data, compile=compile, guards=False, on_nonfinite="continue")
    assert [row["loss"] for row in history.rows] == [row["loss"] for row in unwatched.rows]
