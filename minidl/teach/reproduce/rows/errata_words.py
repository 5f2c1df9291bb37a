"""Sentences of the notes that their own equations contradict, each put to a run: ER19-ER26, D12."""

import numpy as np

from .... import nn, optim
from ....display.figures import INK, label_ends, new_figure
from ....ops import batch_norm
from ....optim import rules
from ...functions import CURVATURES, START, bowl, descend, slope
from ...plots import rule_style
from ...stability import spectral_radius
from .. import as_printed
from ..registry import DERIVED, NOTE_A, NOTE_B, OURS, Picture, Result, Table, claim, number, row

AT = np.array(START)


@row("ER19", "RMSProp's γ > 0: it must be below 1, too", rules.RMSProp)
def er19() -> Result:
    rows, ends = [], {}
    for gamma in (0.9, 1.0, 1.1):
        with np.errstate(all="ignore"):
            path = as_printed.rmsprop(slope, AT, 20, 0.4, gamma, 1e-6)
        ends[gamma] = path[-1]
        rows.append((f"{gamma:g}", *(f"({x[0]:.4g}, {x[1]:.4g})" for x in (path[1], path[2], path[-1]))))
    first = as_printed.rmsprop(slope, AT, 1, 0.4, 1.0, 1e-6)[1]
    checks = [
        claim(
            "γ = 1: s stays at its start, 0, and the step is η·g/√ε, 400 times the gradient",
            f"{np.abs(first - AT).max():.0f} for a gradient of {np.abs(slope(AT)).max():.0f}",
            bool(np.allclose(first, AT - 400 * slope(AT))),
            "400·g",
            DERIVED,
        ),
        claim(
            "γ = 1.1: 1 - γ is negative, and so is s: its root is",
            f"{ends[1.1]}",
            bool(np.isnan(ends[1.1]).all()),
            "not a number",
            DERIVED,
        ),
        claim(
            "γ = 0.9, as meant: distance from the minimum after 20 steps",
            f"{np.hypot(*ends[0.9]):.3f}",
            bool(np.hypot(*ends[0.9]) < 0.1),
            "below 0.1",
            OURS,
        ),
    ]
    table = Table(
        ("γ", "after 1 step", "after 2", "after 20"), rows, "The note's algorithm on note A's f, η = 0.4, ε = 1e-6."
    )
    return Result(checks, [table], text="Should be 0 < γ < 1. minidl refuses the rest: rho must be in [0, 1).")


@row(
    "ER20",
    "“Papers de divulgación”: research papers are meant",
    rules.AdaGrad,
    rules.RMSProp,
    rules.AdaDelta,
    rules.Adam,
)
def er20() -> Result:
    rows = [
        (kind.__name__, (kind.__doc__ or "").partition("Source: ")[2].partition(";")[0])
        for kind in (rules.AdaGrad, rules.RMSProp, rules.AdaDelta, rules.Adam)
    ]
    text = (
        "“Divulgación” is popular science. These are what the rules were introduced in; RMSProp, indeed, in a lecture."
    )
    return Result(tables=[Table(("rule", "introduced in"), rows)], text=text, offered=True)


@row("ER21", "Momentum does change direction", rules.Momentum)
def er21() -> Result:
    path = descend(rules.Momentum(beta=0.25), bowl, START, 0.6)
    steps = np.diff(path, axis=0)
    turned = int((steps[1:, 1] * steps[:-1, 1] < 0).sum())
    cosines = (
        (steps[1:] * steps[:-1]).sum(axis=1) / np.linalg.norm(steps[1:], axis=1) / np.linalg.norm(steps[:-1], axis=1)
    )
    straight = descend(rules.Momentum(beta=0.9), lambda x: x[0] + 0 * x[1], (0.0, 0.0), 0.1)
    checks = [
        claim(
            "note A's run with β = 0.25: steps whose direction in x2 is not that of the step before",
            f"{turned} of 19",
            turned > 15,
            "over 15: the note says none",
            DERIVED,
        ),
        claim(
            "the largest angle between a step and the next",
            f"{np.degrees(np.arccos(np.clip(cosines.min(), -1, 1))):.0f}°",
            bool(cosines.min() < 0),
            "over 90°",
            DERIVED,
        ),
        claim(
            "it keeps its direction where the gradient keeps its own: a slope, 20 steps",
            "one direction" if (np.diff(straight[:, 0]) < 0).all() and not straight[:, 1].any() else "others",
            bool((np.diff(straight[:, 0]) < 0).all() and not straight[:, 1].any()),
            "one direction",
            DERIVED,
        ),
    ]
    return Result(checks, text="Should read: the velocity turns more slowly than the gradient does; it does turn.")


@row("ER22", "The velocity is a sum, not a mean: a gain of 1/(1 - β)", rules.Momentum)
def er22() -> Result:
    rows, found = [], {}
    for form in ("velocity", "averaged"):
        rule, v = rules.Momentum(beta=0.9, form=form), 0.0
        for t in range(1, 201):
            _, v = rule(0.0, 1.0, v, lr=1.0, t=t)
        found[form] = abs(v)
        rows.append((form, f"{found[form]:.4f}"))
    checks = [
        claim(
            "v after 200 gradients of 1, β = 0.9: by the note's line v ← βv - αg, α = 1",
            f"{found['velocity']:.4f}",
            abs(found["velocity"] - 10) < 1e-6,
            "1/(1 - β) = 10, where the mean of the gradients is 1",
            DERIVED,
        ),
        number("a moving mean, v ← βv + (1 - β)g", f"{found['averaged']:.4f}", "1.0000", DERIVED),
    ]
    return Result(
        checks, [Table(("minidl's form=", "v"), rows)], text="“Media mobile” is what (1 - β)g would make of it."
    )


@row("ER23", "The velocity shrinks only where there is no gradient", rules.Momentum)
def er23() -> Result:
    rule = rules.Momentum(beta=0.9, form="velocity")
    speeds = {}
    for name, gradient in (("a gradient of 1 at each step", 1.0), ("no gradient after the first", 0.0)):
        _, v = rule(0.0, 1.0, 0.0, lr=0.1, t=1)
        speeds[name] = [abs(v)]
        for t in range(2, 31):
            _, v = rule(0.0, gradient, v, lr=0.1, t=t)
            speeds[name].append(abs(v))
    pushed, free = speeds.values()
    figure, ((axes,),) = new_figure(width=6.2, height=3.4)
    axes.plot(range(1, 31), pushed, label="a gradient of 1", **rule_style("Momentum"))
    axes.plot(range(1, 31), free, label="none after the first", color=INK, linestyle="--")
    axes.set(xlabel="step", ylabel="|v|", title="β = 0.9, α = 0.1", ylim=(0, 1.05))
    label_ends(axes)
    checks = [
        claim(
            "with a gradient of 1 at each step |v| grows, to α/(1 - β)",
            f"{pushed[0]:.2f} ... {pushed[-1]:.2f}",
            bool(np.all(np.diff(pushed) > 0)) and abs(pushed[-1] - (1 - 0.9**30)) < 1e-9,
            "0.10 ... 0.96, on its way to 1",
            DERIVED,
        ),
        claim(
            "without one it shrinks by β a step, as the note says",
            f"{free[0]:.2f} ... {free[-1]:.4f}",
            bool(np.allclose(np.divide(free[1:], free[:-1]), 0.9)),
            "",
            NOTE_B,
            "quindi va a diminuire per ogni step",
        ),
    ]
    return Result(checks, pictures=[Picture(figure, "The velocity under a steady gradient, and left alone.")])


@row(
    "ER24",
    "RMSProp + Nesterov: the parameters first, not the velocity",
    rules.RMSPropNesterov,
    as_printed.rmsprop_nesterov,
)
def er24() -> Result:
    algorithm = as_printed.rmsprop_nesterov(slope, AT, 20, 0.4, 0.5, 0.9, 1e-6)
    ours = descend(rules.RMSPropNesterov(rho=0.9, beta=0.5, eps=1e-6), bowl, START, 0.4)
    theta, v, s = AT, np.zeros(2), np.zeros(2)
    said = [theta]
    for _ in range(20):  # the sentence: the velocity is updated first, by the gradient where we are
        g = slope(theta)
        s = 0.9 * s + 0.1 * g * g
        v = 0.5 * v - 0.4 / np.sqrt(s + 1e-6) * g
        theta = theta + v
        said.append(theta)
    apart = float(np.abs(algorithm - said).max())
    checks = [
        claim(
            "the note's algorithm, which moves the parameters to θ̃ first, is minidl's rule: distance over 20 steps",
            f"{np.abs(algorithm - ours).max():.0e}",
            bool(np.abs(algorithm - ours).max() < 1e-12),
            "0",
            DERIVED,
        ),
        claim(
            "its sentence, the velocity first, would leave the look-ahead out: largest distance in 20 steps",
            f"{apart:.2f}",
            apart > 0.1,
            "over 0.1: another rule",
            DERIVED,
        ),
    ]
    return Result(checks, text="Should read: prima sposto i parametri (da Nesterov), poi calcolo il gradiente.")


@row("ER25", "From zeros not everything stays 0: the last bias learns", nn.init.zeros)
def er25() -> Result:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 4)).astype(np.float32), np.repeat([0, 1, 1], 20)
    model = nn.Sequential(nn.Dense(4, 8, weight_init="zeros"), nn.ReLU(), nn.Dense(8, 2, weight_init="zeros"))
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        nn.softmax_cross_entropy(model(x), y).backward()
        optimizer.step()
    moved = [name for name, values in model.state_dict().items() if values.any()]
    guess = np.exp(model.state_dict()["layers.2.bias"])
    checks = [
        claim(
            "what is not 0 after 200 updates", ", ".join(moved), moved == ["layers.2.bias"], "layers.2.bias", DERIVED
        ),
        number(
            "it learns how frequent the classes are, 1 to 2: the guess for every input",
            f"{(guess / guess.sum()).round(3)}",
            "[0.333 0.667]",
            DERIVED,
        ),
    ]
    return Result(checks, text="Should read: sarà tutto 0, tranne il bias dell'uscita. EB13 has it on MNIST.")


@row("ER26", "BN divides by the standard deviation, not by the variance", batch_norm)
def er26() -> Result:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 3)) * [0.1, 1.0, 20.0]
    meant = batch_norm(x, np.ones(3), np.zeros(3), eps=1e-12)
    printed = (x - x.mean(axis=0)) / x.var(axis=0)  # the sentence: σ is the variance
    rows = [
        (name, *(f"{value:.3f}" for value in values.std(axis=0)))
        for name, values in (("before", x), ("divided by σ", meant), ("divided by the variance", printed))
    ]
    checks = [
        number("divided by σ: spreads of the outputs", f"{meant.std(axis=0).round(3)}", "[1. 1. 1.]", DERIVED),
        claim(
            "divided by the variance σ²: 1/σ each, the smaller the input the larger",
            f"{printed.std(axis=0).round(2)}",
            bool(np.allclose(printed.std(axis=0), 1 / x.std(axis=0))),
            f"{(1 / x.std(axis=0)).round(2)}",
            DERIVED,
        ),
    ]
    table = Table(("", "first feature", "second", "third"), rows, "Standard deviations.")
    return Result(
        checks, [table], text="Should read: media μ e deviazione standard σ. The formula is right, the word is not."
    )


@row("D12", "β: in (0, 1) (A), in [0, 1) (B)", rules.Momentum, spectral_radius)
def d12() -> Result:
    zero = descend(rules.Momentum(beta=0.0), bowl, START, 0.4)
    same = np.array_equal(zero, descend(rules.SGD(), bowl, START, 0.4))
    near = [float(spectral_radius(rules.Momentum(beta=beta), CURVATURES, 0.4)) for beta in (0.9, 0.99, 0.999)]
    checks = [
        claim(
            "β = 0, which A's range leaves out and A's next page uses: gradient descent, bit for bit",
            "equal" if same else "different",
            same,
            "",
            NOTE_A,
            "Si β=0, las ecuaciones se reducen al descenso del gradiente clásico",
        ),
        claim(
            "B's range has it: is β = 0 allowed",
            "yes",
            rules.Momentum(beta=0.0).beta == 0.0,
            "",
            NOTE_B,
            "Un altro iperparametro è β ∈ [0,1), che ci dice quanto veloce è il contributo",
        ),
        claim(
            "towards 1 nothing is damped any more: spectral radius on f at η = 0.4 for β = 0.9, 0.99, 0.999",
            ", ".join(f"{radius:.4f}" for radius in near),
            bool(np.allclose(near, np.sqrt([0.9, 0.99, 0.999]), atol=1e-9)),
            "√β: 0.9487, 0.9950, 0.9995",
            DERIVED,
        ),
    ]
    return Result(checks, text="So 0 belongs to it and 1 does not: [0, 1), as minidl takes it.")
