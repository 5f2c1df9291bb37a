"""Every exception that a user of minidl can meet.

Each one is also the built-in exception that a Python or NumPy user would expect in its
place, so ``except ValueError`` keeps working. A message says what was wrong, where, and
how to fix it.
"""

from typing import Any

import numpy as np

__all__ = [
    "BackendError",
    "DTypeError",
    "DataError",
    "DeviceMemoryError",
    "GradientError",
    "GuardWarning",
    "LabelError",
    "LinAlgError",
    "MinidlError",
    "MissingExtraError",
    "MixedBackendError",
    "NonFiniteError",
    "OptionError",
    "ShapeError",
    "StateError",
    "TrainingInterrupted",
    "UnknownNameError",
    "UnsupportedError",
    "WriteError",
]


class MinidlError(Exception):
    """Base of them all: ``except minidl.errors.MinidlError`` catches whatever minidl raises."""


class ShapeError(MinidlError, ValueError):
    """Arrays whose shapes do not fit the operation or the layer."""


class DTypeError(MinidlError, TypeError):
    """A dtype that the operation does not take (an integer that should carry a gradient, say)."""


class GradientError(MinidlError, RuntimeError):
    """``backward`` or ``gradients`` asked for something that the recorded graph cannot give."""


class BackendError(MinidlError, RuntimeError):
    """A backend that does not exist, is not installed, or has no device to run on."""


class MixedBackendError(BackendError, TypeError):
    """Arrays of two backends met in one operation; nothing is moved silently."""


class DeviceMemoryError(MinidlError, MemoryError):
    """An operation wanted more memory than there is left, on the GPU or on the CPU."""


class UnsupportedError(MinidlError, TypeError):
    """A NumPy function or option that minidl does not implement for Tensors."""


class NonFiniteError(MinidlError, FloatingPointError):
    """A number that is infinite or NaN came up: while `minidl.debug` was watching, or in `fit`."""

    history: Any = None  # of `fit`: the epochs before


class LinAlgError(MinidlError, np.linalg.LinAlgError):
    """A matrix that has no inverse, no Cholesky factor, or no decomposition, where one was asked for."""


class TrainingInterrupted(KeyboardInterrupt):  # no MinidlError: ``except Exception`` must not catch Ctrl-C
    """Ctrl-C in `fit`. Model and optimizer are as after the last update; what was measured is in `history`."""

    def __init__(self, message: str, history: Any = None) -> None:
        super().__init__(message)
        self.history = history  # of the epochs that have ended

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: no traceback, since nothing is wrong."""
        return [f"{type(self).__name__}: {self}"]


class LabelError(MinidlError, ValueError):
    """Class labels that are out of range, of the wrong dtype, or one-hot by mistake."""


class OptionError(MinidlError, ValueError):
    """An argument (a hyperparameter, a size, a name) outside what is allowed."""


class StateError(MinidlError, ValueError):
    """A state dict that does not fit what it is loaded into, or something that cannot be done yet, or now."""


class DataError(MinidlError, ValueError):
    """Data that are missing, malformed, or not what they claim to be: in a file, a data set, or a loss."""


class WriteError(MinidlError, OSError):
    """A file or folder that cannot be written: the disk is full, the folder read-only or in use."""


class MissingExtraError(MinidlError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class UnknownNameError(MinidlError, KeyError):
    """A name that is not among those that are there; the message lists them."""

    __str__ = Exception.__str__  # ``KeyError`` would show the message as it is written in Python


class GuardWarning(UserWarning):
    """A likely mistake that raises nothing by itself; the message begins with its code, see docs/guards.md."""
