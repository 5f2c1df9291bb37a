"""Batch normalisation (Ioffe & Szegedy 2015; note B 1.10)."""

import operator
import warnings
from typing import Any

import numpy as np

from .. import hooks
from ..autograd import recording
from ..backend import backend_of, current_backend, registry
from ..checks import checked_integer
from ..errors import DataError, GuardWarning, OptionError, ShapeError
from ..graph import saved
from ..guards import mark_evaluation, warn_if_untracked_training
from ..ops import batch_norm, sqrt
from ..overrides import overridden
from ._dense import misfit
from ._module import Buffer, Module, Parameter, arrayed, in_mode
from ._shared_batch import shared_batch
from ._shared_norm import Statistics, batch_norm_across


class BatchNorm(Module):
    """y = gamma * (x - μ) / √(σ² + eps) + beta, feature by feature, for x of shape (batch, num_features).

    In training μ and σ² are the batch's mean and (biased) variance, and the running statistics follow::

        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var  = momentum * running_var  + (1 - momentum) * unbiased variance

    In evaluation mode (``model.eval()``) the running statistics are used instead. `momentum` is the weight of
    the *old* value (PyTorch's is that of the new one). Dense-BatchNorm-ReLU and Dense-ReLU-BatchNorm are both
    common; note B shows both.

    Args:
        num_features: the number of columns of x.
        eps: keeps the square root away from zero.
        momentum: the weight of the old value in the running statistics, in [0, 1].
        sync: where several processes share a batch (``fit(parallel=)``), whether the statistics are those of the
            whole batch; if not, each process normalises its part by itself, and the running statistics are averaged.

    Raises:
        OptionError: for num_features below 1, eps <= 0, or a momentum outside [0, 1].
        ShapeError: in a call, for an input that does not fit, and for a training batch of one, whose variance
            is zero.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.9, sync: bool = True) -> None:
        if not eps > 0:
            raise OptionError(f"BatchNorm: eps must be above 0, got {eps!r}")
        if not 0 <= momentum <= 1:
            raise OptionError(f"BatchNorm: momentum must be in [0, 1], got {momentum!r}")
        self.num_features = checked_integer(num_features, "BatchNorm: num_features", 1)
        self.eps, self.momentum, self.sync = eps, momentum, sync
        ones, zeros = np.ones(num_features, np.float32), np.zeros(num_features, np.float32)
        backend = current_backend()
        self.gamma = Parameter(ones.copy(), backend=backend)
        self.beta = Parameter(zeros.copy(), backend=backend)
        self.running_mean = Buffer(zeros.copy(), backend=backend)
        self.running_var = Buffer(ones.copy(), backend=backend)

    def forward(self, x: Any) -> Any:
        """Normalise x, (batch, num_features), by the batch's statistics in training, else by the running ones."""
        x = arrayed(x)
        if x.ndim != 2 or x.shape[1] != self.num_features:
            raise misfit(self, tuple(x.shape), self.num_features)
        if not self.training:
            scale = self.gamma / sqrt(self.running_var + self.eps)
            return mark_evaluation(x * scale + (self.beta - self.running_mean * scale), self)
        warn_if_untracked_training(self)
        shared = shared_batch() if self.sync else None
        if (len(x) if shared is None else shared.total) < 2:
            raise ShapeError(
                f"{self!r}: a training batch of {len(x)} has no variance to normalise by: use a larger batch_size, "
                f"drop_last=True if this is the remainder of an epoch, or model.eval() if this is not training"
            )
        if shared is not None:
            into = Statistics()
            y = batch_norm_across(x, self.gamma, self.beta, eps=self.eps, shared=shared, into=into)
            self._follow(self.running_mean, into.mean)
            self._follow(self.running_var, into.variance)
            return y
        values = getattr(x, "data", x) if not isinstance(x, np.ndarray) else x
        if hooks.watcher is not None or overridden(self, "_follow") is not None:
            self._follow_batch(values)  # who watches sees all that is written
            return batch_norm(x, self.gamma, self.beta, eps=self.eps)
        y = batch_norm(x, self.gamma, self.beta, eps=self.eps)
        if not self._followed_by_kernel(values, saved(y)):
            self._follow_batch(values)
        return y

    def _follow_batch(self, values: Any) -> None:
        """Let the running statistics follow the batch `values`."""
        near_zero = values - values[0]  # so that the mean keeps its digits whatever the values' offset
        self._follow(self.running_mean, near_zero.mean(axis=0) + values[0])
        self._follow(self.running_var, near_zero.var(axis=0, ddof=1))

    def _followed_by_kernel(self, values: Any, found: Any) -> bool:
        """Whether a kernel has made them follow, to the same bits; `found`: what the op's own kernel has kept."""
        backend, mean, variance = backend_of(values), self.running_mean, self.running_var
        statistics, follow = (registry.get((name, backend)) for name in ("batch statistics", "follow"))
        if statistics is not None and found is not None:
            for running, batch in zip((mean, variance), statistics(found), strict=True):
                self._follow(running, batch)
            return True
        done: bool = follow is not None and follow(mean.data, variance.data, values, self.momentum)
        if done:
            mean.changed()
            variance.changed()
        return done

    def _follow(self, running: Buffer, batch: Any) -> None:
        hooks.write(operator.setitem, running.data, ..., self.momentum * running.data + (1 - self.momentum) * batch)
        running.changed()

    def config(self) -> dict[str, Any]:
        """num_features, eps, momentum; sync if that is off."""
        local = {} if self.sync else {"sync": False}
        return {"num_features": self.num_features, "eps": self.eps, "momentum": self.momentum, **local}


def estimate_statistics(model: Module, loader: Any) -> None:
    """Replace the running statistics of every BatchNorm in `model` by their averages over `loader`.

    One pass, nothing is trained: each batch (x, y) counts by its size, Dropout is off. This is how note B
    (1.10.2) saves μ and σ at the end of training. Raises `DataError` if `loader` yields nothing.
    """
    layers = [module for _, module in model.named_modules() if isinstance(module, BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    seen = 0
    try:
        with in_mode(model, training=False), recording(False), warnings.catch_warnings():
            warnings.simplefilter("ignore", GuardWarning)  # in training mode on purpose
            for layer in layers:
                layer.training = True
            for x, _ in loader:
                for layer in layers:
                    layer.momentum = seen / (seen + len(x))  # the running value becomes the mean of all so far
                model(x)
                seen += len(x)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if not seen:
        raise DataError("estimate_statistics: the loader yielded no batch")
