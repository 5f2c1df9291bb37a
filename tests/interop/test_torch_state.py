"""PyTorch's state dicts, both ways, against one that PyTorch 2.13 has made (make_torch_state.py)."""

import json
from pathlib import Path

import numpy as np
import pytest
from torch_cases import x_and_gradient

import minidl
from minidl import Tensor, nn
from minidl.errors import StateError
from minidl.export import load_torch, torch

VALUES = json.loads((Path(__file__).parents[1] / "support" / "torch_state.json").read_text())
STATE = {name: np.array(value) for name, value in VALUES["state"].items()}
X = x_and_gradient(6, 4)[0]


def the_same_model():
    inner = nn.Sequential(nn.Dense(5, 3, bias=False), nn.BatchNorm(3), nn.Tanh())
    model = nn.Sequential(nn.Dense(4, 5), nn.BatchNorm(5), nn.LeakyReLU(), inner, nn.Dropout(0.5), nn.Dense(3, 2))
    for kind in (nn.Parameter, nn.Buffer):
        for _, tensor in model.named_tensors(kind):
            tensor.data = tensor.data.astype("f8")
    return model.eval()


class TheirTensor:
    """As PyTorch's: it gives its numbers out only once it has left the graph, and the GPU."""

    def __init__(self, array, requires_grad=True, on_gpu=True):
        self.array, self.requires_grad, self.on_gpu = array, requires_grad, on_gpu

    def detach(self):
        return TheirTensor(self.array, False, self.on_gpu)

    def cpu(self):
        return TheirTensor(self.array, self.requires_grad, False)

    def numpy(self):
        if self.requires_grad or self.on_gpu:
            raise RuntimeError("not from here")
        if self.array is None:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


@pytest.mark.parametrize("as_theirs", [lambda a: a, np.ndarray.tolist, TheirTensor, Tensor])
def test_a_model_with_pytorchs_values_computes_what_pytorch_computes(as_theirs):
    model = the_same_model()
    load_torch(model, {name: as_theirs(value) for name, value in STATE.items()})
    np.testing.assert_allclose(model(X).numpy(), VALUES["outputs"], rtol=1e-12)


def test_pytorch_is_handed_its_own_names_and_layout():
    model = the_same_model()
    load_torch(model, STATE)
    given = torch(model)
    assert list(given) == list(STATE)
    for name, value in given.items():
        assert value.shape == STATE[name].shape
        if not name.endswith("num_batches_tracked"):  # minidl does not count them
            np.testing.assert_array_equal(value, STATE[name], strict=True)
        assert value.flags.c_contiguous
        assert value.flags.owndata


def test_the_values_are_those_of_the_stated_version():
    assert VALUES["torch"].startswith("2.13.0")


def test_what_is_handed_out_is_a_copy():
    model = nn.Sequential(nn.Dense(1, 1))
    before = model(np.ones((1, 1), "f4")).item()
    for array in torch(model).values():
        array += 1
    assert model(np.ones((1, 1), "f4")).item() == before


class Own(nn.Module):
    def __init__(self):
        self.encoder = nn.Sequential(nn.Dense(3, 2), nn.ReLU())
        self.scale = nn.Parameter([2.0, 3.0])
        self.heads = [nn.Dense(2, 1), nn.Dense(2, 1)]
        self.norms = nn.ModuleList([nn.LayerNorm(2)])


def test_a_module_of_ones_own_has_the_names_of_its_attributes_in_both():
    given = torch(Own())
    heads = ["heads.0.weight", "heads.0.bias", "heads.1.weight", "heads.1.bias"]
    norms = ["norms.0.weight", "norms.0.bias"]
    assert sorted(given) == sorted(["scale", "encoder.0.weight", "encoder.0.bias", *heads, *norms])
    assert given["encoder.0.weight"].shape == (2, 3)
    other = Own()
    load_torch(other, given)
    for name, value in torch(other).items():
        np.testing.assert_array_equal(value, given[name])


def test_a_layer_that_is_used_twice_has_both_names_as_in_pytorch():
    shared = nn.Dense(2, 2)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    assert list(torch(model)) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    load_torch(model, {name: np.full_like(value, 2) for name, value in torch(model).items()})
    assert shared.weight.tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"0.weight": None}, "missing '0.weight'"),
        ({"7.weight": np.zeros(3)}, "unexpected '7.weight'"),
        ({"0.weight": np.zeros((4, 5))}, r"'layers.0.weight' has shape \(5, 4\), expected \(4, 5\)"),
        ({"1.running_var": np.array(["a"] * 5)}, "'layers.1.running_var' is <U1"),
        ({"5.bias": TheirTensor(None)}, r"'5.bias' cannot be read: .*BFloat16; give \.float\(\) of it"),
    ],
)
def test_a_state_dict_of_another_model_changes_nothing(changed, message):
    model = the_same_model()
    before = model.state_dict()
    state = {name: value for name, value in (STATE | changed).items() if value is not None}
    with pytest.raises(StateError, match=message):
        load_torch(model, state)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


def test_a_whole_model_of_pytorchs_is_no_state_dict():
    with pytest.raises(StateError, match=r"expected a dict, as a PyTorch module's state_dict\(\) is, got a list"):
        load_torch(the_same_model(), [1])


def test_an_optimizer_keeps_hold_of_what_is_loaded():
    model = nn.Sequential(nn.Dense(1, 1))
    optimizer = minidl.optim.SGD(model.parameters(), lr=1.0)
    load_torch(model, {"0.weight": [[3.0]], "0.bias": [0.0]})
    model(np.ones((1, 1), "f4")).sum().backward()
    optimizer.step()
    assert model[0].weight.item() == 2
