"""Training on real MNIST: what fit promises, and models in files."""

import gc
import json
import tracemalloc

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader, mnist
from minidl.errors import DataError, MinidlError, OptionError, StateError
from minidl.train import Callback, History, evaluate, fit


@pytest.fixture(scope="module")
def digits():
    return mnist()


def small_mlp():
    return nn.Sequential(nn.Dense(784, 32), nn.ReLU(), nn.BatchNorm(32), nn.Dense(32, 10))


def trained(data, seed=0, epochs=1, **options):
    minidl.seed(seed)
    model = small_mlp()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    history = fit(model, data, optimizer=optimizer, epochs=epochs, progress=False, **options)
    return model, history


def test_an_epoch_of_mnist_is_learnt(digits):
    train, test = digits
    model, history = trained(train[:20_000], validation=test)
    assert history[-1]["validation_accuracy"] > 0.9
    assert history[-1]["loss"] < 0.6
    assert evaluate(model, test)["accuracy"] == history[-1]["validation_accuracy"]


def test_same_seed_same_machine_same_bits(digits):
    train, _ = digits
    first, second, other = (trained(train[:5000], seed)[0].state_dict() for seed in (3, 3, 4))
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name
    assert first["layers.0.weight"].tobytes() != other["layers.0.weight"].tobytes()


def test_the_epochs_loss_and_accuracy_are_means_over_samples(digits):
    train, _ = digits
    data = train[:250]
    model = nn.Sequential(nn.Dense(784, 10))
    optimizer = optim.SGD(model.parameters(), lr=1e-30)  # so that the model stays what it is
    history = fit(model, data, optimizer=optimizer, epochs=1, batch_size=100, progress=False)
    expected = evaluate(model, data)
    assert history[0]["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert history[0]["accuracy"] == expected["accuracy"]


def test_history_has_a_row_per_epoch_and_saves_as_json_lines(digits, tmp_path):
    train, test = digits
    _, history = trained(train[:500], epochs=2, validation=test[:100], batch_size=100)
    assert [row["epoch"] for row in history.rows] == [1, 2]
    assert history["step"] == [5, 10]
    history.save(tmp_path / "h.jsonl")
    assert [json.loads(line) for line in (tmp_path / "h.jsonl").read_text().splitlines()] == history.rows


def test_the_model_is_in_evaluation_mode_afterwards_and_evaluate_keeps_the_mode(digits):
    train, _ = digits
    model, _ = trained(train[:200])
    assert not model.training
    model.train()
    evaluate(model, train[:200])
    assert model.training


def test_batch_sizes_from_sgd_to_gradient_descent(digits):
    data = digits[0][:64]
    for batch_size, steps in ((2, 32), (30, 3), ("full", 1)):
        _, history = trained(data, batch_size=batch_size)
        assert history[0]["step"] == steps


def test_validation_sees_the_iterate_of_a_look_ahead_rule(digits):
    train, _ = digits
    minidl.seed(0)
    model = small_mlp()
    optimizer = optim.Nesterov(model.parameters(), lr=0.05)
    history = fit(model, train[:500], optimizer=optimizer, epochs=1, validation=train[500:700], progress=False)
    ahead = evaluate(model, train[500:700])["loss"]
    with optimizer.at_iterate():
        assert evaluate(model, train[500:700])["loss"] == history[0]["validation_loss"] != ahead


def test_callbacks_run_in_their_order_and_can_stop(digits):
    seen = []

    class Watch(Callback):
        def on_start(self, run):
            seen.append("start")

        def on_step(self, run):
            seen.append(run.step)
            if run.step == 3:
                run.stop("enough")

        def on_epoch(self, run):
            seen.append("epoch")

        def on_end(self, run):
            seen.append("end")

    _, history = trained(
        digits[0][:100], epochs=5, batch_size=20, callbacks=[Watch(), lambda run: seen.append(run.epoch)]
    )
    assert seen == ["start", 1, 2, 3, "epoch", 1, "end"]
    assert len(history) == 1


def test_progress_prints_a_line_per_epoch_and_no_bar_in_a_pipe(digits, capsys):
    minidl.seed(0)
    model = small_mlp()
    fit(model, digits[0][:200], optimizer=optim.SGD(model.parameters()), epochs=2, validation=digits[1][:100])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1  loss ")
    assert "val acc" in lines[0]


def test_regression_has_no_accuracy():
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    model = nn.Sequential(nn.Dense(1, 1))
    data = Dataset(x, np.zeros(64, int))
    loss = lambda y, labels: nn.mean_squared_error(y, np.full(y.shape, 2.0, np.float32))
    history = fit(
        model,
        data,
        optimizer=optim.SGD(model.parameters(), lr=0.3),
        loss=loss,
        epochs=20,
        batch_size=16,
        progress=False,
    )
    assert history[-1]["loss"] < 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [({"epochs": -1}, "epochs must be an integer"), ({"epochs": 1, "optimizer": None}, "optimizer must be"),
     ({"epochs": 1, "batch_size": 0}, "batch_size"), ({"epochs": 1, "batch_size": 10, "threads": 0}, "threads")],
)  # fmt: skip
def test_a_bad_argument_is_refused_before_training(digits, options, message):
    model = small_mlp()
    before = model.state_dict()
    with pytest.raises(OptionError, match=message):
        fit(model, digits[0][:100], **({"optimizer": optim.SGD(model.parameters())} | options))
    assert all((before[k] == v).all() for k, v in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("collect", [True, False])
def test_two_thousand_steps_leave_memory_flat(digits, collect):
    minidl.seed(0)
    model = small_mlp()
    optimizer = optim.Adam(model.parameters())

    def steps(count):
        done = 0
        while done < count:
            for x, y in Loader(digits[0][:3200], 32):
                optimizer.zero_grad()
                nn.softmax_cross_entropy(model(x), y).backward()
                optimizer.step()
                done += 1

    if not collect:
        gc.disable()
    try:
        steps(100)
        tracemalloc.start()
        steps(100)
        before = tracemalloc.get_traced_memory()[0]
        steps(2000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert abs(grown) < 2**20


# models in files


def test_a_saved_model_loads_as_the_same_function(digits, tmp_path):
    train, test = digits
    model, _ = trained(train[:2000])
    minidl.save(tmp_path / "m.safetensors", model)
    loaded = minidl.load(tmp_path / "m.safetensors")
    x = next(iter(Loader(test, 50)))[0]
    assert not loaded.training
    assert loaded(x).numpy().tobytes() == model(x).numpy().tobytes()


def test_the_file_is_plain_safetensors_with_the_parameters_names(tmp_path):
    from safetensors.numpy import load_file

    model = small_mlp()
    minidl.save(tmp_path / "m.safetensors", model)
    state = load_file(tmp_path / "m.safetensors")
    assert set(state) == set(model.state_dict())
    np.testing.assert_array_equal(state["layers.0.weight"], model[0].weight.numpy())
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_model_of_ones_own_class_is_loaded_into_an_instance(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            self.head = nn.Dense(3, 2)

        def forward(self, x):
            return self.head(x)

    model, other = Net(), Net()
    minidl.save(tmp_path / "m", model)
    assert minidl.load(tmp_path / "m", other) is other
    np.testing.assert_array_equal(other.head.weight.numpy(), model.head.weight.numpy())
    with pytest.raises(StateError, match=r"holds a Net.*pass load\(path, model\)"):
        minidl.load(tmp_path / "m")
    with pytest.raises(StateError, match="missing 'layers.0.weight'"):
        minidl.load(tmp_path / "m", small_mlp())


def test_what_is_no_model_is_refused_by_name(tmp_path):
    from safetensors.numpy import save_file

    with pytest.raises(DataError, match="absent: no such file"):
        minidl.load(tmp_path / "absent")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="text: not a readable safetensors file"):
        minidl.load(tmp_path / "text")
    save_file({"a": np.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(DataError, match="foreign: not a minidl model"):
        minidl.load(tmp_path / "foreign")
    minidl.save(tmp_path / "m", small_mlp())
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes()[:-10])
    with pytest.raises(DataError, match="m: damaged or cut short"):
        minidl.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": 3}, "loss must be a name such as 'mse', or a function of output and labels"),
        ({"loss": "mse"}, "make class numbers one-hot"),
        ({"validation": "empty"}, "is empty"),
        ({"validation": [[1.0]]}, r"Dataset\(inputs, labels\)"),
        ({"validation": ([[1.0]], [0])}, "validation has 1 numbers in a sample, the training set 784"),
        ({"validation": (np.zeros((1, 784), "f"), [0.5])}, "2 axes of labels"),
        ({"optimizer": optim.SGD(nn.Dense(2, 2).parameters())}, "none of them is among the model's"),
    ],
)
def test_what_cannot_end_well_is_said_before_anything_is_trained(digits, options, message):
    model, seen = small_mlp(), []
    if options.get("validation") == "empty":
        options = {"validation": digits[0][:0]}
    options = {"optimizer": optim.SGD(model.parameters()), "progress": False} | options
    with pytest.raises(MinidlError, match=message):
        fit(model, digits[0][:200], epochs=1, callbacks=[seen.append], **options)
    assert seen == []
    assert options["optimizer"].t == 0


def test_a_name_that_no_epoch_has_is_an_error_that_lists_those_that_are_there():
    history = History(
        [
            {"epoch": 1, "loss": 0.5, "validation_loss": 0.4},
            {"epoch": 2, "loss": 0.3, "validation_loss": 0.2, "skipped": 1},
        ]
    )
    assert history["loss"] == [0.5, 0.3]
    assert history["skipped"] == [None, 1]
    assert History()["loss"] == []
    with pytest.raises(KeyError) as error:
        history["val_loss"]
    assert str(error.value) == (
        "history: no epoch has 'val_loss'; there are epoch, loss, validation_loss, skipped; did you mean 'validation_loss'?"
    )
    assert isinstance(error.value, MinidlError)
