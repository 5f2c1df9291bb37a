"""Pictures of a model and of what it makes of data; each function returns a matplotlib ``Figure``.

A notebook shows it as the last line of a cell; ``plots.confusion(model, test).savefig("confusion.png")`` writes it. It
takes the extra `plot`: without matplotlib each raises `MissingExtraError`.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .backend import to_numpy
from .checks import checked_integer
from .data import Dataset, Loader
from .display.figures import INK, new_figure, style
from .errors import OptionError
from .nn import Dense, Module
from .nn._watching import watching
from .ops import log_softmax
from .ops.shape import plain
from .train import History, predict
from .train.judging import confusion_matrix, judged
from .train.learning_curve import curve

__all__ = ["activations", "confusion", "history", "mistakes", "weights"]

_SAMPLES = 1000  # of a data set, whose activations are drawn
_NARROWEST = 5.4  # inches that a figure of several pictures takes, so that its title has the room


def history(history: History) -> Any:
    """The learning curve: loss, and what else was measured, for training and validation; as ``history.plot()``.

    Args:
        history: what `fit` has returned.

    Returns:
        A figure with a panel for each.
    """
    return curve(history)


@style()
def confusion(model: Any, data: Any, labels: Any = None) -> Any:
    """What a classifier takes for what: the confusion matrix, its mistakes coloured by their share of the true class.

    Args:
        model: as in `minidl.train.confusion_matrix`.
        data: as there.
        labels: as there.

    Returns:
        A figure; with more than 20 classes it has colours alone, no numbers.
    """
    classes = judged("confusion", model, data, labels).classes
    counts = confusion_matrix(model, data, labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    figure, ((axes,),) = new_figure(width=max(4.5, 0.45 * len(classes) + 1.8), height=max(4.0, 0.42 * len(classes) + 1))
    most = shares.max() or 1
    axes.imshow(shares, cmap="Oranges", vmin=0, vmax=most)
    if len(classes) <= 20:
        for i, j in np.argwhere(counts):
            dark = shares[i, j] > 0.7 * most
            weight = "bold" if i == j else "normal"
            axes.text(
                j, i, counts[i, j], ha="center", va="center", color="white" if dark else INK, weight=weight, size=8
            )
    ticks = range(len(classes))
    upright = max(map(len, classes)) <= 3
    axes.set_xticks(ticks, classes, rotation=0 if upright else 40, ha="center" if upright else "right")
    axes.set_yticks(ticks, classes)
    axes.grid(visible=False)
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    title = f"accuracy {accuracy:.2%} of {counts.sum():,}\ncolour: the share of the true class"
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    return figure


@style()
def mistakes(model: Any, data: Any, labels: Any = None, *, count: int = 25) -> Any:
    """The misclassified pictures with the highest loss, the worst first: the true class, what was said, how surely.

    Args:
        model: a classifier of pictures.
        data: a `Dataset`, or pictures (N, H, W), (N, 3, H, W) or (N, H, W, 3), or flattened ones if they are square.
        labels: (N,) integers, where `data` are pictures alone.
        count: how many at most.

    Returns:
        A figure.

    Raises:
        OptionError: for samples that are no pictures, and as `minidl.train.confusion_matrix` does.
    """
    count = checked_integer(count, "mistakes: count", 1)
    data = data.dataset if isinstance(data, Loader) else data
    data = data if labels is None else Dataset(data, labels)
    found = judged("mistakes", model, data)
    shape = _picture_shape("mistakes", data.shape)
    probable = to_numpy(plain(log_softmax(found.outputs)))
    losses = -np.take_along_axis(probable, found.labels[:, None].astype(np.int64), axis=1)[:, 0]
    wrong = np.flatnonzero(found.predicted != found.labels)
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:count]
    figure, places = _grid(len(worst), math.isqrt(count - 1) + 1, 1.25, 1.55)
    for axes, i in zip(places, worst, strict=False):
        said = found.predicted[i]
        sure = math.exp(probable[i, said])
        picture = data.inputs[i].reshape(shape)
        axes.imshow(picture.transpose(1, 2, 0) if len(shape) == 3 and shape[0] == 3 else picture, cmap="gray_r")
        axes.set_title(f"{found.classes[found.labels[i]]}\n→ {found.classes[said]} ({sure:.0%})", size=8, loc="center")
    figure.suptitle(
        f"the worst of {len(wrong):,} mistakes in {len(data):,}: true class → predicted (how surely)",
        size=10.5,
        x=0.01,
        ha="left",
    )
    return figure


@style()
def weights(model: Module, *, shape: Sequence[int] | None = None, count: int = 36) -> Any:
    """The weights of the first Dense layer as pictures, one for each unit: red where input adds to it, blue against.

    Args:
        model: what its first layer takes are flattened pictures.
        shape: (H, W) of such a picture; square if not given.
        count: how many units at most: those whose weights are largest (by their norm), in that order.

    Returns:
        A figure, with one scale of colours for all.

    Raises:
        OptionError: there is no Dense layer, or its inputs have not that shape.
    """
    count = checked_integer(count, "weights: count", 1)
    first = next((m for _, m in model.named_modules() if isinstance(m, Dense)), None)
    if first is None:
        raise OptionError("weights: this model has no Dense layer")
    columns = first.weight.numpy().T
    shape = _picture_shape("weights", columns.shape[1:] if shape is None else shape, columns.shape[1])
    largest = np.argsort(-np.linalg.norm(columns, axis=1), kind="stable")[:count]
    limit = float(np.quantile(abs(columns[largest]), 0.995)) or 1.0
    figure, places = _grid(len(largest), math.isqrt(count - 1) + 1, 1.0, 1.15)
    for axes, unit in zip(places, largest, strict=False):
        axes.imshow(columns[unit].reshape(shape), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(f"unit {unit}", size=7.5, loc="center", pad=2)
    figure.suptitle(f"blue: weights below 0; red: above; darkest: ±{limit:.2g}", size=10.5, x=0.01, ha="left")
    return figure


@style()
def activations(model: Module, data: Any) -> Any:
    """What each layer gives for data: a histogram of its numbers, and how many of them are zero.

    Layers whose numbers are all zero are dead, and a Tanh or Sigmoid whose numbers crowd at its ends lets hardly any
    gradient through.

    Args:
        model: is run in evaluation mode.
        data: a `Dataset` or inputs, as `predict` takes them; the first 1000 samples count.

    Returns:
        A figure with a panel for each layer, in the order in which they are called.
    """
    samples = (data.dataset if isinstance(data, Loader) else data)[:_SAMPLES]
    with watching(model) as calls:
        predict(model, samples)
    shown = [call for call in calls if getattr(plain(call.output), "dtype", np.dtype(int)).kind == "f"]
    figure, places = _grid(len(shown), 4, 2.4, 1.9)
    for axes, (name, layer, output) in zip(places, shown, strict=False):
        values = to_numpy(plain(output)).ravel()
        finite = values[np.isfinite(values)]
        axes.set_axis_on()
        axes.tick_params(labelsize=8)
        axes.hist(finite, bins=40, color="#0072B2")
        kind = getattr(layer, "__name__", type(layer).__name__)
        axes.set_title(f"{name.replace('layers.', '')} {kind}".strip(), size=9)
        axes.set_yticks([])
        facts = f"mean {values.mean():.2g}, std {values.std():.2g}\n{(values == 0).mean():.0%} zeros"
        axes.set_xlabel(facts, size=8)
    return figure


def _picture_shape(where: str, shape: Sequence[int], size: int | None = None) -> tuple[int, ...]:
    """`shape`, if that is a picture's; of a flattened one a square. Raises `OptionError`."""
    shape = tuple(shape)
    if len(shape) == 1 and math.isqrt(shape[0]) ** 2 == shape[0]:
        shape = (math.isqrt(shape[0]),) * 2
    grey, colour = len(shape) == 2, len(shape) == 3 and 3 in (shape[0], shape[-1])
    if not (grey or (colour and size is None)) or (size is not None and math.prod(shape) != size):
        what = f"{size} weights a unit" if size is not None else "samples"
        remedy = "pass shape=(height, width)" if size is not None else "give the Dataset shape=(height, width)"
        raise OptionError(f"{where}: {what} of shape {shape} are no pictures: {remedy}")
    return shape


def _grid(count: int, columns: int, width: float, height: float) -> tuple[Any, list[Any]]:
    """A figure with `count` panels in rows of `columns`, of `width` by `height` inches each; and the panels."""
    columns = max(1, min(count, columns))
    rows = max(1, math.ceil(count / columns))
    larger = max(1.0, _NARROWEST / (columns * width))
    figure, places = new_figure(columns, rows, width=width * larger, height=height * larger)
    panels = list(places.flat)
    for axes in panels:
        axes.set_axis_off()
    return figure, panels
