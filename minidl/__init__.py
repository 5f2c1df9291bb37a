"""minidl: reverse-mode autodiff and deep learning that you can read, on NumPy, with CuPy by one switch."""

from .system import early  # the first: from here on Ctrl-C ends the command without a traceback

# isort: split
import functools
import importlib
from typing import TYPE_CHECKING, Any

try:
    from . import backend, creation, elsewhere, errors, linalg, machine_code, nn, ops
    from ._debug import debug
    from .autograd import Op
    from .backend import seed, use_backend
    from .backward import gradients
    from .creation import *  # noqa: F403 (the same)
    from .dlpack import from_dlpack
    from .hardware.thread_limit import threads
    from .nn import _module
    from .ops import *  # noqa: F403 (NumPy's names, at the top)
    from .ops import namesakes
    from .recording import no_grad
    from .tensor import Tensor
    from .transforms import grad, value_and_grad

    try:
        from .kernels import cupy_nn, numpy_nn  # noqa: F401 (registers their kernels)
    except ModuleNotFoundError as missing:  # law 1: without kernels all still works, more slowly
        if missing.name != "minidl.kernels":
            raise
finally:
    early.imported()

# Imported when it is first worth loading; where the folder is not there, NumPy goes on.
machine_code.source = functools.partial(importlib.import_module, ".compiler.native.eager", __name__)
_module.predicting = functools.partial(importlib.import_module, ".train.predicting", __name__)
_module.saving = functools.partial(importlib.import_module, ".train", __name__)

if TYPE_CHECKING:
    from . import data, export, optim, parallel, plots, study, train
    from . import sklearn as sklearn
    from .batching import vmap
    from .compiler import compile
    from .derivatives import hessian, hvp, jacobian, jvp
    from .gradcheck import check_grads
    from .train import load, save

__version__ = "0.1.0"

tensor = Tensor

__all__ = [
    "Op",
    "Tensor",
    "backend",
    "check_grads",
    "compile",
    "data",
    "debug",
    "errors",
    "export",
    "from_dlpack",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "linalg",
    "load",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "parallel",
    "plots",
    "save",
    "seed",
    "study",
    "tensor",
    "threads",
    "train",
    "use_backend",
    "value_and_grad",
    "vmap",
    *creation.__all__,
    *ops.__all__,
]

_LATER = {
    "check_grads": "gradcheck",
    "compile": "compiler",
    "data": "data",
    "export": "export",
    "hessian": "derivatives",
    "hvp": "derivatives",
    "jacobian": "derivatives",
    "jvp": "derivatives",
    "load": "train",
    "optim": "optim",
    "parallel": "parallel",
    "plots": "plots",
    "save": "train",
    "study": "study",
    "sklearn": "sklearn",  # not in __all__: it needs its extra
    "train": "train",
    "vmap": "batching",
}


def __getattr__(name: str) -> Any:
    """Import what `import minidl` left for its first use: it shall cost little more than `import numpy`."""
    if name not in _LATER:
        answers = namesakes.answering(name)  # as NumPy's function does, without a gradient
        if answers is not None:
            return answers
        raise elsewhere.missing(__name__, name)
    module = importlib.import_module(f".{_LATER[name]}", __name__)
    return module if name == _LATER[name] else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
