"""Layers, models, losses and initial values."""

from typing import TYPE_CHECKING, Any

from ..elsewhere import missing
from ..ops import elu, gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, softplus, tanh
from . import init
from ._activation import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from ._batchnorm import BatchNorm
from ._dense import Dense
from ._dropout import Dropout
from ._flatten import Flatten, Identity
from ._layernorm import LayerNorm
from ._losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    hinge,
    huber,
    kl_divergence,
    mean_absolute_error,
    mean_squared_error,
    negative_log_likelihood,
    softmax_cross_entropy,
)
from ._module import Buffer, Module, Parameter
from ._module_list import ModuleList
from ._sequential import Residual, Sequential

__all__ = [
    "ELU",
    "GELU",
    "BatchNorm",
    "Buffer",
    "Dense",
    "Dropout",
    "Flatten",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "elu",
    "gelu",
    "hinge",
    "huber",
    "init",
    "kl_divergence",
    "leaky_relu",
    "log_softmax",
    "mean_absolute_error",
    "mean_squared_error",
    "negative_log_likelihood",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "tanh",
]

if not TYPE_CHECKING:  # for which a name that is not there is an error anyway

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
