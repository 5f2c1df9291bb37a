"""Where training starts: EB12 and EB13."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .... import gradients, nn, optim
from ....backend import seed as seed_all
from ....data import Loader
from ....display.figures import FAINT, INK, label_ends, new_figure
from ....tensor import Tensor
from ...plots import legend_below
from ..registry import DERIVED, NOTE_B, OURS, Check, Picture, Result, Table, claim, number, row
from ..trials import digits, in_processes

_STARTS = {  # how the weights are drawn: initialiser, colour, dashes, marker
    "zeros": (nn.init.zeros, FAINT, ":", "x"),
    "σ = 0.01": (partial(nn.init.normal, std=0.01), "#B07A00", "-.", "v"),
    "Glorot": (nn.init.glorot_normal, "#00876A", "--", "s"),
    "He": (nn.init.he_normal, "#440154", "-", "o"),
    "σ = 0.2": (partial(nn.init.normal, std=0.2), "#3b528b", (0, (1, 1)), "^"),
}
_ACTIVATIONS = {"tanh": nn.Tanh(), "ReLU": nn.ReLU()}
_LAYERS = 10


class Through(NamedTuple):
    """What goes through ten layers: the mean square of what each passes on, from the input's on, and of the gradient.

    The gradient is that of a random direction at the output: `backward` has its mean square where each layer passes
    something on, relative to the last layer's. `saturated` is the share of tanh's outputs beyond ±0.95.
    """

    forward: np.ndarray
    backward: np.ndarray
    saturated: float


def through(activation: nn.Module, init: Any, seed: int, width: int = 256) -> Through:
    """Ten Dense layers, each with `activation`, on 200 random inputs.

    (The mean square is the variance wherever the mean is 0; ReLU's outputs are not centred, and it is the mean
    square that He's derivation keeps.)
    """
    seed_all(seed)
    rng = np.random.default_rng(seed)
    x = Tensor(rng.standard_normal((200, width)).astype(np.float32), requires_grad=True)
    outputs = [x]
    for _ in range(_LAYERS):
        outputs.append(activation(nn.Dense(width, width, weight_init=init)(outputs[-1])))
    direction = rng.standard_normal((200, width)).astype(np.float32)
    passed = [float((g.numpy() ** 2).mean()) for g in gradients(outputs[-1], outputs[1:], grad=direction)]
    forward = np.array([float((y.numpy() ** 2).mean()) for y in outputs])
    saturated = float(np.mean([(np.abs(y.numpy()) > 0.95).mean() for y in outputs[1:]]))
    return Through(forward, np.array(passed) / passed[-1], saturated)


@row(
    "EB12",
    "Glorot's and He's initialisation, through ten layers and back",
    nn.init.glorot_normal,
    nn.init.he_normal,
    through,
)
def eb12(seed: int) -> Result:
    some = range(3 * seed, 3 * seed + 3)
    runs = {
        (name, start): [through(activation, _STARTS[start][0], one) for one in some]
        for name, activation in _ACTIVATIONS.items()
        for start in _STARTS
    }
    rows = [
        (
            *key,
            *(f"{_middle([run.forward[i] for run in found]):.1e}" for i in (1, 5, 10)),
            f"{_middle([run.backward[0] for run in found]):.1e}",
            f"{_middle([run.saturated for run in found]):.0%}" if key[0] == "tanh" else "",
        )
        for key, found in runs.items()
    ]
    head = ("activation", "weights", "layer 1", "layer 5", "layer 10", "gradient at layer 1", "beyond ±0.95")
    table = Table(
        head, rows, "Mean square of a layer's outputs; of the gradient, relative to layer 10's; median of three seeds."
    )
    caption = (
        "Above, the mean square of what each layer passes on, for 200 random inputs; below, of the gradient on its way "
        "back, relative to the last layer's. Three seeds lie on one another."
    )
    return Result([*_drawn_weights(), *_passed_on(runs)], [table], [Picture(_both_ways(runs), caption)])


def _middle(values: list[float]) -> float:
    return float(np.median(values))


def _both_ways(runs: dict[tuple[str, str], list[Through]]) -> Any:
    figure, axes = new_figure(2, 2, width=4.9, height=3.1, sharex=True, sharey="row")
    for column, name in enumerate(_ACTIVATIONS):
        for start, (_, colour, dashes, marker) in _STARTS.items():
            style = {"color": colour, "linestyle": dashes, "marker": marker, "markersize": 4}
            for i, run in enumerate(runs[name, start]):
                label = start if i == 0 else "_"
                axes[0, column].plot(np.clip(run.forward, 2e-9, 5e5), label=label, **style)
                if start != "zeros":
                    axes[1, column].plot(range(1, _LAYERS + 1), np.clip(run.backward, 2e-9, 5e5), label=label, **style)
        axes[0, column].set(title=f"{name}, ten layers of 256", yscale="log", ylim=(1e-9, 1e6))
        axes[1, column].set(xlabel="layer", yscale="log", ylim=(1e-9, 1e6), xticks=range(0, 11, 2))
    axes[0, 0].set_ylabel("mean square of outputs")
    axes[1, 0].set_ylabel("mean square of the gradient,\nlayer 10's = 1")
    for panel in axes[0]:
        panel.annotate(
            "at the border: 0, or too small", (0.2, 1.5e-9), (0, 5), textcoords="offset points", color=INK, fontsize=8
        )
        label_ends(panel)
    legend_below(figure, axes[1, 1])
    return figure


def _drawn_weights() -> list[Check]:
    """The variances of weights that are drawn, and Keras' cut."""
    size, rng = (400, 600), np.random.default_rng(0)
    glorot, he = nn.init.glorot_normal(size, rng), nn.init.he_normal(size, rng)
    cut = nn.init.he_normal(size, rng, truncated=True)
    sigma = np.sqrt(2 / 400)
    return [
        number("Glorot, (400, 600): σ² = 2/(n_in + n_out)", f"{glorot.var():.4f}", "0.0020", DERIVED),
        number("He, (400, 600): σ² = 2/n_in", f"{he.var():.4f}", "0.0050", DERIVED),
        claim(
            "Keras' HeNormal is cut off at 2σ and rescaled to the same σ: minidl's truncated=True",
            f"largest {np.abs(cut).max() / sigma:.2f}σ, σ² = {cut.var():.4f}",
            np.abs(cut).max() < 2.3 * sigma and abs(cut.var() - 0.005) < 1e-4,
            "2.27σ, 0.0050",
            DERIVED,
        ),
    ]


def _passed_on(runs: dict[tuple[str, str], list[Through]]) -> list[Check]:
    """What comes through, and what comes back, on each of the seeds."""

    def ends(name: str, start: str) -> tuple[list[float], list[float]]:
        found = runs[name, start]
        return [run.forward[-1] / run.forward[0] for run in found], [run.backward[0] for run in found]

    he, he_back = ends("ReLU", "He")
    glorot, glorot_back = ends("tanh", "Glorot")
    halved, _ = ends("ReLU", "Glorot")
    small, _ = ends("ReLU", "σ = 0.01")
    large, _ = ends("ReLU", "σ = 0.2")
    full, full_back = ends("tanh", "σ = 0.2")
    saturated = [run.saturated for run in runs["tanh", "σ = 0.2"]]
    return [
        claim(
            "He with ReLU keeps both: outputs, last to first, and the gradient, first to last, within a factor of 3",
            f"{_range(he)}, {_range(he_back)}",
            all(1 / 3 < value < 3 for value in he + he_back),
            "",
            NOTE_B,
            "funziona bene con RELU",
        ),
        claim(
            "Glorot with tanh shrinks both: outputs and gradient in ten layers",
            f"to {_range(glorot)}, {_range(glorot_back)}",
            all(0.01 < value < 1 for value in glorot + glorot_back),
            "less than 1, over 0.01",
            OURS,
        ),
        claim(
            "σ = 0.2 with tanh looks better by its outputs, but its gradient explodes and units saturate",
            f"{_range(full)}; gradient {_range(full_back)}; {_range(saturated)} beyond ±0.95",
            min(full) > max(glorot) and min(full_back) > 100 and min(saturated) > 1 / 3,
            f"over {max(glorot):.2f}; over 100; a third",
            OURS,
        ),
        claim(
            "Glorot with ReLU loses half per layer", _range(halved), all(2**-12 < value < 2**-8 for value in halved),
            "2^-10 = 0.00098, within a factor of 4", DERIVED,
        ),
        claim(
            "σ = 0.01: it vanishes; σ = 0.2 with ReLU: it explodes",
            f"{max(small):.0e}; {min(large):.0e}",
            max(small) < 1e-12 and min(large) > 1e3,
            "below 1e-12; over 1000",
            OURS,
        ),
    ]  # fmt: skip


def _range(values: list[float]) -> str:
    return f"{min(values):.2g} to {max(values):.2g}"


def trained_from(start: float) -> dict[str, np.ndarray]:
    """The parameters of 784-16-16-10 after 100 updates on MNIST, if all its weights begin as `start`."""
    seed_all(0)
    same = partial(np.full, fill_value=start, dtype=np.float64)
    none = partial(np.zeros, dtype=np.float64)
    sizes = [(784, 16), (16, 16), (16, 10)]
    first, second, third = (nn.Dense(*size, weight_init=same, bias_init=none) for size in sizes)
    model = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for x, y in Loader(digits()[0][:6400], 64):
        optimizer.zero_grad()
        nn.softmax_cross_entropy(model(x), y).backward()
        optimizer.step()
    return model.state_dict()


@row("EB13", "All weights zero: nothing but the last bias learns", nn.init.zeros, trained_from)
def eb13() -> Result:
    zeros, alike = in_processes(trained_from, [0.0, 0.01])
    rows = [(name, f"{np.abs(values).max():.4f}", f"{np.abs(alike[name]).max():.4f}") for name, values in zeros.items()]
    moved = [name for name, values in zeros.items() if values.any()]
    units = alike["layers.0.weight"]
    apart, change = np.ptp(units, axis=1).max(), np.abs(units - 0.01).max()
    checks = [
        claim(
            "all weights 0: after 100 updates the only parameter that is not 0",
            ", ".join(moved),
            moved == ["layers.4.bias"],
            "the output's bias",
            DERIVED,
        ),
        claim(
            "all weights 0.01: they do learn",
            f"moved by up to {change:.3f}",
            bool(change > 1e-3),
            "by over 0.001",
            OURS,
        ),
        claim(
            "but the 16 hidden units stay one and the same",
            f"largest difference {apart:.0e}",
            bool(apart < 1e-9),
            "0, but for rounding",
            DERIVED,
        ),
    ]
    table = Table(
        ("parameter", "from 0: largest |value|", "from 0.01: largest |value|"),
        rows,
        "784-16-16-10 on MNIST after 100 updates.",
    )
    return Result(checks, [table])
