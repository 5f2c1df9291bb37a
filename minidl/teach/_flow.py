"""How activations and gradients flow through a model: layer by layer, now and over a training."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import recording
from ..backend import to_numpy
from ..backward import gradients
from ..data import Dataset, Loader
from ..display.figures import INK, new_figure, style
from ..display.tables import lines_of
from ..errors import OptionError
from ..nn import Module, ReLU, softmax_cross_entropy
from ..nn._effects import ForwardEffects
from ..nn._module import in_mode
from ..nn._watching import Called, watching
from ..ops.shape import plain
from ..tensor import Tensor
from ..train import Callback, Run
from ..train.losses import for_batches
from .plots import legend_below

SAMPLES = 256
COLUMNS = {
    "mean": "mean",
    "spread": "spread",
    "dead": "dead",
    "gradient": "gradient",
    "weight": "|w|",
    "weight_gradient": "|dL/dw|",
    "update": "|step|/|w|",
}


class Flow(Callback):
    """What `flow` measures, now or, as a callback of `fit`, every so many updates.

    `rows` are dicts: step (updates made), layer, mean and spread (standard deviation) of its result, dead (the share of
    a ReLU's units that are 0 for every sample), gradient (root mean square of the loss's gradient with respect to its
    result), and where it has a weight: weight and weight_gradient (root mean squares), update (the norm of the next
    update's change of the weight, relative to the weight's; only as a callback). What there is not is None.
    """

    def __init__(
        self,
        data: Dataset | Loader,
        every: int = 100,
        loss: Callable[[Any, Any], Any] = softmax_cross_entropy,
        samples: int = SAMPLES,
    ) -> None:
        if not isinstance(data, Dataset | Loader):
            raise OptionError(f"flow: expected a Dataset or a Loader, got a {type(data).__name__}")
        loader = data if isinstance(data, Loader) else Loader(data, "full", shuffle=False)
        self.every, self.rows = every, list[dict[str, Any]]()
        self._batch, self._loss = loader.sample(samples), for_batches("flow", loss, loader)
        self._before: dict[str, np.ndarray] | None = None  # the weights, at the last measurement

    def interval(self, run: Run) -> int:
        """The updates until the next measurement, or to the update after it."""
        return 1 if self._before is not None else self.every - run.step % self.every

    def on_start(self, run: Run) -> None:
        """Measure before the first update."""
        self.on_pause(run)

    def on_pause(self, run: Run) -> None:
        """Measure, if it is time; or see what the update after a measurement has done."""
        if self._before is not None:
            self._note_update(run.model)
        elif run.step % self.every == 0 and not any(row["step"] == run.step for row in self.rows):
            run.verify()
            self.measure(run.model, run.step)
            self._before = _weights(run.model)

    def measure(self, model: Module, step: int = 0) -> None:
        """Append a row for each layer of `model`, as it is now. The model is left as it was."""
        with watching(model) as calls, np.errstate(all="ignore"):
            found = _measured(model, calls, self._batch, self._loss)
        self.rows += [{"step": step, **row} for row in found]

    def _note_update(self, model: Module) -> None:
        """Write what an update has changed into the rows of the measurement before it."""
        before, now = self._before or {}, _weights(model)
        last = self.rows[-1]["step"]
        for row in self.rows:
            if row["step"] == last and row["layer"] in before:
                old = before[row["layer"]]
                row["update"] = float(np.linalg.norm(now[row["layer"]] - old) / (np.linalg.norm(old) or 1))
        self._before = None

    def text(self) -> str:
        """The last measurement, a line per layer."""
        last = [row for row in self.rows if row["step"] == self.rows[-1]["step"]]
        table = [["layer", *COLUMNS.values()]]
        table += [[row["layer"], *(_shown(name, row[name]) for name in COLUMNS)] for row in last]
        return "\n".join(lines_of(table, "<" + ">" * len(COLUMNS)))

    def plot(self) -> Any:
        """A matplotlib figure: by layer if there is one measurement, else over the steps.

        Raises `MissingExtraError` without matplotlib.
        """
        with style():
            return _drawn(self.rows)

    def __str__(self) -> str:
        return self.text()


def flow(
    model: Module,
    data: Dataset | Loader,
    loss: Callable[[Any, Any], Any] = softmax_cross_entropy,
    samples: int = SAMPLES,
) -> Flow:
    """How activations and gradients flow through `model` on `data`, layer by layer: ``print(flow(model, data))``.

    The model is looked at in training mode, on up to `samples` samples from all over the data, and left as it was.
    `Flow` as a callback of `fit` measures every so many updates.

    Raises `OptionError` for what is no data set.
    """
    found = Flow(data, 1, loss, samples)
    found.measure(model)
    return found


def _results(calls: list[Called]) -> dict[str, Tensor]:
    """What the innermost layers gave, by name."""
    inner = [call for call in calls if isinstance(call.layer, Module) and not call.layer.children()]
    return {call.name or "model": call.output for call in inner if isinstance(call.output, Tensor)}


def _measured(model: Module, calls: list[Called], batch: tuple[Any, Any], loss: Any) -> list[dict[str, Any]]:
    effects = ForwardEffects(model)
    try:
        with in_mode(model, training=True), recording(True):
            value = loss(model(batch[0]), batch[1])
            results = _results(calls)
            parts = [t for t in results.values() if t.requires_grad]
            weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
            found = gradients(value, [*parts, *weights.values()])
    finally:
        effects.restore()
    by_result = dict(zip(map(id, parts), found, strict=False))
    by_weight = dict(zip(weights, found[len(parts) :], strict=True))
    modules = dict(model.named_modules())
    rows = []
    for name, result in results.items():
        numbers = to_numpy(plain(result))
        module = modules["" if name == "model" else name]
        weight = f"{name}.weight" if name != "model" else "weight"
        held = plain(weights[weight]) if weight in weights else None
        rows.append(
            {
                "layer": name,
                "mean": float(numbers.mean()),
                "spread": float(numbers.std()),
                "dead": float((numbers == 0).all(axis=0).mean()) if isinstance(module, ReLU) else None,
                "gradient": _size(by_result[id(result)]) if id(result) in by_result else None,
                "weight": None if held is None else _size(held),
                "weight_gradient": None if held is None else _size(by_weight[weight]),
                "update": None,
            }
        )
    return rows


def _weights(model: Module) -> dict[str, np.ndarray]:
    """Copies of the weights, by their layer's name."""
    parameters = model.named_parameters()
    return {
        name.rpartition(".")[0] or "model": to_numpy(plain(p)).copy()
        for name, p in parameters
        if name.rpartition(".")[2] == "weight"
    }


def _size(array: Any) -> float:
    """The root mean square."""
    numbers = to_numpy(plain(array)).astype(np.float64)
    return float(np.sqrt(np.mean(numbers**2))) if numbers.size else 0.0


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0%}" if name == "dead" else f"{value:.3g}"


def _drawn(rows: list[dict[str, Any]]) -> Any:
    steps = sorted({row["step"] for row in rows})
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    panels = {"spread": "spread of the results", "gradient": "gradient (root mean square)", "update": "|step| / |w|"}
    if len(steps) == 1:
        panels = {"spread": panels["spread"], "gradient": panels["gradient"], "dead": "share of dead units"}
    figure, axes = new_figure(len(panels), width=3.8, height=3.2)
    for ax, (column, title) in zip(axes[0], panels.items(), strict=True):
        found = {name: [row for row in rows if row["layer"] == name and row[column] is not None] for name in layers}
        found = {name: own for name, own in found.items() if own}
        if len(steps) == 1:
            values = [own[0][column] for own in found.values()]
            ax.plot(range(len(found)), values, color=INK, marker="o", linewidth=1)
            ax.set_xticks(range(len(found)), list(found), rotation=40, ha="right")
        else:
            for name, own in found.items():
                look = _look(layers.index(name), len(layers))
                ax.plot([row["step"] for row in own], [row[column] for row in own], label=name, **look)
            ax.set(xlabel="step")
        if column != "dead" and any(row[column] for own in found.values() for row in own):
            ax.set_yscale("log")
        elif column == "dead":
            ax.set_ylim(-0.03, 1.03)
        ax.set_title(title)
    if len(steps) > 1:
        legend_below(figure, axes[0][0], columns=8)
    return figure


def _look(number: int, count: int) -> dict[str, Any]:
    """A colour, a dash and a marker for the layer of that number."""
    from matplotlib import colormaps

    return {
        "color": colormaps["viridis"](0.75 * number / max(count - 1, 1)),
        "linestyle": ["-", "--", "-.", ":"][number % 4],
        "marker": "osD^v<>"[number % 7],
        "markersize": 4,
    }
