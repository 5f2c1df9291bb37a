"""Where training starts: EB12 and EB13."""

from functools import partial
from typing import Any

import numpy as np

from .... import nn, optim
from ....autograd import recording
from ....backend import seed
from ....data import Loader
from ....display.figures import FAINT, INK, new_figure
from ...plots import legend_below
from ..registry import DERIVED, OURS, Picture, Result, Table, claim, number, row
from ..trials import digits, in_processes

_STARTS = {  # how the weights are drawn: initialiser, colour, dashes
    "zeros": (nn.init.zeros, FAINT, ":"),
    "normal, σ = 0.01": (partial(nn.init.normal, std=0.01), "#5ec962", "-."),
    "Glorot": (nn.init.glorot_normal, "#21918c", "--"),
    "He": (nn.init.he_normal, "#440154", "-"),
    "normal, σ = 0.2": (partial(nn.init.normal, std=0.2), "#3b528b", (0, (1, 1))),
}


def variances(activation: nn.Module, init: Any, layers: int = 10, width: int = 256) -> list[float]:
    """The mean square of what each layer passes on, the input's first: ten Dense layers, each with `activation`.

    (The mean square is the variance wherever the mean is 0; ReLU's outputs are not centred, and it is the mean
    square that He's derivation keeps.)
    """
    x: Any = np.random.default_rng(0).standard_normal((1000, width)).astype(np.float32)
    found = [float((x**2).mean())]
    with recording(False):
        for _ in range(layers):
            x = activation(nn.Dense(width, width, weight_init=init)(x))
            found.append(float((x**2).mean()))
    return found


@row(
    "EB12", "Glorot's and He's initialisation, through ten layers", nn.init.glorot_normal, nn.init.he_normal, variances
)
def eb12() -> Result:
    figure, axes = new_figure(2, width=4.6, sharey=True)
    found = {}
    for panel, (name, activation) in zip(axes[0], (("tanh", nn.Tanh()), ("ReLU", nn.ReLU())), strict=True):
        for start, (init, colour, dashes) in _STARTS.items():
            values = found[name, start] = variances(activation, init)
            shown = np.where(np.array(values) > 1e-12, values, np.nan)
            panel.semilogy(shown, color=colour, linestyle=dashes, marker="o", markersize=3, label=start)
        panel.set(title=f"{name}, ten layers of 256", xlabel="layer", xticks=range(0, 11, 2), ylim=(1e-9, 1e6))
    axes[0, 0].set_ylabel("mean square of the outputs")
    axes[0, 0].annotate("zeros: 0 at once", (0.3, 1e-8), color=INK, fontsize=9)
    legend_below(figure, axes[0, 1])
    rows = [(name, start, *(f"{values[i]:.2e}" for i in (1, 5, 10))) for (name, start), values in found.items()]
    weight = (
        nn.init.glorot_normal((400, 600), np.random.default_rng(0)),
        nn.init.he_normal((400, 600), np.random.default_rng(0)),
    )
    cut = nn.init.he_normal((400, 600), np.random.default_rng(0), truncated=True)
    checks = [
        number("Glorot, (400, 600): σ² = 2/(n_in + n_out)", f"{weight[0].var():.4f}", "0.0020", DERIVED),
        number("He, (400, 600): σ² = 2/n_in", f"{weight[1].var():.4f}", "0.0050", DERIVED),
        claim(
            "He with ReLU keeps it: layer 10 against the input",
            f"{found['ReLU', 'He'][10] / found['ReLU', 'He'][0]:.2f}",
            0.3 < found["ReLU", "He"][10] < 3,
            "about 1",
            DERIVED,
        ),
        claim(
            "Glorot with tanh: layer 10 (tanh shrinks a little, it does not vanish)",
            f"{found['tanh', 'Glorot'][10]:.3f}",
            0.02 < found["tanh", "Glorot"][10] < 1,
            "between 0.02 and 1",
            OURS,
        ),
        claim(
            "Glorot with ReLU loses half per layer",
            f"{found['ReLU', 'Glorot'][10]:.1e}",
            2**-12 < found["ReLU", "Glorot"][10] < 2**-8,
            "2^-10 = 9.8e-04",
            DERIVED,
        ),
        claim(
            "σ = 0.01: it vanishes; σ = 0.2 with ReLU: it explodes",
            f"{found['ReLU', 'normal, σ = 0.01'][10]:.0e}; {found['ReLU', 'normal, σ = 0.2'][10]:.0e}",
            found["ReLU", "normal, σ = 0.01"][10] < 1e-12 and found["ReLU", "normal, σ = 0.2"][10] > 1e3,
            "below 1e-12; over 1000",
            OURS,
        ),
        claim(
            "Keras' HeNormal is cut off at 2σ and rescaled to the same σ: minidl's truncated=True",
            f"largest {np.abs(cut).max() / np.sqrt(2 / 400):.2f}σ, σ² = {cut.var():.4f}",
            np.abs(cut).max() < 2.3 * np.sqrt(2 / 400) and abs(cut.var() - 0.005) < 1e-4,
            "2.27σ, 0.0050",
            DERIVED,
        ),
    ]
    table = Table(
        ("activation", "weights", "layer 1", "layer 5", "layer 10"), rows, "Mean square of a layer's outputs."
    )
    return Result(
        checks, [table], [Picture(figure, "The mean square of what each layer passes on, for 1,000 random inputs.")]
    )


def trained_from(start: float) -> dict[str, np.ndarray]:
    """The parameters of 784-16-16-10 after 100 updates on MNIST, if all its weights begin as `start`."""
    seed(0)
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
