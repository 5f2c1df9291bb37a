"""Training error and what is wanted: EA12, EA13; and when to stop: EB20."""

from functools import cache
from typing import Any

import numpy as np

from .... import nn, optim
from ....backend import seed as seed_all
from ....display.figures import INK, TRAINING, VALIDATION, label_ends, new_figure
from ....nn._mlp import mlp
from ....optim import rules
from ....train import EarlyStopping, fit
from ....transforms import grad
from ..registry import DERIVED, NOTE_A, NOTE_B, OURS, Picture, Result, Table, agreed, claim, row
from ..trials import digits, in_processes
from ..tuned import decided, repeats, seeds

_EPOCHS = 40


def ridge(decay: float, inputs: np.ndarray, targets: np.ndarray, steps: int = 4000) -> np.ndarray:
    """The weights of a linear model after so many steps of gradient descent on error + λ/2·|w|²."""

    def objective(w: Any) -> Any:
        return 0.5 * ((inputs @ w - targets) ** 2).mean() + 0.5 * decay * (w * w).sum()

    w = np.zeros(inputs.shape[1])
    for t in range(1, steps + 1):
        (w,) = rules.SGD().update(w, grad(objective)(w).numpy(), lr=0.3, t=t)
    return w


@row("EA12", "The objective is error plus regularisation", optim.SGD, ridge)
def ea12(seed: int) -> Result:
    rows, errors, off = [], [], []
    for one in range(3 * seed, 3 * seed + 3):
        rng = np.random.default_rng(one)
        truth = rng.standard_normal(20)
        inputs, more = rng.standard_normal((30, 20)), rng.standard_normal((2000, 20))
        targets = inputs @ truth + 2.0 * rng.standard_normal(30)
        found = {decay: ridge(decay, inputs, targets, 1500) for decay in (0.0, 0.3)}
        closed = np.linalg.solve(inputs.T @ inputs / 30 + 0.3 * np.eye(20), inputs.T @ targets / 30)
        off.append(float(np.abs(found[0.3] - closed).max()))
        sets = ((inputs, targets), (more, more @ truth))
        train, new = ([float(((x @ w - y) ** 2).mean()) for w in found.values()] for x, y in sets)
        lengths = [float(np.linalg.norm(w)) for w in found.values()]
        errors.append((train, lengths))
        rows.append((str(one), *(f"{value:.2f}" for pair in (train, new, lengths) for value in pair)))
    weight = np.array([0.7, -1.2])
    parameter = nn.Parameter(weight.copy(), dtype=np.float64)
    optimizer = optim.SGD([parameter], lr=0.1, weight_decay=0.3)
    (parameter * parameter * parameter).sum().backward()
    optimizer.step()
    expected = weight - 0.1 * (3 * weight**2 + 0.3 * weight)
    checks = [
        claim(
            "weight_decay=λ adds λ·w to the gradient: a step, and one on error + λ/2·|w|² by hand",
            f"{np.abs(parameter.numpy() - expected).max():.0e} apart",
            bool(np.allclose(parameter.numpy(), expected, rtol=0, atol=1e-12)),
            "0",
            DERIVED,
        ),
        claim(
            "gradient descent on that objective arrives at its minimum (XᵀX/n + λI)⁻¹Xᵀy/n: distance",
            f"{max(off):.0e}",
            max(off) < 1e-6,
            "below 1e-6",
            DERIVED,
        ),
        claim(
            "λ = 0.3 against 0, on each of three data sets: error on the 30 examples, and length of w",
            "; ".join(f"{t[1]:.1f} against {t[0]:.1f}, {n[1]:.1f} against {n[0]:.1f}" for t, n in errors),
            all(t[1] > t[0] and n[1] < n[0] for t, n in errors),
            "more, and shorter",
            DERIVED,
        ),
    ]
    head = ("data set", "error, λ = 0", "λ = 0.3", "on new ones, λ = 0", "λ = 0.3", "|w|, λ = 0", "λ = 0.3")
    table = Table(head, rows, "20 weights, 30 noisy examples; the error on new examples is measured without noise.")
    return Result(
        checks, [table], text="What it does to the error on new data the table shows; it hangs on λ and the data."
    )


def learned(case: tuple[int, int]) -> list[dict[str, Any]]:
    """Epoch by epoch, what training on 300 images of MNIST came to; the case: seed, and patience, 0 for none."""
    seed, patience = case
    seed_all(seed)
    train, _ = digits()
    model = mlp(784, [64], 10)
    stop = [EarlyStopping(patience=patience)] if patience else []
    history = fit(
        model, train[300 * (seed % 20) : 300 * (seed % 20) + 300], optimizer=optim.SGD(model.parameters(), lr=0.3),
        epochs=_EPOCHS, batch_size=30, validation=train[6000:8000], callbacks=stop, progress=False,
    )  # fmt: skip
    return history.rows


@cache
def _trained(some: tuple[int, ...], patience: int) -> list[list[dict[str, Any]]]:
    return in_processes(learned, [(one, patience) for one in some])


@row("EA13", "Less training error is not less error on new data", learned, fit)
def ea13(quick: bool, seed: int) -> Result:
    some = list(seeds(seed, repeats(quick)))
    runs = _trained(tuple(some), 0)
    training = np.array([[epoch["loss"] for epoch in run] for run in runs])
    validation = np.array([[epoch["validation_loss"] for epoch in run] for run in runs])
    error = np.array([[1 - epoch["validation_accuracy"] for epoch in run] for run in runs])
    lowest = validation.argmin(axis=1)
    figure, ((axes,),) = new_figure(width=6.4, height=3.8)
    epochs = np.arange(1, _EPOCHS + 1)
    for values, label, colour, dashes in (
        (training, "training", TRAINING, "-"),
        (validation, "validation", VALIDATION, (0, (4, 1.6))),
    ):
        axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(epochs, np.median(values, axis=0), color=colour, linestyle=dashes, label=label)
    for run, at in zip(validation, lowest, strict=True):
        axes.plot(at + 1, run[at], "v", color=INK, markersize=6, label="_lowest")
    axes.set(xlabel="epoch", ylabel="loss", ylim=(0, 1.4), title="784-64-10 on 300 images; ▼ lowest validation loss")
    label_ends(axes)
    at_lowest = training[np.arange(len(runs)), lowest]
    rise = validation[:, -1] / validation.min(axis=1) - 1
    rows = [
        (str(one), str(at + 1), *(f"{x:.3f}" for x in (v[at], v[-1], t[at], t[-1])), f"{e[at]:.1%}", f"{e[-1]:.1%}")
        for one, at, v, t, e in zip(some, lowest, validation, training, error, strict=True)
    ]
    head = ("seed", "lowest at epoch", "validation loss", "last", "training loss", "last", "error", "last")
    checks = [
        claim(
            f"from the lowest validation loss on, on each of {len(some)} seeds: training loss, and validation loss",
            f"to {(training[:, -1] / at_lowest).max():.0%} or less, and up by {rise.min():.0%} to {rise.max():.0%}",
            bool((training[:, -1] < at_lowest).all() and rise.min() > 0.05),
            "the one falls, the other rises",
            NOTE_A,
            "Minimizar el error de entrenamiento no nos asegura encontrar el mejor conjunto de parámetros para "
            "minimizar el error de generalización",
        )
    ]
    text = "The loss tells it; the share of wrong digits hardly changes: what is wrong is wrong with more certainty."
    caption = (
        "Median of the seeds, with bands from lowest to highest; a triangle at each seed's lowest validation loss."
    )
    return Result(checks, [Table(head, rows)], [Picture(figure, caption)], text)


@row("EB20", "When to stop: once the loss no longer falls", EarlyStopping, learned)
def eb20(quick: bool, seed: int) -> Result:
    some = list(seeds(seed, repeats(quick)))
    full, stopped = (_trained(tuple(some), patience) for patience in (0, 5))
    ends = [[run[-1]["validation_loss"] for run in runs] for runs in (full, stopped)]
    kept = [min(epoch["validation_loss"] for epoch in run) for run in stopped]
    lengths = [len(run) for run in stopped]
    checks = [
        claim(
            f"a criterion ends the training before its {_EPOCHS} epochs, on each of {len(some)} seeds",
            f"after {min(lengths)} to {max(lengths)} epochs",
            max(lengths) < _EPOCHS,
            "",
            NOTE_B,
            "Posso interrompere quando raggiungo qualche criterio di convergenza, ad esempio non vedo diminuzione loss",
        ),
        claim(
            "the model that it keeps, its best one, against that of the last epoch: validation loss",
            f"{np.median(kept):.3f} against {np.median(ends[0]):.3f}",
            agreed(decided(best, last, 0.0) for best, last in zip(kept, ends[0], strict=True)),
            "lower, on each",
            OURS,
        ),
    ]
    rows = [
        (str(one), str(length), f"{best:.3f}", f"{last:.3f}")
        for one, length, best, last in zip(some, lengths, kept, ends[0], strict=True)
    ]
    head = ("seed", "stopped after epochs", "validation loss of what is kept", f"after {_EPOCHS} epochs")
    return Result(checks, [Table(head, rows, "EarlyStopping(patience=5), on the network and the images of EA13.")])
