"""The table that `Module.summary` shows, and a notebook."""

from contextlib import suppress
from typing import Any

import numpy as np

from ..autograd import recording
from ..display.tables import Shown, html_of, html_text, lines_of
from ..errors import MinidlError, OptionError
from ..overrides import HOOKS, overridden
from ._dense import Dense
from ._lazy import has_shape
from ._module import Buffer, Module, in_mode, title
from ._sequential import Sequential
from ._watching import watching

_ALIGN = "<<<>"


def summary(model: Module, input_shape: tuple[int, ...] | None = None) -> Shown:
    """One line per layer: its name, what it is, the shape of its output for a batch of B, its parameters.

    `input_shape` is one sample's; by default it is read off the first Dense layer. The model is run once on zeros, in
    evaluation mode, so what is shown is what happens, in that order; a layer with others inside, but for a
    `Sequential`, follows them. A parameter that several use counts at the first of them. Raises `OptionError` if the
    input's shape is not known.
    """
    if input_shape is None:
        dense = next((m for _, m in model.named_modules() if isinstance(m, Dense)), None)
        if dense is None or dense.in_features is None:
            raise OptionError(
                "summary: this model has no Dense layer to read its input's shape off: pass input_shape="
                if dense is None
                else f"summary: {dense!r} takes on as many inputs as it is first given: pass input_shape="
            )
        input_shape = (dense.in_features,)
    x: Any = np.zeros((2, *input_shape), np.float32)
    with in_mode(model, training=False), recording(False), watching(model) as calls:
        model(x)
    rows = [("", "layer", "output", "parameters"), ("", "input", _shape(x), "")]
    counted: set[int] = set()
    for name, layer, output in calls:
        new = [p for p in Sequential(layer).parameters() if id(p) not in counted]
        counted |= {id(p) for p in new}
        rows.append((_short(name), _one_line(layer), _shape(output), f"{sum(p.size for p in new):,}"))
    head, *lines = lines_of(rows, _ALIGN)
    rule = "-" * max(map(len, [head, *lines]))
    return Shown("\n".join([head, rule, *lines, rule, _total(model)]), html_of(rows, _ALIGN, _total(model)))


def html(model: Module) -> str:
    """The summary for a notebook. To be shown changes nothing: code that is not minidl's own is not run."""
    if not has_shape(model):
        return html_text(repr(model))
    modules = list(model.named_modules())
    if not any(_of_the_user(module) for _, module in modules):
        with suppress(MinidlError):
            return summary(model).html
    rows = [("", "layer", "parameters")]
    for name, module in modules:
        own = [parameter for path, parameter in module.named_parameters() if "." not in path]
        if own or not module.children():
            rows.append((_short(name), _one_line(module), f"{sum(p.size for p in own):,}"))
    return html_of(rows, "<<>", _total(model))


def _of_the_user(module: Module) -> bool:
    functions = isinstance(module, Sequential) and not all(isinstance(layer, Module) for layer in module)
    return functions or overridden(module, "forward", "__call__", HOOKS) is not None


def _total(model: Module) -> str:
    """How many numbers are trained, and how many are not."""
    trained = sum(p.size for p in model.parameters() if p.requires_grad)
    frozen = sum(p.size for p in model.parameters()) - trained
    buffers = sum(b.size for _, b in model.named_tensors(Buffer))
    return (
        f"{trained:,} parameters to train"
        + (f", {frozen:,} frozen" if frozen else "")
        + (f", {buffers:,} buffer values" if buffers else "")
    )


def _short(name: str) -> str:
    """A layer's name without what all those of a `Sequential` have in it."""
    return ".".join(part for part in name.split(".") if part != "layers")


def _one_line(layer: Any) -> str:
    """What a layer is: of one with others inside, which have lines of their own, the class."""
    text = title(layer)
    return type(layer).__name__ if "\n" in text else text


def _shape(output: Any) -> str:
    shape = getattr(output, "shape", None)
    return type(output).__name__ if shape is None else f"({', '.join(['B', *map(str, shape[1:])])})"
