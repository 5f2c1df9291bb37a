"""Batch normalisation: EB14 and the picture FB5."""

from typing import Any

import numpy as np

from .... import nn, optim
from ....backend import seed
from ....display.figures import ACCENT, FAINT, INK, new_figure
from ....errors import ShapeError
from ....nn._mlp import mlp
from ....ops import batch_norm
from ....tensor import Tensor
from ....train import evaluate, fit
from ..as_printed import batch_norm_without_eps
from ..registry import DERIVED, NOTE_B, OURS, Picture, Result, Table, claim, number, row
from ..trials import digits, in_processes


def settled(gamma: float, beta: float) -> nn.BatchNorm:
    """A BatchNorm over three features, with this γ and β."""
    layer = nn.BatchNorm(3)
    layer.gamma.data[...], layer.beta.data[...] = gamma, beta
    return layer


@row("EB14", "Batch normalisation: mean β, standard deviation γ", nn.BatchNorm, batch_norm)
def eb14() -> Result:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((500, 3)) * [0.5, 3.0, 20.0] + [10.0, -2.0, 0.0]).astype(np.float32)
    layer = settled(1.7, -0.4)
    y = layer(x).numpy()
    for _ in range(60):  # for the running statistics to get there
        layer(x)
    layer.eval()
    alone = layer(x[:1]).numpy()
    before, after = in_processes(accuracy_after_training, ["before", "after"])
    one = x[:1].astype(np.float64)
    with_eps = batch_norm(one, np.full(3, 1.7), np.full(3, -0.4))
    without = batch_norm_without_eps(one, 1.7, -0.4)
    refused = _refusal(x[:1])
    rows = [
        ("features' means, x", f"{x.mean(axis=0).round(2)}", f"{y.mean(axis=0).round(2)}"),
        ("features' standard deviations", f"{x.std(axis=0).round(2)}", f"{y.std(axis=0).round(2)}"),
    ]
    tables = [
        Table(("", "before BN", "after BN, γ = 1.7, β = -0.4"), rows),
        Table(
            ("place", "validation accuracy"),
            [("h = φ(BN(Wx + b))", f"{before:.1%}"), ("h = BN(φ(Wx + b)), “in practice”", f"{after:.1%}")],
            "A small network on MNIST, one epoch of 4,000 images.",
        ),
    ]
    checks = [
        claim(
            "the mean, with β = -0.4", f"{y.mean():.2f}", f"{y.mean():.2f}" == "-0.40", "β", NOTE_B, "La media sarà β"
        ),
        number("the standard deviation is γ", f"{y.std(axis=0).mean():.2f}", "1.70", DERIVED),
        claim(
            "in evaluation mode one example is normalised by the running statistics",
            f"{alone[0].round(2)}, finite",
            bool(np.isfinite(alone).all()),
            "finite numbers",
            NOTE_B,
            "Salverò questi μ e σ a fine addestramento, e li userò nella fase di inferenza",
        ),
        claim(
            "both places train: before φ and after φ",
            f"{before:.1%}, {after:.1%}",
            min(before, after) > 0.5,
            "over 50 %",
            OURS,
        ),
        claim(
            "a batch of one, as printed (no ε): 0/0",
            f"{without[0]}",
            bool(np.isnan(without).all()),
            "nan; the note says 0",
            DERIVED,
        ),
        claim(
            "a batch of one with ε: β, whatever x is",
            f"{with_eps[0]}",
            bool(np.array_equal(with_eps, np.full((1, 3), -0.4))),
            "β (0 where β = 0)",
            DERIVED,
        ),
        claim(
            "so “BN cannot be used without mini-batches”: minidl refuses, and says what to do",
            refused,
            "larger batch_size" in refused,
            "",
            NOTE_B,
            "Quindi non posso usare BN senza mini batch",
        ),
    ]
    return Result(checks, tables)


def _refusal(x: np.ndarray) -> str:
    try:
        nn.BatchNorm(3)(x)
    except ShapeError as error:
        return str(error)
    return "no error"


def accuracy_after_training(place: str) -> float:
    """The validation accuracy of a small network on MNIST, with BatchNorm "before" or "after" the activation."""
    seed(0)
    train, test = digits()
    model = mlp(784, [32], 10, batch_norm=place)
    fit(model, train[:4000], optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=1, batch_size=64, progress=False)
    return evaluate(model, test[:1000])["accuracy"]


@row("FB5", "A network with batch normalisation after the activation", nn.BatchNorm, nn.Sequential)
def fb5() -> Result:
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((256, 8)) * 4 + 3).astype(np.float32)
    layers = [
        nn.Dense(8, 16),
        nn.ReLU(),
        nn.BatchNorm(16),
        nn.Dense(16, 16),
        nn.ReLU(),
        nn.BatchNorm(16),
        nn.Dense(16, 3),
    ]
    names = ["x", "Dense\nWx + b", "ReLU\nφ", "BatchNorm", "Dense\nWx + b", "ReLU\nφ", "BatchNorm", "Dense\nWx + b"]
    outputs, values = [x], Tensor(x)
    for layer in layers:
        values = layer(values)
        outputs.append(values.numpy())
    figure, axes = new_figure(len(names), 2, width=1.35, height=1.45, height_ratios=[1, 2])
    for i, (name, left) in enumerate(zip(names, outputs, strict=True)):
        _box(axes[0, i], name, last=i == len(names) - 1)
        panel = axes[1, i]
        panel.hist(left.ravel(), bins=24, color=ACCENT if name == "BatchNorm" else FAINT)
        panel.set(
            yticks=[],
            xlim=(-14, 14),
            xticks=(-10, 0, 10),
            title=f"{round(float(left.mean()), 1) + 0.0:.1f} ± {left.std():.1f}",
        )
        panel.title.set_size(9.5)
        panel.tick_params(labelsize=8)
        panel.spines["left"].set_visible(False)
        panel.grid(visible=False)
    normalised = np.concatenate(
        [left for name, left in zip(names, outputs, strict=True) if name == "BatchNorm"], axis=1
    )
    means, stds = normalised.mean(axis=0), normalised.std(axis=0)
    stds = stds[stds > 0]  # a unit that is dead for the whole batch stays 0
    seen = f"means within {np.abs(means).max():.0e} of 0, standard deviations from {stds.min():.3f} to {stds.max():.3f}"
    good = np.abs(means).max() < 1e-5 and np.abs(stds - 1).max() < 0.02
    checks = [
        claim("what each BatchNorm hands on is standardised, feature by feature", seen, bool(good), "0 and 1", DERIVED)
    ]
    caption = (
        "As the note draws it: Dense, activation, BatchNorm; below each part, the values that leave it for a batch of "
        "256, all on one scale, with mean ± standard deviation."
    )
    return Result(checks, pictures=[Picture(figure, caption)])


def _box(axes: Any, name: str, last: bool) -> None:
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    marked = name == "BatchNorm"
    box = {
        "boxstyle": "round,pad=0.4",
        "facecolor": "#e0f2ef" if marked else "white",
        "edgecolor": ACCENT if marked else INK,
    }
    axes.text(0.45, 0.5, name, ha="center", va="center", fontsize=8.5, bbox=box)
    if not last:
        axes.annotate(
            "", (1.12, 0.5), (0.97, 0.5), arrowprops={"arrowstyle": "->", "color": INK}, annotation_clip=False
        )
