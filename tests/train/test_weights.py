"""Samples and classes that count more than others, and smoothed labels, in `fit` and compiled steps."""

from functools import partial

import numpy as np
import pytest
from interruption import Interrupt, Until

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import OptionError
from minidl.teach import Timeline
from minidl.train import Checkpoint, evaluate, fit, predict

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
W = RNG.random(200)
OPTIONS = {"progress": False, "batch_size": 20, "epochs": 3}


def network(outputs=3):
    minidl.seed(1)
    return nn.Sequential(nn.Dense(3, 8), nn.ReLU(), nn.Dense(8, outputs))


def by_hand(loss, y, weights, epochs=3):
    """The weights after training by an own loop that weights each sample's loss itself."""
    model = network(3 if y.ndim == 1 else y.shape[1])
    optimizer = optim.Adam(model.parameters())
    for _ in range(epochs):
        for x, numbers in Loader(Dataset(X, np.arange(200)), 20):
            optimizer.zero_grad()
            each = loss(model(x), y[numbers], reduction="none")
            of_samples = weights[numbers].astype(np.float32)
            (each * (of_samples if each.ndim == 1 else of_samples[:, None])).mean().backward()
            optimizer.step()
    return predict(model, X)


BALANCED = 200 / (3 * np.bincount(Y))
WEIGHTED = {
    "sample_weight": ({"sample_weight": W}, W),
    "class_weight": ({"class_weight": {0: 2.0, 2: 0.5}}, np.array([2.0, 1.0, 0.5])[Y]),
    "balanced": ({"class_weight": "balanced"}, BALANCED[Y]),
    "both": ({"class_weight": "balanced", "sample_weight": W}, BALANCED[Y] * W),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_train_as_a_loop_that_weights_each_loss(name):
    options, weights = WEIGHTED[name]
    model = network()
    fit(model, X, Y, **options, **OPTIONS)
    np.testing.assert_allclose(predict(model, X), by_hand(nn.softmax_cross_entropy, Y, weights), rtol=1e-4, atol=1e-6)


def test_weights_of_a_regression_count_too():
    targets = X @ np.array([[1.0], [2.0], [3.0]], np.float32)
    model = network(1)
    fit(model, X, targets, loss="mse", sample_weight=W, **OPTIONS)
    np.testing.assert_allclose(predict(model, X), by_hand(nn.mean_squared_error, targets, W), rtol=1e-4, atol=1e-6)


COMPILED = {
    **{name: options for name, (options, _) in WEIGHTED.items()},
    "smoothed": {"label_smoothing": 0.1},
    "partial": {"loss": partial(nn.softmax_cross_entropy, label_smoothing=0.1)},
    "all": {"label_smoothing": 0.1, "class_weight": "balanced", "sample_weight": W},
    "soft labels": {"targets": np.eye(3, dtype=int)[Y], "label_smoothing": 0.1},
    "regression": {"loss": "mse", "sample_weight": W, "targets": X[:, 0] * 2},
    "mae": {"loss": "mae", "sample_weight": W, "targets": X[:, :2]},
    "huber": {"loss": "huber", "sample_weight": W, "targets": X[:, :2]},
    "hinge": {"loss": "hinge", "sample_weight": W, "targets": np.sign(X[:, :2])},
    "several labels": {"loss": nn.binary_cross_entropy_with_logits, "sample_weight": W, "targets": X[:, :2] > 0},
}


@pytest.mark.parametrize("name", COMPILED)
def test_weighted_and_smoothed_steps_are_compiled_to_the_same_bits(name):
    options = {"targets": Y, **COMPILED[name]}
    targets = options.pop("targets")
    found = []
    for compile in (True, False):
        model = network({"regression": 1, "mae": 2, "huber": 2, "hinge": 2, "several labels": 2}.get(name, 3))
        history = fit(model, X, targets, compile=compile, validation=(X, targets), **options, **OPTIONS)
        assert (history[-1]["engine"] != "eager") is compile
        found.append((history["loss"], history["validation_loss"], predict(model, X).tolist()))
    assert found[0] == found[1]


def test_a_compiled_step_takes_weights_with_the_labels():
    def loss(output, labels_and_weights):
        labels, weights = labels_and_weights
        return nn.softmax_cross_entropy(output, labels, label_smoothing=0.1, sample_weight=weights)

    found = []
    for compiled in (True, False):
        model = network()
        optimizer = optim.Adam(model.parameters())
        step = minidl.compile(model, loss, optimizer)
        for x, y in Loader(Dataset(X, Y, sample_weight=W), 20):
            if compiled:
                step(x, y)
            else:
                optimizer.zero_grad()
                loss(model(x), y).backward()
                optimizer.step()
        assert not compiled or (step.reason is None and step.engine != "eager")
        found.append(predict(model, X).tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize("loss", [partial(nn.softmax_cross_entropy, label_smoothing=0.1), nn.softmax_cross_entropy])
@pytest.mark.parametrize("labels", [Y, np.eye(3, dtype=np.float32)[Y]])
def test_a_compiled_step_takes_smoothed_and_soft_labels(loss, labels):
    model = network()
    step = minidl.compile(model, loss, optim.SGD(model.parameters()))
    for x, y in Loader(Dataset(X, labels), 20):
        step(x, y)
    assert step.reason is None


def test_the_loss_knows_the_weights_and_the_accuracy_does_not():
    model = network()
    each = np.asarray(nn.softmax_cross_entropy(predict(model, X), Y, "none"))
    found = evaluate(model, Dataset(X, Y, sample_weight=W))
    assert found["loss"] == pytest.approx((each * W).mean(), rel=1e-5)
    assert found["accuracy"] == evaluate(model, X, Y)["accuracy"]
    history = fit(model, X, Y, **OPTIONS | {"epochs": 1}, validation=(X, Y, W))
    assert history["validation_loss"] == [pytest.approx(evaluate(model, Dataset(X, Y, sample_weight=W))["loss"])]


def test_class_weights_are_for_training_alone_and_smoothing_for_validation_too():
    model = network()
    history = fit(model, X, Y, class_weight="balanced", label_smoothing=0.2, validation=(X, Y), **OPTIONS)
    smoothed = nn.softmax_cross_entropy(predict(model, X), Y, label_smoothing=0.2)
    assert history["validation_loss"][-1] == pytest.approx(float(smoothed), rel=1e-5)


def test_one_hot_and_soft_labels_train_as_the_classes_do():
    hard = network()
    of_classes = fit(hard, X, Y, **OPTIONS)
    soft = network()
    of_one_hot = fit(soft, X, np.eye(3)[Y], **OPTIONS)
    np.testing.assert_allclose(predict(soft, X), predict(hard, X), rtol=1e-4, atol=1e-6)
    assert of_classes["accuracy"] == of_one_hot["accuracy"]
    mixed = 0.75 * np.eye(3)[Y] + 0.25 / 3
    smoothed = evaluate(hard, X, mixed)
    assert smoothed["loss"] == pytest.approx(float(nn.softmax_cross_entropy(predict(hard, X), Y, label_smoothing=0.25)))
    assert smoothed["accuracy"] == evaluate(hard, X, Y)["accuracy"]


def test_classes_are_weighted_by_their_names_too():
    names = np.array(["low", "mid", "up"])[Y]
    found = []
    for data, weight in ((names, {"low": 2.0, "up": 0.5}), (Y, {0: 2.0, 2: 0.5})):
        model = network()
        fit(model, X, data, class_weight=weight, **OPTIONS)
        found.append(predict(model, X).tolist())
    assert found[0] == found[1]


def test_a_run_with_weights_is_resumed_with_the_same_weights_and_no_others(tmp_path):
    def trained(weights, **options):
        model = network()
        fit(model, X, Y, sample_weight=weights, **options, **OPTIONS)
        return predict(model, X).tolist()

    with pytest.raises(Interrupt):
        trained(W, callbacks=[Until(14)], checkpoint=Checkpoint(tmp_path / "run", every=1))
    with pytest.raises(minidl.errors.StateError, match="training data"):
        trained(W[::-1], checkpoint=tmp_path / "run", resume=True)
    assert trained(W, checkpoint=tmp_path / "run", resume=True) == trained(W)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weight": {3: 1.0}}, "class_weight: 3 is no class: train has 0 to 2"),
        ({"class_weight": {0: -1.0}}, "class_weight: -1.0 of 0: expected finite numbers"),
        ({"class_weight": "even"}, "class_weight='even': give 'balanced'"),
        ({"class_weight": "balanced", "targets": X[:, 0], "loss": "mse"}, "class_weight is for a data set of classes"),
        ({"sample_weight": W, "loss": lambda output, y: output.mean()}, "the loss takes none.*sample_weight=weights"),
        ({"label_smoothing": 0.1, "targets": X[:, 0], "loss": "mse"}, "label_smoothing=0.1 is for nn.softmax_cross"),
        ({"label_smoothing": 1.5}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_weighted_or_smoothed_is_refused_before_anything_is_trained(options, message):
    options = {"targets": Y, **options}
    model = network()
    before = predict(model, X)
    with pytest.raises(OptionError, match=message):
        fit(model, X, options.pop("targets"), **options, **OPTIONS)
    np.testing.assert_array_equal(predict(model, X), before)


def test_weights_beside_a_data_set_are_refused():
    with pytest.raises(OptionError, match=r"Dataset\(..., sample_weight=\)"):
        fit(network(), Dataset(X, Y), sample_weight=W, **OPTIONS)


def test_a_loss_of_ones_own_is_given_the_weights():
    def loss(output, y, sample_weight):
        return (nn.softmax_cross_entropy(output, y, reduction="none") * sample_weight).mean()

    model = network()
    history = fit(model, X, Y, loss=loss, sample_weight=W, **OPTIONS)
    assert history[-1]["engine"] == "eager"  # which is not recorded unasked, as it may do what a record does not repeat
    np.testing.assert_allclose(predict(model, X), by_hand(nn.softmax_cross_entropy, Y, W), rtol=1e-4, atol=1e-6)


def test_a_learning_rate_that_is_far_too_large_for_the_weighted_loss_is_told_of():
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=100.0)
    with pytest.warns(minidl.errors.GuardWarning, match="MDL008"):
        fit(model, X, Y, optimizer=optimizer, sample_weight=W, batch_size="full", progress=False, epochs=1)


def test_a_timeline_of_weighted_samples_is_that_training():
    model, other = network(), network()
    fit(model, X, Y, sample_weight=W, progress=False, batch_size=20, epochs=1)
    minidl.seed(1)
    network()
    line = Timeline(
        other, optim.Adam(other.parameters()), nn.softmax_cross_entropy, Loader(Dataset(X, Y, sample_weight=W), 20)
    )
    line.step(10)
    np.testing.assert_array_equal(predict(other, X), predict(model, X))


def test_a_loader_that_leaves_the_weights_out_is_refused():
    class Plain(Loader):
        def batches(self, order, first=0, last=None):
            return ((x, y) for x, (y, _) in super().batches(order, first, last))

    with pytest.raises(OptionError, match="yields none beside the labels"):
        fit(network(), Plain(Dataset(X, Y, sample_weight=W), 20), progress=False, epochs=1)
