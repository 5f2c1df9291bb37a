"""The table that `Module.summary` shows."""

from typing import Any

import numpy as np

from ..autograd import recording
from ..errors import OptionError
from ._dense import Dense
from ._module import Buffer, Module, in_mode, title
from ._sequential import Sequential


def summary(model: Module, input_shape: tuple[int, ...] | None = None) -> str:
    """One line per layer: its name, what it is, the shape of its output for a batch of B, its parameters.

    `input_shape` is one sample's; by default it is read off the first Dense layer. The layers are run
    once on zeros, in evaluation mode, so what is shown is what happens; a parameter that several use counts at the
    first of them. Raises `OptionError` if the input's shape is not known.
    """
    layers = list(enumerate(model)) if isinstance(model, Sequential) else [(type(model).__name__, model)]
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
    rows = [("", "input", _shown(x), "")]
    counted: set[int] = set()
    with in_mode(model, training=False), recording(False):
        for name, layer in layers:
            x = layer(x)
            new = [p for p in Sequential(layer).parameters() if id(p) not in counted]
            counted |= {id(p) for p in new}
            rows.append((str(name), title(layer), _shown(x), f"{sum(p.size for p in new):,}"))
    trained = sum(p.size for p in model.parameters() if p.requires_grad)
    frozen = sum(p.size for p in model.parameters()) - trained
    buffers = sum(b.size for _, b in model.named_tensors(Buffer))
    header = ("", "layer", "output", "parameters")
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(4)]
    lines = [
        "  ".join((*(cell.ljust(w) for cell, w in zip(row[:3], widths, strict=False)), row[3].rjust(widths[3])))
        for row in [header, *rows]
    ]
    rule = "-" * len(lines[0])
    total = (
        f"{trained:,} parameters to train"
        + (f", {frozen:,} frozen" if frozen else "")
        + (f", {buffers:,} buffer values" if buffers else "")
    )
    return "\n".join([lines[0], rule, *lines[1:], rule, total])


def _shown(x: Any) -> str:
    return f"({', '.join(['B', *map(str, x.shape[1:])])})"
