"""`fit` on arrays, and on targets that are no classes: regression, several labels, an autoencoder."""

from dataclasses import dataclass

import numpy as np
import pytest
from interruption import Interrupt, Until

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader, mnist
from minidl.errors import LabelError, OptionError
from minidl.train import Callback, Checkpoint, evaluate, fit, predict

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5]) + 0.25
OPTIONS = {"progress": False, "batch_size": 20}


def line():
    minidl.seed(1)
    return nn.Sequential(nn.Dense(3, 1))


def test_a_regression_in_three_lines():
    model = line()
    history = fit(
        model, X, Y, optimizer=optim.Adam(model.parameters(), lr=0.05), loss=nn.mean_squared_error,
        epochs=30, validation=(X[:50], Y[:50]), **OPTIONS,
    )  # fmt: skip
    assert history["validation_loss"][-1] < 1e-3
    assert "accuracy" not in history[-1]
    expected = np.abs(predict(model, X[:50]).ravel() - Y[:50]).mean()
    assert history["validation_mean_absolute_error"][-1] == pytest.approx(expected, abs=1e-5)
    assert f"val MAE {expected:.4f}" in repr(history)
    assert history["mean_absolute_error"][-1] < history["mean_absolute_error"][0]
    np.testing.assert_allclose(model.layers[0].weight.numpy().ravel(), [1, -2, 0.5], atol=0.05)
    assert predict(model, X).shape == (200, 1)
    assert evaluate(model, Dataset(X, Y), loss=nn.mean_squared_error)["loss"] < 1e-3


def test_arrays_of_classes_train_as_their_data_set_does():
    labels = (Y > 0).astype(int)
    found = []
    for given in ((X, labels), (Dataset(X, labels),)):
        minidl.seed(3)
        model = nn.Sequential(nn.Dense(3, 4), nn.ReLU(), nn.Dense(4, 2))
        found.append(fit(model, *given, optimizer=optim.SGD(model.parameters()), epochs=2, **OPTIONS)["loss"])
    assert found[0] == found[1]


def test_steps_of_a_regression_are_compiled_where_that_is_asked_for_to_the_same_bits():
    found = []
    for compile in (True, False):
        model = line()
        history = fit(
            model, X, Y, optimizer=optim.Adam(model.parameters()), loss=nn.mean_squared_error, epochs=3,
            compile=compile, **OPTIONS,
        )  # fmt: skip
        found.append((history["loss"], model.layers[0].weight.tolist()))
        assert (history[-1]["engine"] != "eager") is compile
    assert found[0] == found[1]


def test_several_labels_may_hold_at_once():
    several = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(np.float32)
    minidl.seed(1)
    model = nn.Sequential(nn.Dense(3, 2))
    history = fit(
        model, X, several, optimizer=optim.Adam(model.parameters(), lr=0.1), epochs=20, validation=(X, several),
        loss=nn.binary_cross_entropy_with_logits, **OPTIONS,
    )  # fmt: skip
    right = (predict(model, X) > 0) == (several > 0)
    assert right.mean() > 0.95
    assert history["validation_exact_match"][-1] == right.all(axis=1).mean()


def test_an_autoencoder_is_given_its_inputs_as_targets():
    digits = mnist()[0][:200]
    pictures = digits.inputs.astype(np.float32) / 255
    minidl.seed(1)
    model = nn.Sequential(nn.Dense(784, 16), nn.Tanh(), nn.Dense(16, 784), nn.Sigmoid())
    history = fit(
        model, pictures, pictures, optimizer=optim.Adam(model.parameters(), lr=0.01), epochs=5,
        loss=nn.mean_squared_error, **OPTIONS,
    )  # fmt: skip
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_targets_come_in_the_dtype_of_the_inputs_and_as_columns():
    pixels = RNG.integers(0, 256, (6, 4), dtype=np.uint8)
    for inputs, dtype in ((X[:6], "f4"), (X[:6].astype("f8"), "f8"), (pixels, "f4")):
        for shuffle in (True, False):
            ((x, y),) = Loader(Dataset(inputs, Y[:6]), "full", shuffle=shuffle)
            assert x.dtype == y.dtype == dtype
            assert y.shape == (6, 1)
    data = Dataset(X, Y)
    assert data.classes == ()
    assert repr(data) == "<Dataset data: 200 samples of 3 float32, 1 targets>"
    np.testing.assert_array_equal(data[3:5].labels, Y[3:5, None])
    assert Dataset(X, np.zeros((200, 2, 2))).labels.shape == (200, 4)


def test_a_loss_of_classes_is_refused_for_targets_before_anything_is_trained():
    model = line()
    with pytest.raises(OptionError, match="floating targets.*nn.mean_squared_error"):
        fit(model, X, Y, optimizer=optim.SGD(model.parameters()), epochs=1)


def test_a_missing_target_is_refused_with_its_place():
    wrong = Y.copy()
    wrong[7] = np.nan
    with pytest.raises(LabelError, match="nan at index 7"):
        Dataset(X, wrong)


def test_a_training_on_targets_that_is_interrupted_in_an_epoch_is_resumed_bit_for_bit(tmp_path):
    def trained(callbacks=(), **options):
        model = line()
        history = fit(
            model, X, Y, optimizer=optim.Adam(model.parameters()), loss=nn.mean_squared_error, epochs=3,
            callbacks=callbacks, **OPTIONS, **options,
        )  # fmt: skip
        return model.layers[0].weight.tolist(), history["mean_absolute_error"]

    with pytest.raises(Interrupt):
        trained([Until(14)], checkpoint=Checkpoint(tmp_path / "run", every=1))
    assert trained(checkpoint=tmp_path / "run", resume=True) == trained()


def test_a_share_of_the_samples_is_set_aside_for_validation():
    labels = (Y > 0).astype(int)
    histories = []
    for _ in range(2):
        minidl.seed(5)
        model = nn.Sequential(nn.Dense(3, 2))
        options = {"optimizer": optim.SGD(model.parameters()), "epochs": 1, "validation": 0.25}
        histories.append(fit(model, X, labels, **options, **OPTIONS))
    assert histories[0][-1]["step"] == 8  # of 150 samples, 20 at a time
    assert histories[0]["validation_accuracy"] == histories[1]["validation_accuracy"]


def test_a_split_holds_each_sample_once_and_is_drawn_by_the_seed():
    data = Dataset(np.arange(10.0, dtype="f")[:, None], np.arange(10))
    minidl.seed(1)
    rest, part = data.split(0.3)
    assert (len(rest), len(part)) == (7, 3)
    assert sorted([*rest.labels, *part.labels]) == list(range(10))
    assert rest.classes == data.classes
    assert not np.array_equal(data.split(0.3)[1].labels, part.labels)
    minidl.seed(1)
    np.testing.assert_array_equal(data.split(0.3)[1].labels, part.labels)


@pytest.mark.parametrize("share", [0, 1, 1.5, -0.1, 0.01, "a", None])
def test_a_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(OptionError, match="between 0 and 1"):
        Dataset(X[:10], Y[:10]).split(share)


def test_a_share_of_a_loader_is_refused():
    model = line()
    with pytest.raises(OptionError, match="split yours beforehand"):
        fit(model, Loader(Dataset(X, Y), 20), optimizer=optim.SGD(model.parameters()), epochs=1, validation=0.1)


def test_a_loss_that_has_no_hash_trains_too():
    @dataclass
    class Scaled:
        by: float

        def __call__(self, output, y):
            return nn.mean_squared_error(output, y) * self.by

    model = line()
    history = fit(model, X, Y, optimizer=optim.SGD(model.parameters()), loss=Scaled(2.0), epochs=1, **OPTIONS)
    assert set(history[-1]) == {"epoch", "step", "lr", "loss", "seconds", "engine"}


def test_fewer_samples_than_a_batch_usually_has_are_one_batch():
    model = line()
    options = {"optimizer": optim.SGD(model.parameters()), "loss": nn.mean_squared_error, "progress": False}
    assert fit(model, X[:60], Y[:60], epochs=2, **options)[-1]["step"] == 2
    with pytest.raises(OptionError, match="from 1 to 60"):
        fit(model, X[:60], Y[:60], epochs=1, batch_size=128, **options)


def test_targets_beside_a_data_set_are_refused():
    model = line()
    for given in (Dataset(X, Y), Loader(Dataset(X, Y), 20)):
        with pytest.raises(OptionError, match="has its own"):
            fit(model, given, Y, optimizer=optim.SGD(model.parameters()), epochs=1)


def test_no_samples_and_yes_or_no_labels_are_told_of():
    assert Dataset(X[:0], Y[:0]).labels.shape == (0, 1)
    with pytest.raises(LabelError, match=r"of two classes: labels.astype\(int\)"):
        Dataset(X, Y > 0)


def test_the_error_of_an_epoch_is_that_over_all_its_batches():
    model = line()
    expected = np.abs(predict(model, X).ravel() - Y).mean()
    history = fit(
        model, X, Y, optimizer=optim.SGD(model.parameters(), lr=1e-12), loss=nn.mean_squared_error, epochs=1, **OPTIONS
    )
    assert history["mean_absolute_error"] == [pytest.approx(expected, rel=1e-5)]


def test_gradients_of_recorded_steps_are_clipped_without_a_word():
    """They come in the same Tensors at every step, which is no sum of old and new ones."""

    class Clip(Callback):
        def on_gradients(self, run):
            assert optim.clip_grad_norm(run.model.parameters(), 1e-3) > 1e-3

    found = []
    for compile in (True, False):
        model = line()
        options = {"optimizer": optim.SGD(model.parameters()), "loss": nn.mean_squared_error, "epochs": 2}
        options |= {"callbacks": [Clip()], "compile": compile}
        history = fit(model, X, Y, **options, **OPTIONS)
        assert (history[-1]["engine"] != "eager") is compile
        found.append(model.layers[0].weight.tolist())
    assert found[0] == found[1]
