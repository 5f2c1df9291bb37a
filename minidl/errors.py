"""Every exception that a user of minidl can meet.

Each one is also the built-in exception that a Python or NumPy user would expect in its
place, so ``except ValueError`` keeps working. A message says what was wrong, where, and
how to mend it.
"""


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


class UnsupportedError(MinidlError, TypeError):
    """A NumPy function or option that minidl does not implement for Tensors."""


class LabelError(MinidlError, ValueError):
    """Class labels that are out of range, of the wrong dtype, or one-hot by mistake."""


class OptionError(MinidlError, ValueError):
    """An argument (a hyperparameter, a size, a name) outside what is allowed."""


class StateError(MinidlError, ValueError):
    """A state dict that does not fit the model or optimizer it is loaded into."""


class DataError(MinidlError, ValueError):
    """A data file that is missing, malformed, or not the one it claims to be."""


class MissingExtraError(MinidlError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""
