"""minidl: reverse-mode autodiff and deep learning that you can read, on NumPy, with CuPy by one switch."""

from . import backend, data, errors, kernels, nn, ops, optim, train
from .backend import seed, use_backend
from .ops import *  # noqa: F403 (NumPy's names, at the top)
from .sweep import gradients
from .tensor import Tensor, no_grad
from .train import load, save
from .transforms import check_grads, grad, value_and_grad

__version__ = "0.1.0"

tensor = Tensor

__all__ = [
    "Tensor",
    "backend",
    "check_grads",
    "data",
    "errors",
    "grad",
    "gradients",
    "kernels",
    "load",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "save",
    "seed",
    "tensor",
    "train",
    "use_backend",
    "value_and_grad",
    *ops.__all__,
]
