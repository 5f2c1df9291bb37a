"""Checks before the first step."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import nn
from ...backend import Array, to_numpy
from ...data import Loader
from ...errors import LabelError, OptionError, ShapeError
from ...guards import warn
from ...nn._effects import ForwardEffects
from ...nn._loss_checks import check_range
from ...nn._module import in_mode
from ...ops.shape import plain
from ..callbacks import Run
from ..losses import core
from .curvature import curvatures, leaves

SAMPLES = 64
LARGEST = 1_000_000  # parameters, up to which the curvature is quick to compute
ITERATIONS = 5  # for the curvature: the first is too low by a factor of about 5, the third by one of 1.5
MARGIN = 8  # the largest curvature is certainly less than so many times an estimate of it
JUMP = 3  # times the stability limit: up to there a network may yet find to where it is flatter


def check_optimizer(model: nn.Module, optimizer: Any) -> None:
    """Raise `OptionError` if `optimizer` holds none of the model's parameters: nothing would be trained."""
    wanted, held = model.parameters(), _held(optimizer)
    if wanted and held and held.isdisjoint(map(id, wanted)):
        raise OptionError(
            f"fit: the optimizer holds {len(held)} parameters, and none of them is among the model's {len(wanted)}: it "
            f"was made for another model (or for this one, before that was made anew); make one with model.parameters()"
        )


def _held(optimizer: Any) -> set[int]:
    """The ids of the parameters that an optimizer updates; empty for an object without parameters."""
    return set(map(id, getattr(optimizer, "parameters", ())))


def look(run: Run, loader: Loader, loss: Callable[[Any, Any], Any]) -> float:
    """Run all checks of this file; returns the loss at the start, in evaluation mode."""
    batch_of_one(run, loader)
    left_out(run.model, run.optimizer)
    x, y = loader.sample(SAMPLES)
    wider_inputs(run.model, x)
    pixels(x)
    alike_units(run.model)
    with in_mode(run.model, training=False):
        output = run.model(x)
        if core(loss) is nn.softmax_cross_entropy and loader.dataset.classes:
            labels_from_one(loader, output)
        value = loss(output, y)  # the loss has a guard of its own, for a softmax before it
    learning_rate(run, loss, x, y)
    return float(plain(value))


def batch_of_one(run: Run, loader: Loader) -> None:
    """MDL009: BatchNorm will meet a batch of one, at the end of the epoch if not before. Raises `ShapeError`."""
    total, size = len(loader.dataset), loader.batch_size
    last = size if loader.drop_last else total % size or size
    layer = next((m for _, m in run.model.named_modules() if isinstance(m, nn.BatchNorm)), None)
    if layer is not None and last == 1:
        what = f"the last of the {len(loader)} batches holds" if size > 1 else "batches hold"
        fix = (
            f"another batch_size, or Loader(data, {size}, drop_last=True)" if size > 1 else "a batch_size of at least 2"
        )
        raise ShapeError(
            f"MDL009: {what} one sample, which has no variance for {layer!r} to normalise by: give fit {fix}"
        )


def left_out(model: nn.Module, optimizer: Any) -> None:
    """MDL014: parameters that want a gradient, and that the optimizer does not hold."""
    held = _held(optimizer)
    lacking = [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in held]
    if held and lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        warn(
            "MDL014",
            f"the optimizer does not hold {', '.join(lacking[:3])}{more}, so training leaves them as they are: make "
            f"it with model.parameters(); if that is meant, say so by p.requires_grad = False, which saves time",
        )


def wider_inputs(model: nn.Module, x: Array) -> None:
    """MDL013: inputs of a wider dtype than all parameters make everything be computed in that."""
    widest = max((p.dtype for p in model.parameters()), key=lambda dtype: dtype.itemsize, default=x.dtype)
    if x.dtype.kind == "f" and x.dtype.itemsize > widest.itemsize:
        warn(
            "MDL013",
            f"the inputs are {x.dtype} and the model is {widest}, so all is computed in {x.dtype}, in about twice the "
            f"time, and none of the gain is kept: give fit inputs.astype(np.{widest})",
        )


def pixels(x: Array) -> None:
    """MDL010: floating inputs that look like pixels, 0 to 255."""
    values = to_numpy(x).reshape(len(x), -1)
    if values.shape[1] >= 16 and 127 < values.max() <= 255 and values.min() >= 0 and (values == np.rint(values)).all():
        warn(
            "MDL010",
            f"the inputs are whole numbers from {values.min():g} to {values.max():g}, like unscaled pixels: "
            f"divide them by 255, or keep them as uint8, which Loader scales itself",
        )


def alike_units(model: nn.Module) -> None:
    """MDL005: the units of a hidden layer start alike, get the same gradient, and stay alike for ever (note B 1.9)."""
    dense = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Dense)]
    for name, layer in dense[:-1]:
        weight = to_numpy(layer.weight.data)
        if layer.out_features > 1 and bool((weight == weight[:, :1]).all()):
            zeros = "all weights are zero" if not weight.any() else "all units have the same weights"
            warn(
                "MDL005",
                f"{name}, {layer!r}: {zeros}, so that all its units will always be alike: give it random ones, "
                f'weight_init="he_normal"',
            )


def labels_from_one(loader: Loader, output: Any) -> None:
    """MDL011: classes numbered from 1. Raises `LabelError` if one is beyond the model's `output`, before it is met."""
    labels, classes = loader.dataset.labels, output.shape[-1]
    smallest, largest = int(labels.min()), int(labels.max())
    labels_and_outputs = (
        f"the labels go from {smallest} to {largest}, and the model has {classes} outputs, for classes 0 to"
    )
    if smallest == 1 and largest == classes > 1:
        raise LabelError(
            f"MDL011: {labels_and_outputs} {classes - 1}: number the classes from 0: Dataset(inputs, labels - 1)",
        )
    check_range(labels, classes)
    if smallest == 1 and largest == classes - 1 > 1 and len(np.unique(labels)) == largest:
        warn(
            "MDL011",
            f"{labels_and_outputs} {largest}: class 0 never occurs; if the labels are numbered from 1, give fit "
            f"Dataset(inputs, labels - 1) and a model with {largest} outputs",
        )


def learning_rate(run: Run, loss: Callable[[Any, Any], Any], x: Array, y: Array) -> None:
    """MDL008: the learning rate is far past where the rule is stable.

    Along an eigenvector of the loss's Hessian, with eigenvalue λ, a step of gradient descent multiplies the error by
    1 - lr λ, which grows if lr > 2 / λ; with momentum β, if lr > 2 (1 + β) / λ (Goh 2017). A network often survives
    more, by a jump to where the loss is flatter (twice as much: Lewkowycz et al. 2020; three times, as seen here on
    MNIST), so this speaks up beyond: where the rule leaves a quadratic function with a third of the largest λ.
    Adaptive rules never leave one. Networks with BatchNorm stand much more, and are not looked at.
    """
    optimizer = run.optimizer
    rule, lr = optimizer.at(optimizer.t + 1)
    parameters = [p for p in run.model.parameters() if p.requires_grad]
    normed = any(isinstance(m, nn.BatchNorm) for _, m in run.model.named_modules())
    if normed or not 0 < sum(p.size for p in parameters) <= LARGEST or not leaves(rule, lr, 1e6 / max(lr, 1e-9), 9):
        return
    effects = ForwardEffects(run.model)
    with in_mode(run.model, training=True):
        half = tuple(part[::2] for part in y) if isinstance(y, tuple) else y[::2]  # labels, and their weights perhaps
        for found in curvatures(lambda: loss(run.model(x[::2]), half), parameters, ITERATIONS):
            if leaves(rule, lr, found / JUMP):
                stable = lr
                while leaves(rule, stable, found):
                    stable /= 2
                warn(
                    "MDL008",
                    f"lr {lr:g} is far too large for {rule.name} here: the loss's largest curvature is {found:.3g}, "
                    f"and each step would overshoot by more than the last; below {stable:.2g} it would not",
                )
                break
            if not leaves(rule, lr, MARGIN * found):
                break
    effects.restore()
