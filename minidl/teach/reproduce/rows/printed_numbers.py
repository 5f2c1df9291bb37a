"""A1-A9: every number that note A prints after 20 steps on f(x) = 0.1·x1² + 2·x2² from (-5, -2)."""

import numpy as np

from ....optim import rules
from ...functions import CURVATURES, START, after_20, bowl, descend, point
from ..registry import DERIVED, NOTE_A, OURS, Result, Table, claim, number, row


@row("A1", "Gradient descent, η = 0.4", bowl, descend, rules.SGD)
def a1() -> Result:
    closed = np.array([x * (1 - 0.4 * curvature) ** 20 for x, curvature in zip(START, CURVATURES, strict=True)])
    off = np.abs(descend(rules.SGD(), bowl, START, 0.4)[-1] - closed).max()
    checks = [
        number("20 steps", after_20(rules.SGD(), 0.4), "epoch 20, x1: -0.943467, x2: -0.000073", NOTE_A),
        claim(
            "distance from the closed form (1 - ηλ)^20·x0 = (-5·0.92^20, -2·(-0.6)^20)",
            f"{off:.0e}",
            off < 1e-12,
            f"0, at {point(closed)}",
            DERIVED,
        ),
    ]
    return Result(checks)


@row("A2", "Gradient descent, η = 0.6: x2 diverges", rules.SGD)
def a2() -> Result:
    steepest = max(CURVATURES)
    factor = 1 - 0.6 * steepest
    limit = 2 / steepest
    x2 = descend(rules.SGD(), bowl, START, limit)[:, 1]
    checks = [
        number("20 steps", after_20(rules.SGD(), 0.6), "epoch 20, x1: -0.387814, x2: -1673.365109", NOTE_A),
        claim("why: each step multiplies x2 by 1 - ηλ", f"{factor:.1f}", factor < -1, "below -1: it diverges", DERIVED),
        claim(
            f"at the limit η = 2/λ = {limit} x2 stays at ±2",
            f"{x2[:4]} ...",
            bool(np.all(np.abs(x2) == 2)),
            "±2",
            DERIVED,
        ),
    ]
    return Result(checks)


@row("A3", "Momentum, β = 0.5, η = 0.6", rules.Momentum)
def a3() -> Result:
    rule = rules.Momentum(beta=0.5)
    return Result([number("20 steps", after_20(rule, 0.6), "epoch 20, x1: 0.007188, x2: 0.002553", NOTE_A)])


@row("A4", "Momentum, β = 0.25, η = 0.6: barely stable", rules.Momentum)
def a4() -> Result:
    rule = rules.Momentum(beta=0.25)
    step, limit = 0.6 * max(CURVATURES), 2 + 2 * 0.25
    later = np.abs(descend(rule, bowl, START, 0.6, 200)[-1]).max()
    checks = [
        number("20 steps", after_20(rule, 0.6), "epoch 20, x1: -0.126340, x2: -0.186632", NOTE_A),
        claim("barely stable: ηλ < 2 + 2β", f"{step:.1f} < {limit:.1f}", step < limit, "converges", DERIVED),
        claim(
            "it does converge: largest coordinate after 200 steps",
            f"{later:.1e}",
            later < 1e-6,
            "",
            NOTE_A,
            "converge a la solución buscada",
        ),
    ]
    return Result(checks)


@row("A5", "Momentum with β = 0 is gradient descent", rules.Momentum, rules.SGD)
def a5() -> Result:
    momentum = descend(rules.Momentum(beta=0.0), bowl, START, 0.6)
    same = np.array_equal(momentum, descend(rules.SGD(), bowl, START, 0.6))
    checks = [
        number("20 steps", f"epoch 20, {point(momentum[-1])}", "epoch 20, x1: -0.387814, x2: -1673.365109", NOTE_A),
        claim(
            "all 20 steps against those of A2, bit for bit",
            "equal" if same else "different",
            same,
            "equal",
            NOTE_A,
            "las ecuaciones se reducen al descenso del gradiente clásico",
        ),
    ]
    return Result(checks)


@row("A6", "AdaGrad, η = 0.4", rules.AdaGrad)
def a6() -> Result:
    rule = rules.AdaGrad(eps=1e-6, eps_mode="inside")
    return Result([number("20 steps", after_20(rule, 0.4), "epoch 20, x1: -2.382563, x2: -0.158591", NOTE_A)])


@row("A7", "AdaGrad, η = 2", rules.AdaGrad)
def a7() -> Result:
    rule = rules.AdaGrad(eps=1e-6, eps_mode="inside")
    return Result([number("20 steps", after_20(rule, 2.0), "epoch 20, x1: -0.002295, x2: -0.000000", NOTE_A)])


@row("A8", "RMSProp on the same function", rules.RMSProp)
def a8() -> Result:
    rule = rules.RMSProp(rho=0.9, eps=1e-6)
    checks = [number("20 steps", after_20(rule, 0.4), "epoch 20, x1: -0.010599, x2: 0.000000", OURS)]
    text = (
        "The note's print is lost, and it names neither η nor γ. η = 0.4, γ = 0.9, ε = 1e-6 are those of the book "
        "Dive into Deep Learning, whose example this is; with them the print is the one here."
    )
    return Result(checks, text=text)


@row(
    "A9", "The rest of the family on the same function",
    rules.AdaDelta, rules.Adam, rules.NAdam, rules.RMSPropNesterov, rules.Nesterov,
)  # fmt: skip
def a9() -> Result:
    family = [
        ("Adadelta, ρ = 0.9, ε = 1e-5", rules.AdaDelta(rho=0.9, eps=1e-5), 1.0, "-4.782488", "-1.787589"),
        ("Adam, η = 0.4, ε = 1e-8 outside", rules.Adam(eps=1e-8), 0.4, "0.996033", "-0.212751"),
        ("NAdam, η = 0.4, constant β1", rules.NAdam(momentum_decay=None), 0.4, "0.817388", "-0.147050"),
        ("RMSProp + Nesterov, η = 0.4, β = 0.5", rules.RMSPropNesterov(beta=0.5), 0.4, "0.000042", "-0.000000"),
        ("Nesterov, η = 0.3, β = 0.5", rules.Nesterov(beta=0.5), 0.3, "-0.369635", "-0.000001"),
        ("Nesterov, η = 0.6, β = 0.5: diverges", rules.Nesterov(beta=0.5), 0.6, "-0.003525", "-47633275.739951"),
    ]
    checks = [
        number(what, after_20(rule, lr), f"epoch 20, x1: {x1}, x2: {x2}", OURS) for what, rule, lr, x1, x2 in family
    ]
    table = Table(("run", "the rule with all its hyperparameters"), [(what, repr(rule)) for what, rule, *_ in family])
    return Result(checks, [table], text="The notes discuss these rules and run none of them on this function.")
