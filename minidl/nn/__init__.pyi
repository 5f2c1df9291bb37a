# Written by tests/support/make_stubs.py.

from typing import overload

from ..arrays import Array, ArrayLike
from ..ops.nn import Reduction
from ..tensor import Tensor
from ._activation import ELU as ELU
from ._activation import GELU as GELU
from ._batchnorm import BatchNorm as BatchNorm
from ._module import Buffer as Buffer
from ._dense import Dense as Dense
from ._dropout import Dropout as Dropout
from ._flatten import Flatten as Flatten
from ._flatten import Identity as Identity
from ._layernorm import LayerNorm as LayerNorm
from ._activation import LeakyReLU as LeakyReLU
from ._module import Module as Module
from ._module_list import ModuleList as ModuleList
from ._module import Parameter as Parameter
from ._activation import ReLU as ReLU
from ._sequential import Residual as Residual
from ._sequential import Sequential as Sequential
from ._activation import SiLU as SiLU
from ._activation import Sigmoid as Sigmoid
from ._activation import Softmax as Softmax
from ._activation import Softplus as Softplus
from ._activation import Tanh as Tanh
from ..ops import elu as elu
from ..ops import gelu as gelu
from . import init as init
from ..ops import leaky_relu as leaky_relu
from ..ops import log_softmax as log_softmax
from ..ops import relu as relu
from ..ops import sigmoid as sigmoid
from ..ops import silu as silu
from ..ops import softmax as softmax
from ..ops import softplus as softplus
from ..ops import tanh as tanh

__all__: list[str] = [
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

@overload
def binary_cross_entropy(probabilities: Tensor, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def binary_cross_entropy(probabilities: ArrayLike, target: Tensor, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def binary_cross_entropy(probabilities: ArrayLike, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Array: ...
@overload
def binary_cross_entropy_with_logits(logits: Tensor, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def binary_cross_entropy_with_logits(logits: ArrayLike, target: Tensor, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def binary_cross_entropy_with_logits(logits: ArrayLike, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Array: ...
@overload
def hinge(prediction: Tensor, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def hinge(prediction: ArrayLike, target: Tensor, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def hinge(prediction: ArrayLike, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Array: ...
@overload
def huber(prediction: Tensor, target: ArrayLike, reduction: Reduction='mean', *, delta: float=1.0, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def huber(prediction: ArrayLike, target: Tensor, reduction: Reduction='mean', *, delta: float=1.0, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def huber(prediction: ArrayLike, target: ArrayLike, reduction: Reduction='mean', *, delta: float=1.0, sample_weight: ArrayLike | None=None) -> Array: ...
@overload
def kl_divergence(log_probabilities: Tensor, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def kl_divergence(log_probabilities: ArrayLike, target: Tensor, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def kl_divergence(log_probabilities: ArrayLike, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Array: ...
@overload
def mean_absolute_error(prediction: Tensor, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def mean_absolute_error(prediction: ArrayLike, target: Tensor, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def mean_absolute_error(prediction: ArrayLike, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Array: ...
@overload
def mean_squared_error(prediction: Tensor, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def mean_squared_error(prediction: ArrayLike, target: Tensor, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def mean_squared_error(prediction: ArrayLike, target: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Array: ...
@overload
def negative_log_likelihood(log_probabilities: Tensor, labels: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def negative_log_likelihood(log_probabilities: ArrayLike, labels: ArrayLike, reduction: Reduction='mean', *, sample_weight: ArrayLike | None=None) -> Array: ...
@overload
def softmax_cross_entropy(logits: Tensor, labels: ArrayLike, reduction: Reduction='mean', *, label_smoothing: float=0.0, sample_weight: ArrayLike | None=None) -> Tensor: ...
@overload
def softmax_cross_entropy(logits: ArrayLike, labels: ArrayLike, reduction: Reduction='mean', *, label_smoothing: float=0.0, sample_weight: ArrayLike | None=None) -> Array: ...
