"""Initial values: random arrays whose variance suits the layer (note B 1.9).

Every function takes `shape` (for a weight: (in, out)), `rng` (a NumPy generator; by default the
"init" stream that `minidl.seed` starts) and `dtype`, and returns a NumPy array. Draws happen on the
CPU in float64, so one seed gives one model on both backends and in every precision.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from ..arrays import DTypeLike
from ..backend import generator
from ..errors import OptionError

__all__ = ["glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "normal", "ones", "uniform", "zeros"]

Shape = tuple[int, ...]
Name: TypeAlias = Literal[
    "zeros", "ones", "normal", "uniform", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform"
]
Initialiser: TypeAlias = Name | Callable[[Shape], Any]

if TYPE_CHECKING:
    Rng = np.random.Generator | None
else:  # naming it would load numpy.random at import
    Rng = Any


def zeros(shape: Shape, rng: Rng = None, dtype: DTypeLike = np.float32) -> np.ndarray:
    """All 0: right for a bias; a weight of zeros makes all hidden units alike for ever (note B 1.9)."""
    return np.zeros(shape, dtype)


def ones(shape: Shape, rng: Rng = None, dtype: DTypeLike = np.float32) -> np.ndarray:
    """All 1."""
    return np.ones(shape, dtype)


def normal(shape: Shape, rng: Rng = None, dtype: DTypeLike = np.float32, *, std: float = 0.05) -> np.ndarray:
    """Gaussian with mean 0 and standard deviation `std`."""
    return ((rng or generator("init")).standard_normal(shape) * std).astype(dtype)


def uniform(shape: Shape, rng: Rng = None, dtype: DTypeLike = np.float32, *, limit: float = 0.05) -> np.ndarray:
    """Uniform on [-limit, limit)."""
    return (rng or generator("init")).uniform(-limit, limit, shape).astype(dtype)


def glorot_normal(
    shape: Shape, rng: Rng = None, dtype: DTypeLike = np.float32, *, truncated: bool = False
) -> np.ndarray:
    """Gaussian with σ² = 2 / (n_in + n_out): keeps the variance through tanh (Glorot & Bengio 2010; note B 1.9).

    `truncated` redraws what lies beyond 2σ and rescales to the same σ, as Keras' GlorotNormal does.
    """
    return _gaussian(shape, rng, dtype, 2 / sum(_fans(shape)), truncated)


def glorot_uniform(shape: Shape, rng: Rng = None, dtype: DTypeLike = np.float32) -> np.ndarray:
    """Uniform with σ² = 2 / (n_in + n_out), so on ±√(6 / (n_in + n_out)) (Glorot & Bengio 2010)."""
    return uniform(shape, rng, dtype, limit=np.sqrt(6 / sum(_fans(shape))))


def he_normal(shape: Shape, rng: Rng = None, dtype: DTypeLike = np.float32, *, truncated: bool = False) -> np.ndarray:
    """Gaussian with σ² = 2 / n_in: keeps the variance through ReLU (He et al. 2015; note B 1.9).

    `truncated` redraws what lies beyond 2σ and rescales to the same σ, as Keras' HeNormal does.
    """
    return _gaussian(shape, rng, dtype, 2 / _fans(shape)[0], truncated)


def he_uniform(shape: Shape, rng: Rng = None, dtype: DTypeLike = np.float32) -> np.ndarray:
    """Uniform with σ² = 2 / n_in, so on ±√(6 / n_in) (He et al. 2015)."""
    return uniform(shape, rng, dtype, limit=np.sqrt(6 / _fans(shape)[0]))


_NAMED: dict[str, Callable[..., Any]] = {name: globals()[name] for name in get_args(Name)}


def function_of(how: Initialiser, what: str) -> Callable[[Shape], Any]:
    """The initialiser of that name, or `how` itself, if it is a function; `what` it is for is named in errors.

    Raises `OptionError` for an unknown name.
    """
    if isinstance(how, str) and how not in _NAMED:
        raise OptionError(
            f"{what}: unknown initialiser {how!r}: choose one of {', '.join(_NAMED)}, or a function of the shape"
        )
    return _NAMED[how] if isinstance(how, str) else how


def initial(how: Initialiser, shape: Shape, what: str) -> np.ndarray:
    """The starting values for `what` (named in errors): `how` is a name from this module or a function of the shape.

    Raises `OptionError` for an unknown name, or for a function that returns another shape.
    """
    values = np.asarray(function_of(how, what)(shape))
    if values.shape != shape:
        raise OptionError(f"{what}: the initialiser returned shape {values.shape}, expected {shape}")
    return values.astype(np.float32) if values.dtype.kind != "f" else values


def _fans(shape: Shape) -> tuple[int, int]:
    """How many inputs and outputs a weight of `shape` (in, out) connects."""
    return (shape[0], shape[-1]) if shape else (1, 1)


def _gaussian(shape: Shape, rng: Rng, dtype: Any, variance: float, truncated: bool) -> np.ndarray:
    rng = rng or generator("init")
    values = rng.standard_normal(shape)
    if truncated:
        while (beyond := np.abs(values) > 2).any():
            values[beyond] = rng.standard_normal(int(beyond.sum()))
        values /= 0.87962566103423978  # the standard deviation of a standard normal cut off at ±2
    return (values * np.sqrt(variance)).astype(dtype)
