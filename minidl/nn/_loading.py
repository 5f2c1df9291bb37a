"""What `Module.load_state_dict` checks before it writes: every value, converted to what is to hold it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..backend import Array, to_backend, to_numpy
from ..errors import StateError
from ..ops.shape import plain


def converted(where: str, own: Mapping[str, Any], state: Any, strict: bool) -> list[tuple[Any, Array]]:
    """Each of the Tensors in `own` that `state` has a value for, with that value: its own copy, dtype and backend.

    Raises `StateError`, which begins with `where` and lists all that is wrong; names that only one side has are wrong
    if `strict`.
    """
    if not isinstance(state, Mapping):
        raise StateError(f"{where}: expected a dict of arrays, as state_dict() gives, got a {type(state).__name__}")
    faults = [f"missing {name!r}" for name in own if name not in state] if strict else []
    faults += [f"unexpected {name!r}" for name in state if name not in own] if strict else []
    found = []
    for name, tensor in own.items():
        if name in state:
            value, fault = _cast(state[name], tensor.data)
            found.append((tensor, value))
            faults += [f"{name!r} {fault}"] if fault else []
    if faults:
        raise StateError(f"{where}: {'; '.join(faults)}")
    return [(tensor, to_backend(value, tensor.backend)) for tensor, value in found]


def _cast(given: Any, like: Array) -> tuple[Any, str | None]:
    """`given` as a NumPy array of its own in the dtype of `like`, and why that cannot be, if it cannot."""
    try:
        value = to_numpy(plain(given)) if hasattr(given, "dtype") else np.asarray(given)
    except ValueError:
        return None, "is nested lists of different lengths"
    if value.shape != like.shape:
        return None, f"has shape {value.shape}, expected {like.shape}"
    if value.dtype.kind not in "fiub":
        return None, f"is {value.dtype}, expected real numbers, for {like.dtype}"
    if not getattr(like.flags, "writeable", True):
        return None, "would be written into an array that is read-only"
    with np.errstate(all="ignore"):
        # Rounding is allowed, overflow is not; infinity and NaN may stay what they were.
        cast = value.astype(like.dtype)
        kept = np.isfinite(cast) | ~np.isfinite(value) if like.dtype.kind == "f" else cast == value
    if not kept.all():
        return None, f"holds {value[~kept][0]}, which {like.dtype} cannot hold"
    return cast, None
