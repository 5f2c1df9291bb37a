"""What batch normalisation is said to do: EB15, EB16, and where it is put: ER27."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .... import nn, optim
from ....backend import seed as seed_all
from ....display.figures import ACCENT, INK, label_ends, new_figure
from ....nn._mlp import mlp
from ....train import fit
from ...plots import plain_log
from ..registry import NOTE_B, Picture, Result, Table, agreed, claim, row
from ..trials import Curve, Trial, digits, in_processes, run
from ..tuned import (
    ByRate,
    best,
    budget,
    by_rate,
    decided,
    every,
    half_decades,
    on_fresh_seeds,
    repeats,
    seeds,
    updates_to,
)

_PLACES = {"none": "without", "before": "BN before ReLU", "after": "BN after ReLU"}
_TIE = 0.009  # of two errors of 20 % on 2,000 images: their standard error


def _tuned_places(quick: bool, seed: int, target: float) -> dict[str, list[Curve]]:
    """The deep network with BN nowhere, before and after ReLU: each at the α that is at `target` first."""
    first, *fresh = seeds(seed, 1 + repeats(quick))
    found = {}
    for place in _PLACES:
        name = f"mnist/deep, BN {place}"
        (curves,) = by_rate(name, ["SGD"], half_decades(-2, 1), budget(quick), first, every(quick)).values()
        lr = best(curves, lambda curve: updates_to(curve, target))
        (found[place],) = on_fresh_seeds([Trial(name, "SGD", lr, budget(quick), every=every(quick))], fresh).values()
    return found


def _by_rate(quick: bool, seed: int) -> dict[str, ByRate]:
    rates, updates = half_decades(-2, 1), budget(quick)
    return {
        p: by_rate(f"mnist/deep, BN {p}", ["SGD"], rates, updates, seeds(seed, 1)[0], every(quick))["SGD"]
        for p in _PLACES
    }


@row("EB15", "Does batch normalisation make a deep network converge faster?", nn.BatchNorm, by_rate, run)
def eb15(quick: bool, seed: int) -> Result:
    target = 0.2  # error, set before any run
    runs = _tuned_places(quick, seed, target)
    needed = {place: [updates_to(curve, target) for curve in runs[place]] for place in _PLACES}
    step = every(quick)
    wide = {place: sum(curve.final < 1.0 for curve in one.values()) for place, one in _by_rate(quick, seed).items()}
    figure, ((axes,),) = new_figure(width=7.2, height=3.8)
    for (place, shown), style in zip(_PLACES.items(), _STYLES, strict=True):
        losses = np.array([curve.loss for curve in runs[place]])
        axes.fill_between(
            runs[place][0].steps, losses.min(axis=0), losses.max(axis=0), color=style["color"], alpha=0.15
        )
        axes.plot(runs[place][0].steps, np.median(losses, axis=0), label=shown, **style)
    axes.set(xlabel="updates", ylabel="validation loss", title="784, six layers of 32 ReLU, 10; each at its best α")
    plain_log(axes, (0.2, 0.3, 0.5, 1.0, 2.0))
    label_ends(axes)
    rows = [(shown, _spread(needed[place]), f"{wide[place]} of 7") for place, shown in _PLACES.items()]
    table = Table(("network", f"updates to {target:.0%} error", "rates with a final loss below 1"), rows)
    checks = [
        claim(
            f"{shown}: updates to {target:.0%} error at its best α, by over {step} fewer than without",
            f"{_spread(needed[place])}, against {_spread(needed['none'])}",
            agreed(decided(with_, without, step) for with_, without in zip(needed[place], needed["none"], strict=True)),
            "fewer, on each seed",
            NOTE_B,
            "Proposta per migliorare convergenza degli algoritmi che usano reti neurali deep",
        )
        for place, shown in _PLACES.items()
        if place != "none"
    ]
    caption = "Validation loss, median of the seeds with a band from lowest to highest; plain SGD, mini-batches of 64."
    text = (
        f"6,000 images of MNIST, {budget(quick)} updates; each network at the one of 7 rates that is at the target "
        "first on a seed of its own, then on others and other images. The target was set before any run."
    )
    return Result(checks, [table], [Picture(figure, caption)], text)


_STYLES: Sequence[dict[str, Any]] = (
    {"color": INK, "marker": "o"},
    {"color": ACCENT, "marker": "s"},
    {"color": "#B84A00", "marker": "^", "linestyle": (0, (4, 1.6))},
)


def _spread(needed: Sequence[float]) -> str:
    return f"{np.median(needed):.0f} ({min(needed):.0f} to {max(needed):.0f})".replace("inf", "never")


@row("ER27", "“In practice” after φ? Both places are in use", nn.BatchNorm, by_rate, run)
def er27(quick: bool, seed: int) -> Result:
    target = 0.2
    runs = _tuned_places(quick, seed, target)
    loss = {place: [curve.final for curve in runs[place]] for place in ("before", "after")}
    checks = [
        claim(
            "after φ is the better place, by over 2 % of the final loss: after against before",
            f"{_losses(loss['after'])}, against {_losses(loss['before'])}",
            agreed(decided(a, b, 0.02 * b) for a, b in zip(loss["after"], loss["before"], strict=True)),
            "lower, on each seed",
            NOTE_B,
            "Nella pratica, viene fatto il contrario",
        )
    ]
    text = (
        "The paper (Ioffe & Szegedy 2015) and most published networks put it before φ; the note's figure and many a "
        "program after. minidl takes both: mlp(..., batch_norm='before' or 'after')."
    )
    return Result(checks, text=text)


def _losses(found: Sequence[float]) -> str:
    return f"{np.median(found):.3f} ({min(found):.3f} to {max(found):.3f})"


def on_few_images(case: tuple[str, float, int, int, int]) -> tuple[float, float, float]:
    """Training loss, validation loss and validation error of a network after many epochs on 300 images.

    The case: batch normalisation's place, the learning rate, the seed, which 2,000 images to validate on, the epochs.
    """
    place, lr, seed, part, epochs = case
    seed_all(seed)
    train, _ = digits()
    model = mlp(784, [64], 10, batch_norm=place)
    history = fit(
        model, train[:300], optimizer=optim.SGD(model.parameters(), lr=lr), epochs=epochs, batch_size=30,
        validation=train[6000 + 2000 * part : 8000 + 2000 * part], progress=False, guards=False,
    )  # fmt: skip
    last = history.rows[-1]
    return last["loss"], last["validation_loss"], 1 - last["validation_accuracy"]


@row("EB16", "Does batch normalisation regularise?", nn.BatchNorm, on_few_images)
def eb16(quick: bool, seed: int) -> Result:
    first, *fresh = seeds(seed, 1 + repeats(quick))
    rates, epochs = ((0.1, 0.3, 1.0), 25) if quick else (half_decades(-2, 0), 60)
    cases = [(place, lr, first, 0, epochs) for place in _PLACES for lr in rates]
    found = dict(zip(cases, in_processes(on_few_images, cases), strict=True))
    chosen = {place: min(rates, key=lambda lr: found[place, lr, first, 0, epochs][2]) for place in _PLACES}
    again = [(place, chosen[place], one, 1, epochs) for place in _PLACES for one in fresh]
    done = dict(zip(again, in_processes(on_few_images, again), strict=True))
    runs = {place: np.array([done[place, chosen[place], one, 1, epochs] for one in fresh]) for place in _PLACES}
    rows = [
        (
            shown,
            f"{chosen[place]:.2g}",
            *(f"{np.median(runs[place][:, i]):.3f}" for i in (0, 1)),
            _errors(runs[place][:, 2]),
        )
        for place, shown in _PLACES.items()
    ]
    table = Table(
        ("network", "best α", "training loss", "validation loss", "validation error"), rows, f"After {epochs} epochs."
    )
    checks = [
        claim(
            f"{_PLACES[place]}: validation error after fitting 300 images, against none, on {len(fresh)} seeds",
            f"{_errors(runs[place][:, 2])}, against {_errors(runs['none'][:, 2])}",
            agreed(decided(a, b, _TIE) for a, b in zip(runs[place][:, 2], runs["none"][:, 2], strict=True)),
            "lower, by more than a tie, on each",
            NOTE_B,
            "Regolarizzazione è un effetto secondario",
        )
        for place in ("before", "after")
    ]
    text = (
        f"784-64-10, SGD, mini-batches of 30, each network at the best of {len(rates)} rates. An effect on networks "
        "as small as this one says nothing of deep ones with convolutions, where it was first seen."
    )
    return Result(checks, [table], text=text)


def _errors(errors: np.ndarray) -> str:
    return f"{np.median(errors):.1%} ({errors.min():.1%} to {errors.max():.1%})"
