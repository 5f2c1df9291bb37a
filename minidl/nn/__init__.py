"""Layers, models, losses and initial values."""

from typing import TYPE_CHECKING, Any

from ..elsewhere import missing
from ..ops import leaky_relu, log_softmax, relu, sigmoid, softmax, softplus, tanh
from . import init
from ._activation import LeakyReLU, ReLU, Sigmoid, Softmax, Softplus, Tanh
from ._batchnorm import BatchNorm
from ._dense import Dense
from ._dropout import Dropout
from ._losses import binary_cross_entropy_with_logits, mean_squared_error, softmax_cross_entropy
from ._module import Buffer, Module, Parameter
from ._sequential import Flatten, Sequential

__all__ = [
    "BatchNorm",
    "Buffer",
    "Dense",
    "Dropout",
    "Flatten",
    "LeakyReLU",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "binary_cross_entropy_with_logits",
    "init",
    "leaky_relu",
    "log_softmax",
    "mean_squared_error",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "tanh",
]

if not TYPE_CHECKING:  # for which a name that is not there is an error anyway

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
