"""AdaGrad, RMSProp, AdaDelta and Adam: EA6, EA8, EA9, EA11 and EB7-EB10."""

from typing import Any

import numpy as np

from .... import nn, optim
from ....optim import rules, schedules
from ....optim.rule import Rule
from ...functions import START, after_20, bowl, descend, slope
from .. import as_printed
from ..registry import DERIVED, NOTE_A, NOTE_B, OURS, Result, Table, claim, number, row


@row("EA6", "ε = 1e-6 or 1e-7", rules.AdaGrad)
def ea6() -> Result:
    small, smaller = (rules.AdaGrad(eps=eps, eps_mode="inside") for eps in (1e-6, 1e-7))
    rows = [(f"{eta:g}", f"{rule.eps:g}", after_20(rule, eta)) for eta in (0.4, 2.0) for rule in (small, smaller)]
    table = Table(("η", "ε", "after 20 steps"), rows)
    apart = max(
        np.abs(descend(small, bowl, START, eta) - descend(smaller, bowl, START, eta)).max() for eta in (0.4, 2.0)
    )
    zero = np.zeros(1)
    with np.errstate(invalid="ignore"):
        undefined = rules.AdaGrad(eps=0.0, eps_mode="inside")(zero, zero, zero, lr=0.4, t=1)[0][0]
    defined = small(zero, zero, zero, lr=0.4, t=1)[0][0]
    checks = [
        claim(
            "the choice does not matter: largest distance of the two paths",
            f"{apart:.0e}",
            apart < 1e-5,
            "below 1e-5",
            OURS,
        ),
        number(
            "and yet the print tells which it was: 1e-6", rows[0][2], "epoch 20, x1: -2.382563, x2: -0.158591", NOTE_A
        ),
        claim(
            "what ε is for: a gradient that has always been 0 moves nothing",
            f"{defined:g}; without ε {undefined:g}",
            defined == 0 and bool(np.isnan(undefined)),
            "",
            NOTE_A,
            "para asegurar que no dividamos por cero",
        ),
    ]
    return Result(checks, [table])


@row("EA8", "AdaDelta has no learning rate, but ε acts as one", rules.AdaDelta)
def ea8() -> Result:
    rows, moved = [], []
    for eps in (1e-8, 1e-6, 1e-5, 1e-4, 1e-2):
        path = descend(rules.AdaDelta(rho=0.9, eps=eps), bowl, START, 1.0)
        moved.append(float(path[-1, 0] - START[0]))
        rows.append((f"{eps:g}", f"{path[1, 0] - START[0]:.6f}", f"{np.sqrt(eps / 0.1):.6f}", f"{path[-1, 0]:.6f}"))
    table = Table(("ε", "first step in x1", "√ε/√(1 - ρ)", "x1 after 20 steps"), rows, "ρ = 0.9; the start is x1 = -5.")
    first = descend(rules.AdaDelta(rho=0.9, eps=1e-5), bowl, START, 1.0, 1)
    checks = [
        number("first step at ε = 1e-5", f"{first[1, 0] - START[0]:.4f}", "0.0100", DERIVED),
        claim(
            "a larger ε goes further in 20 steps",
            f"{moved[0]:.4f} ... {moved[-1]:.4f}",
            moved == sorted(moved),
            "further each time",
            DERIVED,
        ),
    ]
    return Result(checks, [table], text=f"minidl's lr = {rules.AdaDelta.lr:g} is a factor of its own.")


@row("EA9", "Adam's bias towards zero, and its correction", rules.Adam, rules.RMSProp)
def ea9() -> Result:
    theta, g = START[0], 0.2 * START[0]
    corrected, v, s = rules.Adam()(theta, g, 0.0, 0.0, lr=0.4, t=1)
    uncorrected = theta - 0.4 * v / np.sqrt(s)
    unaided = rules.RMSProp(rho=0.9, eps=1e-6)(theta, g, 0.0, lr=0.4, t=1)[0]
    rows = [
        ("Adam, corrected", f"{corrected:.3f}", f"{abs(corrected - theta) / 0.4:.2f} η"),
        ("Adam's v and s as they stand", f"{uncorrected:.3f}", f"{abs(uncorrected - theta) / 0.4:.2f} η"),
        ("RMSProp, which corrects nothing", f"{unaided:.3f}", f"{abs(unaided - theta) / 0.4:.2f} η"),
    ]
    table = Table(("rule", "x1 after the first step", "length"), rows, "η = 0.4, from x1 = -5.")
    checks = [
        claim(
            "the moments are biased towards 0: after one step v = 0.1·g and s = 0.001·g²",
            f"{v / g:.3g}·g, {s / g**2:.3g}·g²",
            bool(np.isclose(v, 0.1 * g) and np.isclose(s, 0.001 * g * g)),
            "",
            NOTE_A,
            "Los valores iniciales de estas variables están sesgados hacia 0",
        ),
        number("corrected, the first step is η exactly: -5 goes to", f"{corrected:.4f}", "-4.6000", DERIVED),
        number("uncorrected it is η(1 - β1)/√(1 - β2)", f"{(uncorrected - theta) / 0.4:.2f} η", "3.16 η", DERIVED),
        number("RMSProp's first step is η/√(1 - γ): -5 goes to", f"{unaided:.3f}", "-3.735", DERIVED),
    ]
    return Result(checks, [table])


@row("EA11", "Memory: how many extra arrays a rule keeps", Rule)
def ea11() -> Result:
    known = {"SGD": 0, "Momentum": 1, "AdaGrad": 1, "RMSProp": 1, "AdaDelta": 2, "Adam": 2}
    kinds: list[type[Rule]] = [rules.SGD, rules.Momentum, rules.Nesterov, rules.AdaGrad, rules.RMSProp]
    kinds += [rules.RMSPropNesterov, rules.AdaDelta, rules.Adam, rules.NAdam, rules.AdamW]
    rows = [(kind.__name__, ", ".join(kind.state) or "none", str(len(kind.state))) for kind in kinds]
    table = Table(("rule", "what it keeps", "extra arrays, each as large as the model"), rows)
    w = nn.Parameter(np.zeros(1000))
    kept = sum(vector.size for vector in optim.Adam([w]).state.values())
    checks = [
        number(
            "GD, momentum, AdaGrad, RMSProp, AdaDelta, Adam",
            ", ".join(str(len(getattr(rules, name).state)) for name in known),
            ", ".join(map(str, known.values())),
            DERIVED,
        ),
        number("numbers that Adam keeps for 1,000 parameters", f"{kept:,}", "2,000", DERIVED),
    ]
    return Result(checks, [table], text="The note says it of AdaDelta: one state more than RMSProp.")


def _as_the_note(rule: Rule, lr: Any, printed: np.ndarray) -> Result:
    """The rule's path beside that of the note's algorithm, on note A's f."""
    path = descend(rule, bowl, START, lr)
    worst = float(np.abs(path - printed).max())
    seen = f"{worst:.1e}, after 20 steps at ({path[-1][0]:.6f}, {path[-1][1]:.6f})"
    return Result(
        [claim("distance from the note's algorithm, over 20 steps on note A's f", seen, worst < 1e-12, "0", DERIVED)]
    )


@row("EB7", "AdaGrad with δ outside the root", rules.AdaGrad, as_printed.adagrad)
def eb7() -> Result:
    rule = rules.AdaGrad(eps=1e-7, eps_mode="outside")
    result = _as_the_note(rule, 0.4, as_printed.adagrad(slope, np.array(START), 20, 0.4, 1e-7))
    steps = np.abs(np.diff(descend(rule, bowl, START, 0.4), axis=0))
    result.checks.append(
        claim(
            "“updated much, so updated less now”: the steps shrink",
            f"{steps[0].round(3)} ... {steps[-1].round(3)}",
            bool(np.all(np.diff(steps, axis=0) < 0)),
            "",
            NOTE_B,
            "so che devo aggiornarlo di meno",
        )
    )
    return result


@row("EB8", "RMSProp with δ inside the root", rules.RMSProp, as_printed.rmsprop)
def eb8() -> Result:
    rule = rules.RMSProp(rho=0.9, eps=1e-6)
    result = _as_the_note(rule, 0.4, as_printed.rmsprop(slope, np.array(START), 20, 0.4, 0.9, 1e-6))
    gradients = np.array([10.0] * 10 + [0.1] * 60)
    theta = np.zeros(1)
    state, step = list(rule.init(theta)), []
    for t, g in enumerate(gradients, 1):
        after, *state = rule(theta, np.array([g]), *state, lr=0.4, t=t)
        step.append(abs(after[0] - theta[0]) / g)
    result.checks.append(
        claim(
            "“the step size grows again”: η/√(s + δ) after gradients of 10, then of 0.1",
            f"{step[9]:.3f}, then {step[-1]:.3f}",
            step[-1] > 10 * step[9],
            "larger",
            NOTE_B,
            "Questo aiuta a far diventare lo step-size più grande quando necessario",
        )
    )
    return result


@row("EB9", "RMSProp with Nesterov's momentum", rules.RMSPropNesterov, as_printed.rmsprop_nesterov)
def eb9() -> Result:
    rule = rules.RMSPropNesterov(rho=0.9, beta=0.5, eps=1e-6)
    alpha = schedules.constant(0.4)
    result = _as_the_note(rule, alpha, as_printed.rmsprop_nesterov(slope, np.array(START), 20, alpha, 0.5, 0.9, 1e-6))
    falling = schedules.exponential(0.4, 5, 0.5)
    result.checks += _as_the_note(
        rule, falling, as_printed.rmsprop_nesterov(slope, np.array(START), 20, falling, 0.5, 0.9, 1e-6)
    ).checks
    result.text = "Second line: the same under a falling α."
    return result


@row("EB10", "Adam with δ outside the root", rules.Adam, as_printed.adam)
def eb10() -> Result:
    result = _as_the_note(rules.Adam(), 0.4, as_printed.adam(slope, np.array(START), 20, 0.4, 0.9, 0.999, 1e-8))
    result.text = f"minidl's defaults are β1 = {rules.Adam.beta1} and β2 = {rules.Adam.beta2}, as in the note."
    return result
