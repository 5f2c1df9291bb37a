"""What somebody types who knows Keras, PyTorch or scikit-learn: it works, or the error names minidl's way."""

import numpy as np
import pandas as pd
import pytest

import minidl
from minidl import data, nn, optim, train
from minidl.data import Dataset, Loader
from minidl.errors import OptionError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4)).astype("f")
Y = (X[:, 0] > 0).astype(int)


def network():
    return nn.Sequential(nn.Dense(4, 5), nn.ReLU(), nn.Dense(5, 2))


@pytest.mark.parametrize(
    ("keyword", "ours"),
    [("validation_split", "validation=0.2"), ("validation_data", r"validation=\(x, y\)"), ("verbose", "progress="),
     ("lr", "optimizer=optim.Adam"), ("max_epochs", "epochs="), ("gradient_accumulation_steps", "accumulate=")],
)  # fmt: skip
def test_another_library_s_keyword_of_fit_is_told_minidl_s(keyword, ours):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{keyword}': here it is {ours}"):
        train.fit(network(), X, Y, epochs=1, **{keyword: 1})
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'$"):
        train.fit(network(), X, Y, epochs=1, nonsense=1)


@pytest.mark.parametrize("dtype", ["int64", "uint16", "bool"])
def test_counts_are_inputs_like_others_and_bytes_are_pixels(dtype):
    counts = np.arange(240).reshape(60, 4) % 7
    dataset = Dataset(counts.astype(dtype), Y)
    assert dataset.inputs.dtype == np.float32
    np.testing.assert_array_equal(dataset.inputs, counts.astype(dtype))
    assert Dataset(counts.astype("uint8"), Y).inputs.dtype == np.uint8
    assert train.predict(network(), counts.astype(dtype)).shape == (60, 2)
    train.fit(network(), counts.astype(dtype), Y, epochs=1, progress=False, guards=False)


def test_a_loader_takes_two_arrays_as_they_are():
    x, y = next(iter(Loader((X, Y), 20, shuffle=False)))
    np.testing.assert_array_equal(x, X[:20])
    np.testing.assert_array_equal(y, Y[:20])
    with pytest.raises(OptionError, match="train, test = mnist"):
        Loader((Dataset(X, Y), Dataset(X, Y)), 20)


def test_a_model_saves_itself(tmp_path):
    model = network()
    model.save(tmp_path / "model.safetensors", epochs=3)
    again = minidl.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_the_learning_rate_finder_takes_an_optimizer_s_name():
    minidl.seed(0)
    model = network()
    before = model.state_dict()
    found = train.find_lr(model, Dataset(X, Y), optimizer="adam", steps=20)
    assert found.suggestion > 0
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_early_stopping_has_a_patience_of_its_own():
    assert train.EarlyStopping().patience == 5


def test_an_op_of_one_s_own_is_made_of_minidl_op():
    @minidl.Op
    def cubed(a):
        return a**3

    cubed.vjp(lambda g, y, a: g * 3 * a**2)
    assert minidl.grad(lambda x: cubed(x).sum())(np.array([2.0])).tolist() == [12.0]


def test_a_csv_file_comes_by_pandas(tmp_path):
    pd.DataFrame(X, columns=list("abcd")).assign(label=Y).to_csv(tmp_path / "points.csv", index=False)
    frame = pd.read_csv(tmp_path / "points.csv")
    history = train.fit(network(), frame[list("abcd")], frame["label"], epochs=1, progress=False, guards=False)
    assert len(history) == 1
    with pytest.raises(AttributeError, match=r"pandas\.read_csv"):
        data.read_csv


@pytest.mark.parametrize(("name", "ours"), [("Conv2d", "outside"), ("LSTM", "outside"), ("Mish", "softplus"), ("PReLU", "LeakyReLU")])  # fmt: skip
def test_a_layer_that_minidl_has_not_is_told_what_there_is(name, ours):
    with pytest.raises(AttributeError, match=ours):
        getattr(nn, name)
    assert optim.SGD


@pytest.mark.parametrize(
    ("name", "ours"),
    [("cuda", r"model\.to\('cupy'\)"), ("double", "weight_init="), ("count_params", "summary"), ("fit", r"train\.fit\("),
     ("register_full_backward_hook", "retain_grad"), ("get_weights", r"model\.state_dict\(\)")],
)  # fmt: skip
def test_what_a_model_has_elsewhere_is_told_minidl_s_name(name, ours):
    with pytest.raises(AttributeError, match=f"^'Sequential' object has no attribute '{name}': here it is .*{ours}"):
        getattr(network(), name)
    assert not hasattr(network(), name)
    with pytest.raises(AttributeError, match="^'Sequential' object has no attribute 'nonsense'$"):
        network().nonsense


def test_a_count_that_stands_where_labels_would_is_told_its_name():
    with pytest.raises(OptionError, match="top_k_accuracy: .* has labels: give it alone, .* such as k=3"):
        train.top_k_accuracy(network(), Dataset(X, Y), 3)
    assert train.top_k_accuracy(network(), Dataset(X, Y), k=2) == 1
