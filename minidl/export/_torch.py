"""PyTorch's state dicts, both ways: the names, and the layout of weights, that ``torch.nn`` gives them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .. import nn
from ..errors import StateError
from ..nn._module import OWNED, members_of

_COUNT = "num_batches_tracked"  # of BatchNorm1d, which minidl's BatchNorm has no use for
_NORMS = nn.BatchNorm, nn.LayerNorm
_RENAMED = {"gamma": "weight", "beta": "bias"}  # theirs, in PyTorch


def torch(model: nn.Module) -> dict[str, np.ndarray]:
    """The values of `model` as PyTorch's model of the same layers has them in its ``state_dict()``.

    For ``net = torch.nn.Sequential(Linear, ReLU, BatchNorm1d, ...)`` with a layer for each of minidl's::

        net.load_state_dict({name: torch.from_numpy(array) for name, array in minidl.export.torch(model).items()})

    A `Sequential`'s layers are called "0", "1", ...; a Dense's weight is transposed, (out, in), a BatchNorm's gamma and
    beta are called weight and bias. Attributes of a Module of your own keep their names. What is no value is not part
    of a state dict: PyTorch's momentum of a BatchNorm1d is one minus minidl's, and eps may be another. PyTorch is not
    needed.

    Args:
        model: in any mode; it is not changed.

    Returns:
        Copies, as NumPy arrays, by name; a layer that is used twice under both of its names, as in PyTorch.
    """
    state = {}
    for name, tensor, transposed in _entries(model, ""):
        array = tensor.numpy()
        state[name] = np.array(array.T if transposed else array, order="C")
        if name.endswith("running_var"):
            state[name.removesuffix("running_var") + _COUNT] = np.array(0)
    return state


def load_torch(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Copy a PyTorch ``state_dict()`` into `model`, of the same layers, in place: the inverse of `torch`.

    Args:
        model: its parameters keep their dtypes and their backend.
        state: values by PyTorch's names: its tensors, on any device, or whatever NumPy reads as arrays, such as what
            ``safetensors.numpy.load_file`` gives.

    Raises:
        StateError: for names that only one side has, and for values that do not fit; nothing is changed then.
    """
    if not isinstance(state, Mapping):
        raise StateError(
            f"load_torch: expected a dict, as a PyTorch module's state_dict() is, got a {type(state).__name__}"
        )
    entries = list(_entries(model, ""))
    expected = {name for name, _, _ in entries}
    faults = [f"missing {name!r}" for name, _, _ in entries if name not in state]
    faults += [f"unexpected {name!r}" for name in state if name not in expected and not name.endswith(_COUNT)]
    if faults:
        raise StateError(f"load_torch: nothing was loaded into {type(model).__name__}: {'; '.join(faults)}")
    own = {id(tensor): name for kind in (nn.Parameter, nn.Buffer) for name, tensor in model.named_tensors(kind)}
    arrays = {}
    for name, tensor, transposed in entries:
        array = _array(name, state[name])
        arrays[own[id(tensor)]] = array.T if transposed else array
    model.load_state_dict(arrays)


def _entries(module: nn.Module, path: str) -> Iterator[tuple[str, Any, bool]]:
    """Each Parameter and Buffer of `module`, with its name in PyTorch, and whether it is transposed there."""
    renamed = _RENAMED if isinstance(module, _NORMS) else {}
    for name, member in members_of(module, OWNED):
        if isinstance(member, nn.Module):
            own = name.removeprefix("layers.") if isinstance(module, nn.ModuleList) else name
            yield from _entries(member, f"{path}{own}.")
        else:
            yield f"{path}{renamed.get(name, name)}", member, isinstance(module, nn.Dense) and name == "weight"


def _array(name: str, value: Any) -> np.ndarray:
    """A value of a PyTorch state dict, which may require a gradient, or be on a GPU, as a NumPy array."""
    try:
        for step in ("detach", "cpu", "numpy"):
            value = getattr(value, step, lambda same=value: same)()
        return np.asarray(value)
    except TypeError as error:  # a dtype that NumPy does not have
        raise StateError(f"load_torch: {name!r} cannot be read: {error}; give .float() of it") from error
