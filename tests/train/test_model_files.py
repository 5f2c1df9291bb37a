"""Model files: what is saved comes back as the same function, with what it shares, its functions and its dtypes."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import DataError, StateError
from minidl.train import Checkpoint, fit
from minidl.train.saving.archive import read_archive, write_archive

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
DATA = Dataset(np.tile(X, (10, 1)), np.arange(60) % 4)


def again(model, tmp_path):
    """The model, saved and loaded."""
    minidl.save(tmp_path / "m.safetensors", model)
    return minidl.load(tmp_path / "m.safetensors")


def same(model, loaded, x=X):
    model.eval()
    y, z = (np.asarray(getattr(r, "data", r)) for r in (model(x), loaded(x)))
    assert y.dtype == z.dtype
    assert y.tobytes() == z.tobytes()
    assert {n: a.dtype for n, a in loaded.state_dict().items()} == {n: a.dtype for n, a in model.state_dict().items()}


def cast(model, dtype):
    for tensor in model._state().values():
        tensor.data = tensor.data.astype(dtype)
    return model


# what is shared


def test_a_layer_that_is_used_twice_comes_back_as_one(tmp_path):
    twice = nn.Dense(4, 4)
    model = nn.Sequential(twice, nn.ReLU(), twice)
    loaded = again(model, tmp_path)
    assert loaded[0] is loaded[2]
    same(model, loaded)
    same(loaded, again(loaded, tmp_path))


def test_a_block_that_is_used_twice_comes_back_as_one(tmp_path):
    block = nn.Sequential(nn.Dense(4, 4), nn.BatchNorm(4), nn.Tanh())
    model = nn.Sequential(block, nn.Sequential(nn.Flatten(), block), block[0], block)
    loaded = again(model, tmp_path)
    assert loaded[0] is loaded[1][1] is loaded[3]
    assert loaded[2] is loaded[0][0]
    same(model, loaded)


def test_layers_that_share_a_parameter_still_do(tmp_path):
    model = nn.Sequential(nn.Dense(4, 4), nn.ReLU(), nn.Dense(4, 4), nn.BatchNorm(4), nn.BatchNorm(4))
    model[2].weight = model[0].weight
    model[4].gamma, model[4].running_var = model[3].gamma, model[3].running_var
    loaded = again(model, tmp_path)
    assert loaded[2].weight is loaded[0].weight
    assert loaded[2].bias is not loaded[0].bias
    assert loaded[4].running_var is loaded[3].running_var
    same(model, loaded)


def test_training_goes_on_alike_with_what_was_shared(tmp_path):
    twice = nn.Dense(4, 4)
    model = nn.Sequential(twice, nn.ReLU(), twice)
    pair = model, again(model, tmp_path)
    for m in pair:
        optimizer = optim.SGD(m.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            nn.softmax_cross_entropy(m.train()(X), [0, 1, 2, 3, 0, 1]).backward()
            optimizer.step()
    same(*pair)


def test_a_file_without_sharing_is_written_as_it_always_was(tmp_path):
    model = nn.Sequential(nn.Dense(4, 3), nn.Sequential(nn.ReLU()), nn.Dropout(0.5))
    minidl.save(tmp_path / "m", model)
    assert read_archive(tmp_path / "m", "model")[1]["model"] == {
        "layer": "Sequential",
        "layers": [
            {"layer": "Dense", "in_features": 4, "out_features": 3, "bias": True},
            {"layer": "Sequential", "layers": [{"layer": "ReLU"}]},
            {"layer": "Dropout", "rate": 0.5},
        ],
    }


def test_a_model_without_arrays_comes_back(tmp_path):
    loaded = again(nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Sequential(), minidl.tanh), tmp_path)
    same(nn.Sequential(nn.ReLU(), minidl.tanh), loaded)
    same(nn.Tanh(), again(nn.Tanh(), tmp_path))


def test_many_activations_and_few_weights_come_back(tmp_path):
    model = nn.Sequential(nn.Dense(4, 1, bias=False), *[nn.Tanh() for _ in range(50)])
    same(model, again(model, tmp_path))


# functions


@pytest.mark.parametrize(
    "name", ["tanh", "relu", "sigmoid", "softplus", "leaky_relu", "softmax", "cos", "sin", "arctan"]
)
def test_a_function_of_minidls_own_is_a_layer_like_any_other(name, tmp_path):
    function = getattr(minidl, name)
    model = nn.Sequential(nn.Dense(4, 4), function, function, nn.Sequential(function))
    loaded = again(model, tmp_path)
    assert loaded[1] is loaded[2] is loaded[3][0] is function
    same(model, loaded)
    assert f"layers.1: {name}\n" in repr(model)
    assert re.search(f"^1 +{name} ", model.summary(), re.MULTILINE)


def scaled(x):
    return x * 2


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            scaled,
            "layers.1 is the function 'scaled', which is not minidl's own and cannot be stored .* Module that calls it",
        ),
        (lambda x: x, "layers.1 is the function '<lambda>'"),
        (np.tanh, "the function 'tanh', which is not minidl's own .*: write minidl.tanh, or "),
        (nn.ReLU().forward, "the function 'forward'"),
        (type("Mine", (), {"__call__": lambda self, x: x})(), "the function 'Mine'"),
    ],
)
def test_a_function_that_no_file_can_hold_is_refused_by_name(function, message, tmp_path):
    model = nn.Sequential(nn.Dense(4, 4), function)
    assert "layers.1: " in repr(model)
    with pytest.raises(StateError, match=message):
        minidl.save(tmp_path / "m", model)
    assert not (tmp_path / "m").exists()


def test_a_function_deep_inside_is_named_by_its_path(tmp_path):
    model = nn.Sequential(nn.Dense(4, 4), nn.Sequential(nn.ReLU(), nn.Sequential(scaled)))
    with pytest.raises(StateError, match=r"^layers\.1\.layers\.1\.layers\.0 is the function 'scaled'"):
        minidl.save(tmp_path / "m", model)


def test_a_run_with_functions_in_its_model_is_kept_and_goes_on(tmp_path):
    def run(folder, stop=None):
        minidl.seed(1)
        model = nn.Sequential(nn.Dense(4, 4), scaled, minidl.tanh, lambda x: x + 1, nn.Dense(4, 4))
        fit(model, DATA, optimizer=optim.Adam(model.parameters()), epochs=stop or 3, batch_size=20, progress=False,
            checkpoint=Checkpoint(folder, 2), resume=True)  # fmt: skip
        return {name: value.tobytes() for name, value in model.state_dict().items()}

    run(tmp_path / "stopped", stop=1)
    assert run(tmp_path / "stopped") == run(tmp_path / "whole")


def test_keeping_the_best_of_a_model_that_no_file_can_hold_is_refused_before_training(tmp_path):
    model = nn.Sequential(nn.Dense(4, 4), scaled)
    before = model.state_dict()
    with pytest.raises(StateError, match="layers.1 is the function 'scaled'"):
        fit(model, DATA, optimizer=optim.SGD(model.parameters()), epochs=2, batch_size=20, progress=False,
            checkpoint=Checkpoint(tmp_path, best="loss"))  # fmt: skip
    assert all((before[name] == value).all() for name, value in model.state_dict().items())


# dtypes


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_model_comes_back_in_its_dtype_bit_for_bit(dtype, tmp_path):
    model = nn.Sequential(nn.Dense(4, 4), nn.BatchNorm(4), nn.Tanh(), nn.Dense(4, 2))
    model(X)
    for tensor in cast(model, dtype)._state().values():
        tensor.data += np.asarray(1 / 3, dtype)
    loaded = again(model, tmp_path)
    same(model, loaded, X.astype(dtype))
    assert all(loaded.state_dict()[n].tobytes() == a.tobytes() for n, a in model.state_dict().items())


def test_each_array_keeps_a_dtype_of_its_own(tmp_path):
    model = nn.Sequential(nn.Dense(4, 4), nn.BatchNorm(4))
    model[0].bias.data = model[0].bias.data.astype(np.float64)
    model[1].running_var.data = model[1].running_var.data.astype(np.float16)
    same(model, again(model, tmp_path))


def test_a_model_that_is_handed_in_keeps_its_own_dtype(tmp_path):
    minidl.save(tmp_path / "m", cast(nn.Dense(4, 2), np.float64))
    model = nn.Dense(4, 2)
    assert minidl.load(tmp_path / "m", model) is model
    assert model.weight.dtype == np.float32


def test_a_loaded_model_can_be_trained(tmp_path):
    loaded = again(cast(nn.Sequential(nn.Dense(4, 4), nn.BatchNorm(4)), np.float64), tmp_path)
    data = Dataset(DATA.inputs.astype(np.float64), DATA.labels)
    history = fit(
        loaded, data, optimizer=optim.SGD(loaded.parameters(), lr=0.1), epochs=9, batch_size=20, progress=False
    )
    assert history["loss"][-1] < history["loss"][0]


# any model


@st.composite
def networks(draw):
    """A Sequential of 4 features in and out, with functions, nests, and layers and parameters that are shared."""
    made = []

    def layer(depth):
        kinds = [
            "dense",
            "norm",
            "activation",
            "dropout",
            "function",
            *(["again", "tied"] if made else []),
            *(["nest"] if depth else []),
        ]
        kind = draw(st.sampled_from(kinds))
        if kind == "again":
            return draw(st.sampled_from(made))
        if kind == "function":
            return draw(st.sampled_from([minidl.tanh, minidl.sigmoid, minidl.relu, minidl.sin]))
        if kind == "nest":
            new = nn.Sequential(*[layer(depth - 1) for _ in range(draw(st.integers(0, 3)))])
        elif kind == "tied":
            new = nn.Dense(4, 4, bias=draw(st.booleans()))
            others = [m for m in made if isinstance(m, nn.Dense)]
            new.weight = draw(st.sampled_from(others)).weight if others else new.weight
        else:
            new = {
                "dense": lambda: nn.Dense(4, 4, bias=draw(st.booleans())),
                "norm": lambda: nn.BatchNorm(4, eps=draw(st.sampled_from([1e-5, 1, 1e-3])), momentum=draw(st.sampled_from([0, 0.5, 1]))),
                "activation": lambda: draw(st.sampled_from([nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softmax, nn.Flatten]))(),
                "dropout": lambda: nn.Dropout(draw(st.sampled_from([0.0, 0.25]))),
            }[kind]()  # fmt: skip
        made.append(new)
        return new

    model = nn.Sequential(*[layer(2) for _ in range(draw(st.integers(1, 6)))])
    return cast(model, draw(st.sampled_from([np.float16, np.float32, np.float64])))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(model=networks())
def test_any_model_survives_saving(model, tmp_path_factory):
    loaded = again(model, tmp_path_factory.mktemp("any"))
    with np.errstate(all="ignore"):
        same(model, loaded, X.astype(np.float64))
    assert repr(loaded) == repr(model)
    assert [n for n, _ in loaded.named_modules()] == [n for n, _ in model.named_modules()]
    assert [n for n, _ in loaded.named_parameters()] == [n for n, _ in model.named_parameters()]


# what is refused


class Own(nn.Module):
    def __init__(self):
        self.inner = nn.Dense(4, 2)

    def forward(self, x):
        return scaled(self.inner(x))


def test_a_model_of_ones_own_may_hold_any_function(tmp_path):
    model, other = nn.Sequential(Own(), nn.ReLU()), nn.Sequential(Own(), nn.ReLU())
    minidl.save(tmp_path / "m", model)
    with pytest.raises(StateError, match=r"holds a Own, which is not one of minidl's layers: pass load\(path, model\)"):
        minidl.load(tmp_path / "m")
    same(model, minidl.load(tmp_path / "m", other))


def test_a_class_of_ones_own_is_not_taken_for_minidls_of_that_name(tmp_path):
    class Dense(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.ones((4, 2), np.float32))

        def config(self):
            return {"in_features": 4, "out_features": 2, "bias": False}

        def forward(self, x):
            return x @ self.weight * 3

    minidl.save(tmp_path / "m", Dense())
    with pytest.raises(StateError, match="holds a test_model_files.*Dense, which is not one of minidl's layers"):
        minidl.load(tmp_path / "m")
    same(Dense(), minidl.load(tmp_path / "m", Dense()))


def spoilt():
    more, wide, integer, circle = (
        nn.Sequential(nn.Dense(4, 2)),
        nn.Dense(4, 2),
        nn.Dense(4, 2),
        nn.Sequential(nn.Dense(4, 4)),
    )
    more.extra = nn.Dense(2, 2)
    wide.weight = nn.Parameter(np.ones((4, 3), np.float32))
    integer.weight.requires_grad = False
    integer.weight.data = np.ones((4, 2), int)
    circle.layers.append(circle)
    return {
        "without extra.weight, extra.bias": more,
        r"weight is float32\[4, 3\]": wide,
        r"weight is int64\[4, 2\]": integer,
        "": circle,
    }


@pytest.mark.parametrize("message", spoilt())
def test_what_could_not_be_loaded_again_is_refused_when_it_is_saved(message, tmp_path):
    with pytest.raises(StateError, match=f"{message}.*: this model could not be loaded again; nothing was written"):
        minidl.save(tmp_path / "m", spoilt()[message])
    assert not (tmp_path / "m").exists()


def test_nesting_without_an_end_is_refused(tmp_path):
    model = nn.Dense(4, 4)
    for _ in range(3000):
        model = nn.Sequential(model)
    with pytest.raises(StateError, match="nested too deeply"):
        minidl.save(tmp_path / "m", model)


DENSE = {"layer": "Dense", "in_features": 4, "out_features": 4, "bias": False}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"layer": "Module"}, "holds a Module, which is not one of minidl's layers"),
        ({"layer": "Parameter"}, "holds a Parameter, which is not one"),
        ({"layer": "softmax"}, "holds a softmax, which is not one"),
        ({"function": "tanh"}, "a model without w"),
        ({"layer": "Sequential", "layers": [{"function": "os.system"}]}, "a function 'os.system', which minidl does not have"),
        ({"layer": "Sequential", "layers": [{"function": "__class__"}]}, "a function '__class__'"),
        ({"layer": "Sequential", "layers": [{"function": ["tanh"]}]}, r"a function \['tanh'\]"),
        ({"same": "layers.0"}, "description of the model is not one that minidl writes"),
        ({"layer": "Sequential", "layers": [{"same": ""}]}, "description of the model is not one"),
        ({"layer": "Sequential", "layers": [{"same": []}]}, "description of the model is not one"),
        ({**DENSE, "tied": {"weight": "w"}}, "description of the model is not one"),
        ({**DENSE, "tied": ["weight"]}, "description of the model is not one"),
        (DENSE, "a model with weight, and it has no such array"),
        ({"layer": "Sequential", "layers": [{**DENSE, "in_features": 2**40}]}, "larger than the arrays in it"),
        ({"layer": "Dense", "in_features": "4", "out_features": 4}, "not one that minidl writes"),
        ("same", "not one that minidl writes"),
        (None, "not one that minidl writes"),
        ({"layer": "ReLU"}, "a model without w"),
    ],
)  # fmt: skip
def test_a_description_made_to_mislead_is_refused(description, message, tmp_path):
    write_archive(tmp_path / "m", "model", {"w": np.ones((4, 4), np.float32)}, {"model": description, "notes": {}})
    with pytest.raises((DataError, StateError), match=f"m: .*{message}"):
        minidl.load(tmp_path / "m")


def test_a_small_file_with_much_sharing_takes_no_long_time(tmp_path):
    tied = {name: f"layers.0.{name}" for name in ("gamma", "beta", "running_mean", "running_var")}
    norm = {"layer": "BatchNorm", "num_features": 100_000}
    model = {"layer": "Sequential", "layers": [norm, *[{**norm, "tied": tied}] * 5000]}
    arrays = {f"layers.0.{name}": np.ones(100_000, np.float32) for name in tied}
    write_archive(tmp_path / "m", "model", arrays, {"model": model, "notes": {}})
    with pytest.raises(DataError, match="larger than the arrays in it"):
        minidl.load(tmp_path / "m")


def test_plain_safetensors_sees_a_shared_array_once(tmp_path):
    twice = nn.Dense(4, 4)
    minidl.save(tmp_path / "m", nn.Sequential(twice, twice))
    assert set(load_file(tmp_path / "m")) == {"layers.0.weight", "layers.0.bias"}
