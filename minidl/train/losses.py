"""Losses as `fit` and `evaluate` take them: by name, with label smoothing, on batches with weights."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from .. import nn
from ..data import Loader
from ..errors import OptionError

Loss: TypeAlias = Callable[[Any, Any], Any]

# Losses of classes, and of floating targets: what else is given for either can be meant as nothing but that.
OF_CLASSES = (nn.softmax_cross_entropy, nn.negative_log_likelihood)
OF_TARGETS = (
    nn.mean_squared_error,
    nn.mean_absolute_error,
    nn.huber,
    nn.binary_cross_entropy_with_logits,
    nn.binary_cross_entropy,
    nn.kl_divergence,
    nn.hinge,
)
_SHORT: dict[str, Any] = {
    "cross_entropy": nn.softmax_cross_entropy,
    "mse": nn.mean_squared_error,
    "mae": nn.mean_absolute_error,
    "bce_with_logits": nn.binary_cross_entropy_with_logits,
}
_BY_NAME: dict[str, Loss] = {**_SHORT, **{loss.__name__: loss for loss in (*OF_CLASSES, *OF_TARGETS)}}


def find_loss(where: str, loss: Loss | str, label_smoothing: float = 0.0) -> Loss:
    """The loss that is meant, with its labels smoothed. Raises `OptionError`, which begins with `where`."""
    if isinstance(loss, str):
        if loss not in _BY_NAME:
            raise OptionError(f"{where}: loss={loss!r}: choose one of {', '.join(_BY_NAME)}, or give a function")
        loss = _BY_NAME[loss]
    if not callable(loss):
        raise OptionError(
            f"{where}: loss must be a name such as 'mse', or a function of output and labels such as "
            f"nn.softmax_cross_entropy, got {loss!r}"
        )
    if label_smoothing:
        as_given: Any = loss
        if core(loss) is not nn.softmax_cross_entropy:
            raise OptionError(f"{where}: label_smoothing={label_smoothing!r} is for nn.softmax_cross_entropy alone")
        if not 0 <= label_smoothing <= 1:
            raise OptionError(f"{where}: label_smoothing={label_smoothing!r}: give a number from 0 to 1")
        loss = partial(as_given, label_smoothing=label_smoothing)
    return loss


def is_one_of(loss: Any, losses: tuple[Any, ...]) -> bool:
    """Whether `loss` is among `losses`, by identity: one of the user's need not have a hash, nor compare."""
    return any(loss is known for known in losses)


def core(loss: Any) -> Any:
    """The function of which `loss` is a partial: `nn.softmax_cross_entropy` with its labels smoothed, or weighted."""
    while isinstance(loss, partial):
        loss = unweighted(loss) if loss.func is _of_pair else loss.func
    return loss


def weighted(where: str, loss: Loss) -> Loss:
    """`loss` for batches that carry weights: called with the pair (labels, weights) of a `Loader`'s batch.

    Raises `OptionError` for a loss that takes none.
    """
    if isinstance(loss, partial) and loss.func is _of_pair:
        return loss
    try:
        parameters = inspect.signature(loss).parameters
    except (TypeError, ValueError):  # one that is not written in Python may take what it likes
        parameters = inspect.signature(lambda **options: None).parameters
    if "sample_weight" not in parameters and all(p.kind != p.VAR_KEYWORD for p in parameters.values()):
        raise OptionError(
            f"{where}: the samples have weights, and the loss takes none: it is called as "
            f"loss(output, labels, sample_weight=weights), as those of minidl.nn are"
        )
    return partial(_of_pair, loss)


def for_batches(where: str, loss: Loss, loader: Loader) -> Loss:
    """`loss`, for the batches of `loader`: `weighted`, if they carry weights."""
    has_weights = getattr(loader.dataset, "sample_weight", None) is not None
    return weighted(where, loss) if has_weights else loss


def unweighted(loss: Loss) -> Loss:
    """What `weighted` was given."""
    return loss.args[0] if isinstance(loss, partial) and loss.func is _of_pair else loss


def _of_pair(loss: Callable[..., Any], output: Any, labels_and_weights: Any) -> Any:
    if not isinstance(labels_and_weights, tuple):
        raise OptionError("fit: the samples have weights, and this Loader's batches(...) yields none beside the labels")
    labels, weights = labels_and_weights
    return loss(output, labels, sample_weight=weights)
