"""Dense(n): a layer that takes on as many inputs as it is first given."""

import copy
import pickle

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import OptionError, ShapeError, StateError
from minidl.train import evaluate, fit, predict

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
QUIET = {"epochs": 1, "batch_size": 10, "progress": False}


def model():
    return nn.Sequential(nn.Dense(3), nn.ReLU(), nn.Dense(2))


def test_the_first_call_decides_how_many_inputs_there_are():
    made = model()
    assert made(X).shape == (20, 2)
    assert [p.shape for p in made.parameters()] == [(4, 3), (3,), (3, 2), (2,)]
    assert repr(made[0]) == "Dense(in_features=4, out_features=3, bias=True)"
    with pytest.raises(ShapeError, match=r"layer 0, Dense\(in_features=4, .* got \(20, 3\)"):
        made(X[:, :3])


def test_it_starts_with_the_numbers_of_a_layer_that_was_told():
    minidl.seed(3)
    lazy = model()
    lazy(X)
    minidl.seed(3)
    told = nn.Sequential(nn.Dense(4, 3), nn.ReLU(), nn.Dense(3, 2))
    for a, b in zip(lazy.parameters(), told.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_other_ways_to_ask_for_it():
    for layer in (nn.Dense(out_features=3), nn.Dense(None, 3), nn.Dense(3, bias=False, weight_init="ones")):
        assert layer(X).shape == (20, 3)
    assert nn.Dense(3, bias=False, weight_init="ones")(X).numpy() == pytest.approx(X.sum(1, keepdims=True) @ [[1] * 3])


NOT_CALLED = (
    r"Dense\(in_features=None, out_features=3, .*call the model on one, model\(x\), .* or say how many, Dense\(inp"
)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model, path: optim.Adam(model.parameters()),
        lambda model, path: model.state_dict(),
        lambda model, path: model.load_state_dict({}, strict=False) or model[0].weight.shape,
        lambda model, path: minidl.save(path, model),
        lambda model, path: model.to("numpy"),
        lambda model, path: model[0].weight.numpy(),
        lambda model, path: sum(p.size for p in model.parameters()),
    ],
)
def test_whatever_needs_its_weight_before_says_to_call_the_model(ask, tmp_path):
    made = model()
    with pytest.raises(StateError, match=NOT_CALLED):
        ask(made, tmp_path / "m")
    assert not list(tmp_path.iterdir())
    made(X)
    ask(made, tmp_path / "m")


def test_what_needs_no_values_works_before():
    made = model()
    assert [name for name, _ in made.named_parameters()] == [
        "layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias",
    ]  # fmt: skip
    made.eval().train().zero_grad()
    assert "not called yet" in repr(made.parameters())
    for twin in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        twin(X)
        assert isinstance(twin[0].weight, nn.Parameter)
    assert "in_features=None" in repr(made)


def test_a_layer_that_was_frozen_or_shared_before_is_so_afterwards():
    made = nn.Sequential(nn.Dense(4), nn.Dense(4))
    made[0].weight.requires_grad = False
    made[1].weight = weight = made[0].weight
    made(X).sum().backward()
    assert made[0].weight is made[1].weight is weight
    assert not weight.requires_grad
    assert weight.grad is None
    assert made[1].in_features == 4


def test_summary_needs_the_inputs_shape_and_is_then_the_first_call():
    made = model()
    with pytest.raises(OptionError, match="takes on as many inputs as it is first given: pass input_shape="):
        made.summary()
    assert "23 parameters to train" in made.summary((4,))
    assert made[0].in_features == 4


def test_fit_evaluate_and_predict_take_the_datas_width():
    data = Dataset(X, np.arange(20) % 2)
    for call in (lambda m: evaluate(m, data), lambda m: predict(m, X)):
        made = model()
        call(made)
        assert made[0].in_features == 4
    made, before = model(), nn.Dense(4, 2)
    with pytest.raises(OptionError, match="none of them is among the model's 4"):
        fit(made, data, optimizer=optim.SGD(before.parameters()), **QUIET)
    optimizer = optim.SGD(made.parameters())  # there by now
    assert len(fit(made, data, optimizer=optimizer, **QUIET)) == 1


def test_a_model_that_was_called_is_saved_and_loaded_like_any_other(tmp_path):
    made = model()
    made(X)
    minidl.save(tmp_path / "m", made)
    np.testing.assert_array_equal(minidl.load(tmp_path / "m")(X).numpy(), made.eval()(X).numpy())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Dense(), OptionError, "out_features must be an integer of at least 1, got None"),
        (lambda: nn.Dense(0), OptionError, "out_features must be an integer of at least 1, got 0"),
        (lambda: nn.Dense(3, weight_init="he"), OptionError, "unknown initialiser 'he'"),
        (lambda: nn.Dense(3)(1.0), ShapeError, r"shape \(batch, features\), got a single number"),
        (lambda: nn.Dense(3)(np.zeros((2, 0), "f4")), OptionError, "number of inputs must be .* at least 1, got 0"),
        (lambda: nn.Dense(4, 3, activation="relu"), TypeError, r"'activation': here it is a layer of its own: nn.Sequential\("),
        (lambda: nn.Dense(units=3), TypeError, "'units': here it is out_features"),
        (lambda: nn.Dense(4, 3, activaton="relu"), TypeError, "unexpected keyword argument 'activaton'$"),
    ],
)  # fmt: skip
def test_what_it_cannot_be_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_initialiser_that_fails_leaves_the_layer_as_it_was():
    layer = nn.Dense(3, weight_init=lambda shape: np.zeros(shape[::-1]))
    with pytest.raises(OptionError, match=r"returned shape \(3, 4\), expected \(4, 3\)"):
        layer(X)
    assert layer(X[:, :3]).shape == (20, 3)
