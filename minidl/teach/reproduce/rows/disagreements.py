"""Where the two notes disagree, and what minidl has for each side: D1-D11."""

import numpy as np

from .... import nn, optim
from ....optim import rules, schedules
from ....optim.rule import Rule, root
from ...functions import START, after_20, bowl, descend, point
from ..registry import DERIVED, OURS, Result, Table, claim, number, row


def apart(one: Rule, other: Rule, lr: object, other_lr: object = None) -> float:
    """The largest distance of two rules' paths on note A's f, over 20 steps."""
    paths = descend(one, bowl, START, lr) - descend(other, bowl, START, lr if other_lr is None else other_lr)
    return float(np.abs(paths).max())


@row("D1", "Momentum: learning rate outside v (A) or inside (B)", rules.Momentum)
def d1() -> Result:
    a, b = rules.Momentum(beta=0.5), rules.Momentum(beta=0.5, form="velocity")
    falls = schedules.step(0.4, 5, 0.1)
    same, other = apart(a, b, 0.4), apart(a, b, falls)
    theta, g = AT, np.array([0.3, -0.2])
    v_a, v_b = (rule(theta, g, np.zeros(2), lr=0.4, t=1)[1] for rule in (a, b))
    rows = [
        ("A", "accumulated", point(descend(a, bowl, START, falls)[-1])),
        ("B", "velocity", point(descend(b, bowl, START, falls)[-1])),
    ]
    table = Table(("note", "minidl's form=", "after 20 steps under α falling tenfold every 5"), rows)
    checks = [
        claim("constant learning rate: the same path", f"{same:.0e} apart", same < 1e-12, "equal", DERIVED),
        claim(
            "v_B = -α·v_A: A's points uphill, B's downhill",
            f"{v_b} = -0.4·{v_a}",
            bool(np.allclose(v_b, -0.4 * v_a)),
            "equal",
            DERIVED,
        ),
        claim("a learning rate that changes: no longer", f"{other:.2f} apart", other > 0.01, "over 0.01", OURS),
    ]
    return Result(checks, [table], text="B goes on with the steps that were taken at the old rate; A scales them anew.")


@row("D2", "Momentum: a third form, v = βv + (1 - β)g", rules.Momentum)
def d2() -> Result:
    a, third = rules.Momentum(beta=0.5), rules.Momentum(beta=0.5, form="averaged")
    same, other = apart(a, third, 0.6, 1.2), apart(a, third, 0.6)
    checks = [
        claim("with η/(1 - β): the same path", f"{same:.0e} apart", same < 1e-12, "equal", DERIVED),
        claim("with the same η: another", f"{other:.2f} apart", other > 0.1, "over 0.1", OURS),
    ]
    return Result(checks)


@row("D3", "AdaGrad: √(s + ε) (A) or δ + √r (B)", rules.AdaGrad, root)
def d3() -> Result:
    inside = rules.AdaGrad(eps=1e-6, eps_mode="inside")
    outside = rules.AdaGrad(eps=1e-6, eps_mode="outside")
    squared = rules.AdaGrad(eps=1e-12, eps_mode="inside")
    rows = [
        ("√(s + 1e-6)", after_20(inside, 0.4)),
        ("1e-6 + √s", after_20(outside, 0.4)),
        ("√(s + 1e-12)", after_20(squared, 0.4)),
    ]
    close = apart(inside, outside, 0.4)
    g = np.array([1e-9])
    steps = [float(np.abs(rule(np.zeros(1), g, np.zeros(1), lr=1.0, t=1)[0][0])) for rule in (inside, outside, squared)]
    checks = [
        claim("the same at 5 digits for 1e-6", f"{close:.0e} apart", close < 1e-5, "below 1e-5", OURS),
        claim(
            "not where gradients are tiny: the first step for g = 1e-9, η = 1",
            f"{steps[0]:.0e} against {steps[1]:.0e}",
            steps[1] > 100 * steps[0],
            "1000 times as large",
            DERIVED,
        ),
        claim(
            "there ε inside is to be compared with δ squared",
            f"{steps[2]:.2e} against {steps[1]:.2e}",
            bool(np.isclose(steps[2], steps[1], rtol=1e-2)),
            "equal",
            DERIVED,
        ),
    ]
    return Result(checks, [Table(("divisor", "after 20 steps, η = 0.4"), rows)])


@row("D4", "RMSProp: √(s + ε) in both", rules.RMSProp)
def d4() -> Result:
    default = rules.RMSProp()
    checks = [
        number("and so prints, for both notes", after_20(default, 0.4), "epoch 20, x1: -0.010599, x2: 0.000000", OURS),
    ]
    text = f"The two notes agree here: √(δ + r) is √(s + ε). minidl has ε {default.eps_mode} the root."
    return Result(checks, text=text)


@row("D5", "Adam: √(s' + ε) (A) or √r̂ + δ (B)", rules.Adam, root)
def d5() -> Result:
    rows, ends = [], {}
    for eps in (1e-8, 1e-2):
        for mode in ("inside", "outside"):
            ends[eps, mode] = descend(rules.Adam(eps=eps, eps_mode=mode), bowl, START, 0.4)[-1]
            rows.append((f"{eps:g}", mode, point(ends[eps, mode])))
    other = np.abs(ends[1e-2, "inside"] - ends[1e-2, "outside"]).max()
    checks = [
        claim("not equivalent: with ε = 0.01 the prints differ by", f"{other:.4f}", other > 1e-4, "over 0.0001", OURS),
    ]
    return Result(
        checks,
        [
            Table(
                ("ε", "eps_mode=", "after 20 steps, η = 0.4"),
                rows,
                "At ε = 1e-8 the difference is beyond the sixth digit.",
            )
        ],
        text=f"minidl's default has ε {rules.Adam.eps_mode} the root, as note B and the paper have it.",
    )


@row("D6", "The same things under other letters", rules.AdaDelta)
def d6() -> Result:
    rows = [
        ("theta", "w, x", "θ", "parameters"),
        ("lr", "η", "α, α_k", "learning rate"),
        ("g", "g_t, δ(t)", "g", "gradient"),
        ("v", "v", "v", "velocity, first moment"),
        ("s", "s", "r", "squares, second moment"),
        ("beta, beta1", "β, β1", "β, β1", "share of the old v that is kept"),
        ("rho, beta2", "γ, β2", "ρ, β2", "share of the old s that is kept"),
        ("eps", "ε", "δ", "keeps the divisor away from zero"),
        ("d", "Δx", "", "squares of the updates (AdaDelta)"),
        ("gamma, beta (BatchNorm)", "", "γ, β", "scale and shift"),
    ]
    return Result(tables=[Table(("minidl", "note A", "note B", "what it is"), rows)], offered=True)


@row("D7", "β: momentum's, and batch normalisation's", rules.Momentum, nn.BatchNorm)
def d7() -> Result:
    layer = nn.BatchNorm(2)
    optimizer = optim.Momentum(layer.parameters(), beta=0.9)
    names = ", ".join(name for name, _ in layer.named_parameters())
    rows = [
        ("momentum's β", f"optimizer.groups[0]['beta'] = {optimizer.groups[0]['beta']}", "a number of the optimizer"),
        (
            "batch normalisation's β and γ",
            f"{layer!r}: {names}",
            "parameters of the layer, updated by the optimizer",
        ),
    ]
    return Result(tables=[Table(("what", "in minidl", "it is"), rows)], offered=True)


@row("D8", "The learning rate: one number (A), or one per epoch (B)", schedules.per_epoch)
def d8() -> Result:
    alpha = schedules.per_epoch(lambda epoch: 0.1 / (epoch + 1), steps_per_epoch=3)
    seen = [alpha(k) for k in range(7)]
    weight = nn.Parameter([1.0])
    optimizer = optim.SGD([weight], lr=alpha)
    used = []
    for _ in range(7):
        used.append(optimizer.lr)
        optimizer.zero_grad()
        (weight * weight).sum().backward()
        optimizer.step()
    checks = [
        claim(
            "a schedule is a function of the updates made; per_epoch makes one of a function of epochs",
            ", ".join(f"{rate:.3f}" for rate in seen),
            seen[0] == seen[2] != seen[3] == seen[5] != seen[6],
            "0.100 thrice, 0.050 thrice, 0.033",
            DERIVED,
        ),
        claim(
            "the optimizer reads it at each step",
            ", ".join(f"{rate:.3f}" for rate in used),
            used == seen,
            "the same",
            DERIVED,
        ),
        claim(
            "a number is taken as well",
            "SGD(params, lr=0.4)",
            optim.SGD([nn.Parameter([1.0])], lr=0.4).lr == 0.4,
            "0.4",
            DERIVED,
        ),
    ]
    return Result(checks)


@row("D9", "Only in note B: Nesterov, initialisation, batch normalisation, schedules")
def d9() -> Result:
    there = {
        "Nesterov": (optim.Nesterov, "EB6, FB1"),
        "RMSProp + Nesterov": (optim.RMSPropNesterov, "EB9"),
        "Glorot's initialisation": (nn.init.glorot_normal, "EB12"),
        "He's initialisation": (nn.init.he_normal, "EB12"),
        "batch normalisation": (nn.BatchNorm, "EB14, FB5"),
        "a falling α_k": (schedules.linear, "EB1 to EB4"),
    }
    return _offered(there)


@row("D10", "Only in note A: AdaDelta")
def d10() -> Result:
    return _offered({"AdaDelta": (optim.AdaDelta, "A9, EA8, ER1, ER2, ER9")})


def _offered(there: dict[str, tuple[object, str]]) -> Result:
    rows = [(what, f"{kind.__module__}.{kind.__qualname__}", where) for what, (kind, where) in there.items()]  # type: ignore[attr-defined]
    return Result(tables=[Table(("what", "in minidl", "rows"), rows)], offered=True)


@row("D11", "NAdam, which note B only plots: which one?", rules.NAdam)
def d11() -> Result:
    dozat, plain = rules.NAdam(), rules.NAdam(momentum_decay=None)
    rows = [(f"{dozat.momentum_decay:g}, the default", after_20(dozat, 0.4)), ("None", after_20(plain, 0.4))]
    table = Table(
        ("momentum_decay=", "after 20 steps, η = 0.4"), rows, "A number is ψ of Dozat's schedule, of base 0.96."
    )
    without = apart(rules.NAdam(momentum_decay=None, beta1=0.0), rules.Adam(beta1=0.0), 0.4)
    checks = [
        number("constant β1: momentum_decay=None", after_20(plain, 0.4), "epoch 20, x1: 0.817388, x2: -0.147050", OURS),
        claim("with β1 = 0 NAdam is Adam", f"{without:.0e} apart", without < 1e-12, "equal", DERIVED),
    ]
    return Result(checks, [table], text="Dozat (2016) states both; PyTorch and Keras use the schedule.")


AT = np.array(START)
