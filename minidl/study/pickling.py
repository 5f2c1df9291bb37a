"""The train function on its way to workers: by name from its module, or whole from a script or notebook."""

import functools
import importlib.util
import io
from collections.abc import Callable
from typing import Any

from ..errors import StateError
from ..system.extras import missing_extra

_CACHED: Any = type(functools.cache(len))  # what functools.cache and lru_cache make


def pickled(function: Callable[..., Any]) -> bytes:
    """`function`, as ``pickle.loads`` takes it.

    What is in a script or notebook goes along by value, cached functions as well, which pickle knows by name only.
    Raises `StateError` if it holds what cannot be sent, `MissingExtraError` without cloudpickle, which loky brings.
    """
    try:
        import cloudpickle
    except ImportError as error:
        raise missing_extra("sweeps and studies need loky", "cloudpickle", "study", error) from error

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc] # it has no annotations
        def reducer_override(self, found: Any) -> Any:
            if isinstance(found, _CACHED) and not _importable(found.__module__):
                return _cached, (found.__wrapped__, found.cache_parameters())
            return super().reducer_override(found)

    file = io.BytesIO()
    try:
        Pickler(file).dump(function)
    except Exception as error:
        raise StateError(
            f"Study: train={function!r} cannot be sent to workers ({error}): let it open files and the like itself"
        ) from error
    return file.getvalue()


def _importable(module: str) -> bool:
    """Whether another process can import it."""
    try:
        return module != "__main__" and importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _cached(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)
