"""When to stop: what each criterion promises, on trainings small enough to follow by hand."""

import math

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import OptionError
from minidl.train import Callback, EarlyStopping, GradientNorm, Target, evaluate, fit

RNG = np.random.default_rng(5)
INPUTS = RNG.normal(size=(90, 4)).astype(np.float32)
TRAIN = Dataset(INPUTS, (INPUTS[:, 0] > 0).astype(int))
NOISE = Dataset(RNG.normal(size=(60, 4)).astype(np.float32), RNG.integers(0, 2, 60))


def network():
    minidl.seed(0)
    return nn.Sequential(nn.Dense(4, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dense(8, 2))


def trained(*callbacks, model=None, epochs=10, lr=0.5, **options):
    model = model or network()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    return model, fit(
        model, TRAIN, optimizer=optimizer, epochs=epochs, batch_size=30, callbacks=callbacks, progress=False, **options
    )


class Scripted(Callback):
    """Replaces the validation losses by given ones, and keeps a copy of the model after each epoch."""

    def __init__(self, losses):
        self.losses, self.models = losses, []

    def on_epoch(self, run):
        run.history[-1]["validation_loss"] = self.losses[run.epoch - 1]
        self.models.append(run.model.state_dict())
        self.run = run


def same(state, other):
    return all(state[name].tobytes() == other[name].tobytes() for name in other)


# EarlyStopping


@pytest.mark.parametrize(
    ("losses", "options", "epochs", "best"),
    [
        ([3, 2, 1, 1.5, 1.2, 9], {"patience": 2}, 5, 3),
        ([3, 2, 1, 1.5, 0.9, 2, 2, 2], {"patience": 2}, 7, 5),  # one bad epoch, then a better one: it waits anew
        ([3, 3, 3, 3], {"patience": 1}, 2, 1),  # the same is not less
        ([3, 2.95, 2.91, 2.5], {"patience": 2, "min_delta": 0.1}, 3, 1),
        ([3, math.nan, 2, math.inf, math.nan, 1], {"patience": 2}, 5, 3),
        ([-1, -math.inf, -math.inf, 0], {"patience": 2}, 3, 1),
        ([5, 4, 3, 2], {"patience": 2}, 4, 4),  # never: fit's epochs end it
    ],
)
def test_early_stopping_counts_the_epochs_without_improvement_and_brings_the_best_back(losses, options, epochs, best):
    script = Scripted(losses)
    model, history = trained(script, EarlyStopping(**options), epochs=len(losses), validation=NOISE)
    assert len(history) == epochs
    assert same(model.state_dict(), script.models[best - 1])


def test_early_stopping_on_a_real_validation_set_leaves_the_model_with_the_best_loss_seen():
    stopper = EarlyStopping(patience=3)
    model, history = trained(stopper, epochs=200, validation=NOISE)
    assert len(history) < 200
    assert evaluate(model, NOISE)["loss"] == min(history["validation_loss"])
    assert len(history) == stopper.best_epoch + 3


def test_the_best_weights_come_back_in_place_also_when_epochs_run_out():
    model = network()
    weight = model.layers[0].weight
    script = Scripted([1, 2, 3])
    trained(script, EarlyStopping(patience=5), model=model, epochs=3, validation=NOISE)
    assert model.layers[0].weight is weight
    assert same(model.state_dict(), script.models[0])


def test_restoring_can_be_declined_and_a_loss_that_never_was_a_number_restores_nothing():
    for losses, options in (([1, 2, 3], {"restore_best": False}), ([math.nan] * 3, {})):
        script = Scripted(losses)
        model, history = trained(script, EarlyStopping(patience=2, **options), epochs=3, validation=NOISE)
        assert len(history) == (3 if losses[0] == 1 else 2)
        assert same(model.state_dict(), script.models[-1])


def test_the_reason_is_said(capsys):
    model = network()
    script = Scripted([1, 2, 3])
    optimizer = optim.SGD(model.parameters())
    stop = EarlyStopping(patience=2)
    fit(model, TRAIN, optimizer=optimizer, epochs=9, batch_size="full", validation=NOISE, callbacks=[script, stop])
    assert capsys.readouterr().out.endswith(
        "stopped after 3 steps: the validation loss has not fallen for 2 epochs (best: 1 in epoch 1)\n"
    )


def test_one_stopper_serves_several_trainings():
    stopper = EarlyStopping(patience=2)
    for _ in range(2):
        _, history = trained(Scripted([1, 2, 3, 4]), stopper, epochs=4, validation=NOISE)
        assert len(history) == 3


def test_after_a_crash_the_best_weights_are_there_too():
    script = Scripted([1, 2, 3])

    def crash(run):
        if run.epoch == 2:
            raise KeyboardInterrupt

    model = network()
    with pytest.raises(KeyboardInterrupt):
        trained(script, EarlyStopping(patience=5), crash, model=model, epochs=3, validation=NOISE)
    assert same(model.state_dict(), script.models[0])


# GradientNorm


def norm_of(model):
    return math.sqrt(sum(float((p.grad.numpy().astype(float) ** 2).sum()) for p in model.parameters()))


def test_the_gradient_norm_stops_at_the_first_step_below_the_threshold():
    norms = []

    class Norms(Callback):
        def on_step(self, run):
            norms.append(norm_of(run.model))
            self.run = run

    watch = Norms()
    trained(watch, GradientNorm(0.2), epochs=300)
    assert norms[-1] < 0.2
    assert min(norms[:-1]) >= 0.2
    assert watch.run.step == len(norms)
    assert watch.run.stopped == f"the gradient's norm {norms[-1]:.4g} is below 0.2"


def test_parameters_without_a_gradient_and_norms_that_are_no_numbers_stop_nothing():
    class Frozen(Callback):
        def on_start(self, run):
            for p in run.model.layers[0].parameters():
                p.requires_grad = False

    model, history = trained(Frozen(), GradientNorm(1e-9), epochs=2)
    assert model.layers[0].weight.grad is None
    assert len(history) == 2
    with np.errstate(all="ignore"):
        _, history = trained(
            GradientNorm(1e9), epochs=2, lr=0.0, loss=lambda y, t: (y * math.nan).sum(), on_nonfinite="continue"
        )
    assert len(history) == 2


def test_no_gradient_at_all_is_not_a_small_one():
    class Forgetful(Callback):
        def on_step(self, run):
            run.optimizer.zero_grad()

    _, history = trained(Forgetful(), GradientNorm(1.0), epochs=2)
    assert len(history) == 2


# Target


@pytest.mark.parametrize("metric", ["loss", "accuracy", "validation_loss", "validation_accuracy"])
def test_a_target_stops_in_the_first_epoch_that_reaches_it(metric):
    value = 0.3 if metric.endswith("loss") else 0.9
    reaches = (lambda x: x <= value) if metric.endswith("loss") else (lambda x: x >= value)
    _, history = trained(Target(metric, value), epochs=100, validation=TRAIN)
    assert len(history) < 100
    assert [reaches(x) for x in history[metric]] == [False] * (len(history) - 1) + [True]


def test_a_target_is_reached_by_equality_and_never_by_nan():
    _, history = trained(Scripted([2, 1, 0]), Target("validation_loss", 1.0), epochs=3, validation=NOISE)
    assert len(history) == 2
    _, history = trained(Scripted([math.nan] * 2), Target("validation_loss", 1.0), epochs=2, validation=NOISE)
    assert len(history) == 2


def test_what_the_training_does_not_measure_is_said():
    class Unmeasured(Callback):
        def on_epoch(self, run):
            del run.history[-1]["validation_accuracy"]

    with pytest.raises(
        OptionError, match="measures no validation_accuracy, only epoch, step, lr, loss, accuracy, validation_loss"
    ):
        trained(Unmeasured(), Target("validation_accuracy", 1.0), epochs=1, validation=NOISE)


# mistakes


@pytest.mark.parametrize(
    "callback", [EarlyStopping(1), Target("validation_accuracy", 0.9), Target("validation_loss", 0.1)]
)
def test_without_a_validation_set_nothing_is_trained(callback):
    model = network()
    before = model.state_dict()
    with pytest.raises(OptionError, match="watches the validation set: give fit one, as validation="):
        trained(callback, model=model)
    assert same(model.state_dict(), before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(0), r"patience \(in epochs\) must be an integer of at least 1, got 0"),
        (lambda: EarlyStopping(1.5), "patience .* got 1.5"),
        (lambda: EarlyStopping(True), "patience .* got True"),
        (lambda: EarlyStopping(1, min_delta=-1), "min_delta=-1: min_delta must be a finite number >= 0"),
        (lambda: EarlyStopping(1, min_delta=math.nan), "min_delta=nan"),
        (lambda: GradientNorm(0), "threshold=0: threshold must be a finite number > 0"),
        (lambda: GradientNorm("small"), "threshold='small'"),
        (lambda: GradientNorm(math.inf), "threshold=inf"),
        (lambda: Target("precision", 1), "unknown metric 'precision': choose one of 'loss', 'accuracy',"),
        (lambda: Target("loss", math.nan), "value=nan: value must be a finite number$"),
        (lambda: Target("loss", True), "value=True"),
    ],
)
def test_a_bad_argument_is_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()
