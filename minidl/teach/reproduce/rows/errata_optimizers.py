"""Other slips of the notes on optimizers, each run as printed and as meant: ER5-ER8, ER10, ER15, ER18."""

import math
import re

import numpy as np

from ....optim import rules, schedules
from ....optim.rule import Rule
from ....optim.schedules import robbins_monro
from ....optim.symbols import equation
from ...functions import CURVATURES, START, after_20, bowl, descend, slope
from ..registry import DERIVED, NOTE_A, OURS, Result, Table, claim, number, row

AT = np.array(START)


def written(rule: Rule) -> str:
    """The line for θ as `rule` has it, run on symbols; its new state is written as its name."""
    theta, *state = equation(rule).outputs
    line = repr(theta)
    for name, new in zip(rule.state, state, strict=True):
        line = line.replace(f"({new!r})", name).replace(repr(new), name)
    return line


@row("ER5", "RMSProp is like AdaGrad, not like AdaDelta", rules.AdaGrad, rules.RMSProp, written)
def er5() -> Result:
    adagrad, rmsprop, adadelta = map(written, (rules.AdaGrad(eps_mode="inside"), rules.RMSProp(), rules.AdaDelta()))
    table = Table(
        ("rule", "its line for w, in minidl's letters"),
        [("AdaGrad", adagrad), ("RMSProp", rmsprop), ("AdaDelta", adadelta)],
    )
    checks = [
        number("RMSProp's line against AdaGrad's", rmsprop, adagrad, DERIVED),
        claim(
            "AdaDelta's, which the note discusses only later, is another",
            adadelta,
            adadelta != rmsprop,
            f"not {rmsprop}",
            DERIVED,
        ),
    ]
    return Result(checks, [table], text="Should read “de forma similar a Adagrad”. The lines are read off the rules.")


@row("ER6", "Momentum: from Σ to (1 - β)Σ without a word", rules.Momentum)
def er6() -> Result:
    summed, averaged = rules.Momentum(beta=0.5), rules.Momentum(beta=0.5, form="averaged")
    checks = [
        number("Σ β^τ·g, η = 0.6", after_20(summed, 0.6), "epoch 20, x1: 0.007188, x2: 0.002553", NOTE_A),
        number("(1 - β)·Σ β^τ·g, the same η", after_20(averaged, 0.6), "epoch 20, x1: -0.289993, x2: 0.001723", OURS),
        number("(1 - β)·Σ β^τ·g, η/(1 - β) = 1.2", after_20(averaged, 1.2), after_20(summed, 0.6), DERIVED),
    ]
    return Result(checks, text="Two conventions: equal only with η/(1 - β) in the second.")


@row("ER7", "Momentum does not adapt the learning rate of each parameter", rules.Momentum, rules.AdaGrad)
def er7() -> Result:
    g = np.array([0.01, 1.0, 100.0])
    rows, rates = [], {}
    for rule, lr in ((rules.Momentum(beta=0.5), 0.6), (rules.AdaGrad(eps=1e-6, eps_mode="inside"), 0.6)):
        theta = np.zeros(3)
        state = list(rule.init(theta))
        for t in range(1, 6):
            before = theta
            theta, *state = rule(theta, g, *state, lr=lr, t=t)
        direction = state[0] if rule.name == "Momentum" else g
        rates[rule.name] = (before - theta) / direction
        rows.append((rule.name, "v" if rule.name == "Momentum" else "g", *(f"{rate:.4g}" for rate in rates[rule.name])))
    table = Table(
        ("rule", "moves along", "rate for g = 0.01", "g = 1", "g = 100"),
        rows,
        "Step divided by what it moves along, fifth step, η = 0.6.",
    )
    checks = [
        claim(
            "momentum: one η for all coordinates",
            f"{rates['Momentum']}",
            bool(np.allclose(rates["Momentum"], 0.6)),
            "0.6 for each",
            DERIVED,
        ),
        claim(
            "AdaGrad does adapt it",
            f"from {rates['AdaGrad'].min():.2g} to {rates['AdaGrad'].max():.2g}",
            rates["AdaGrad"].max() > 1000 * rates["AdaGrad"].min(),
            "10,000-fold, as the gradients",
            DERIVED,
        ),
    ]
    return Result(
        checks, [table], text="Momentum filters the gradient of each coordinate; the learning rate stays one number."
    )


@row("ER8", "η = 0.6: x1 is nearer 0, not converged", rules.SGD, descend)
def er8() -> Result:
    slow, fast = (descend(rules.SGD(), bowl, START, lr)[-1, 0] for lr in (0.4, 0.6))
    checks = [
        number("x1 after 20 steps at η = 0.6", f"{fast:f}", "-0.387814", NOTE_A, "x1: -0.387814"),
        number(
            "closed form -5·0.88^20", f"{-5 * (1 - 0.6 * CURVATURES[0]) ** 20:f}", "-0.387814", NOTE_A, "x1: -0.387814"
        ),
        claim(
            "faster than at η = 0.4, where it is",
            f"{slow:f}",
            abs(fast) < abs(slow),
            "",
            NOTE_A,
            "x_1 converge a 0 más rápidamente",
        ),
        claim("but not yet at 0: distance left, of 5", f"{abs(fast):.2f}", abs(fast) > 0.1, "over 0.1", OURS),
    ]
    return Result(checks)


@row("ER10", "The second condition: Σ α_{2k} for Σ α_k²", robbins_monro, schedules.inverse_time)
def er10() -> Result:
    alpha = schedules.inverse_time(1.0, 1, 1.0)  # α_k = 1/k, for k from 1: alpha(k - 1)
    counts = (10, 1000, 100_000)
    printed = [sum(alpha(2 * k - 1) for k in range(1, n + 1)) for n in counts]
    meant = [sum(alpha(k - 1) ** 2 for k in range(1, n + 1)) for n in counts]
    rows = [(f"{n:,}", f"{a:.4f}", f"{b:.6f}") for n, a, b in zip(counts, printed, meant, strict=True)]
    table = Table(("terms", "Σ α_{2k}, as printed", "Σ α_k², as meant"), rows, "α_k = 1/k, which the theorem allows.")
    per_decade = (printed[2] - printed[1]) / 2
    checks = [
        claim(
            "as printed, the sum grows without end: by ½·ln 10 for ten times the terms",
            f"{per_decade:.4f}",
            abs(per_decade - math.log(10) / 2) < 1e-3,
            f"{math.log(10) / 2:.4f}",
            DERIVED,
        ),
        claim(
            "as meant, it converges to π²/6",
            f"{meant[2]:.4f}",
            abs(meant[2] - math.pi**2 / 6) < 1e-4,
            f"{math.pi**2 / 6:.4f}",
            DERIVED,
        ),
        claim(
            "so 1/k meets both conditions as meant, and would fail the second as printed",
            f"{bool(robbins_monro(alpha))}",
            bool(robbins_monro(alpha)),
            "True",
            DERIVED,
        ),
    ]
    return Result(checks, [table])


@row("ER15", "Adam's momentum is a plain average; NAdam is the Nesterov one", written, rules.Adam, rules.NAdam)
def er15() -> Result:
    adam, nadam = written(rules.Adam()), written(rules.NAdam(momentum_decay=None))
    lines = [("Adam", adam), ("NAdam, constant β1", nadam), ("RMSProp + Nesterov", written(rules.RMSPropNesterov()))]
    ends = [
        ("Adam", rules.Adam(), "epoch 20, x1: 0.996033, x2: -0.212751"),
        ("RMSProp + Nesterov, β = 0.5", rules.RMSPropNesterov(beta=0.5), "epoch 20, x1: 0.000042, x2: -0.000000"),
        ("NAdam, constant β1", rules.NAdam(momentum_decay=None), "epoch 20, x1: 0.817388, x2: -0.147050"),
    ]
    checks = [
        claim(
            "Adam's step is v̂/(√ŝ + ε): no g beside v, no look-ahead",
            adam,
            re.search(r"\bg\b", adam) is None,
            "no g",
            DERIVED,
        ),
        claim("NAdam's takes the newest g once more", nadam, re.search(r"\bg\b", nadam) is not None, "a g", DERIVED),
        *(number(f"{name}, η = 0.4", after_20(rule, 0.4), expected, OURS) for name, rule, expected in ends),
    ]
    text = "Adam is a variant of RMSProp with momentum; Nesterov's look-ahead is not in it."
    return Result(checks, [Table(("rule", "its line for θ"), lines, "v and s are the new ones.")], text=text)


@row("ER18", "“A β for each parameter” means a rate for each", rules.AdaGrad)
def er18() -> Result:
    rule = rules.AdaGrad(eps=1e-6, eps_mode="inside")
    theta, state = AT, list(rule.init(AT))
    for t in range(1, 21):
        theta, *state = rule(theta, slope(theta), *state, lr=0.4, t=t)
    rate = 0.4 / np.sqrt(state[0] + 1e-6)
    numbers = ", ".join(rule.numbers())
    checks = [
        claim(
            "AdaGrad's rates η/√(s + ε) of x1 and x2 after 20 steps",
            f"{rate.round(4)}",
            rate[0] > 2 * rate[1],
            "one for each parameter, more than twofold apart",
            OURS,
        ),
        claim(
            "its hyperparameters are still one number each",
            numbers,
            all(np.ndim(getattr(rule, n)) == 0 for n in rule.numbers()),
            "no β per parameter",
            DERIVED,
        ),
    ]
    return Result(checks)
