"""Note A's and note B's slips on optimizers, each run as printed and as meant: ER1-ER10, ER12-ER15, ER18."""

import math
import re

import numpy as np

from .... import nn, optim
from ....backend import seed
from ....data import Dataset
from ....display.figures import INK, new_figure
from ....optim import rules, schedules
from ....optim.rule import Rule
from ....optim.schedules import robbins_monro
from ....optim.symbols import equation
from ....train import fit
from ...functions import CURVATURES, START, after_20, bowl, descend, point, slope
from ...plots import COLOURS
from .. import as_printed
from ..registry import CLOSED_FORM, REFERENCE, Picture, Result, Table, claim, number, row

AT = np.array(START)


@row(
    "ER1",
    "AdaDelta's second recursion: g² where the update's square belongs",
    as_printed.adadelta_misprinted,
    rules.AdaDelta,
)
def er1() -> Result:
    printed = as_printed.adadelta_misprinted(slope, AT, 20, 0.9, 1e-5)
    meant = descend(rules.AdaDelta(rho=0.9, eps=1e-5), bowl, START, 1.0)
    figure, ((axes,),) = new_figure(width=6)
    axes.semilogy(np.abs(printed[:, 1]), "x-", color=INK, label="as printed: (1 - γ)·g²")
    axes.semilogy(
        np.abs(meant[:, 1]), "o-", markersize=4, color=COLOURS["AdaDelta"], label="as meant: (1 - γ)·g'², minidl"
    )
    axes.set(xlabel="step", ylabel="|x2|", xticks=range(0, 21, 5))
    axes.legend()
    checks = [
        number("as printed, x2 after 20 steps", f"{printed[-1, 1]:.2f}", "10809.66", REFERENCE),
        number(
            "as meant, the rule of minidl",
            f"epoch 20, {point(meant[-1])}",
            "epoch 20, x1: -4.782488, x2: -1.787589",
            REFERENCE,
        ),
    ]
    text = (
        "Should be Δx_t = γΔx_{t-1} + (1 - γ)g'_t², with the update g'_t. As printed, the step is about as large as "
        "the gradient itself."
    )
    return Result(checks, pictures=[Picture(figure, "AdaDelta as printed and as meant, γ = 0.9, ε = 1e-5.")], text=text)


@row("ER2", "AdaDelta: g'_t is named, and appears nowhere", rules.AdaDelta)
def er2() -> Result:
    rule = rules.AdaDelta(rho=0.9, eps=1e-5)
    path = descend(rule, bowl, START, 1.0, 3)
    s = d = np.zeros(2)
    rows, worst = [], 0.0
    for t in range(1, 4):
        g = slope(path[t - 1])
        _, s_now, d_now = rule(path[t - 1], g, s, d, lr=1.0, t=t)
        update = np.sqrt(d + 1e-5) / np.sqrt(s_now + 1e-5) * g  # what the note calls g'_t
        worst = max(worst, float(np.abs(path[t - 1] - update - path[t]).max()))
        rows.append((str(t), f"{g.round(5)}", f"{update.round(5)}", f"{path[t].round(5)}"))
        s, d = s_now, d_now
    table = Table(("t", "g_t", "g'_t = √(Δx_{t-1} + ε)/√(s_t + ε)·g_t", "w_t = w_{t-1} - g'_t"), rows)
    return Result(
        [
            claim(
                "w_t = w_{t-1} - g'_t is what the rule does, at every step",
                f"{worst:.0e}",
                worst < 1e-14,
                "0",
                CLOSED_FORM,
            )
        ],
        [table],
    )


@row("ER3", "Adam's corrections: one bare β for both", as_printed.adam_misprinted, rules.Adam)
def er3() -> Result:
    one, other = (as_printed.adam_misprinted(slope, AT, 20, 0.4, 0.9, 0.999, beta, 1e-8)[-1] for beta in (0.9, 0.999))
    right = descend(rules.Adam(), bowl, START, 0.4)[-1]
    checks = [
        number("as printed, β = β1 = 0.9", f"{one.round(3)}", "[0.52 0.58]", REFERENCE),
        number("as printed, β = β2 = 0.999", f"{other.round(3)}", "[-5.148 -8.137]", REFERENCE),
        number("as meant, β1 for v and β2 for s: minidl", f"{right.round(3)}", "[ 0.996 -0.213]", REFERENCE),
    ]
    return Result(checks, text="Should be v'_t = v_t/(1 - β1^t) and s'_t = s_t/(1 - β2^t). η = 0.4, 20 steps.")


@row("ER4", "Adam's ε: inside the root in note A, outside in the paper", rules.Adam)
def er4() -> Result:
    kinds = {
        "outside, 1e-4": rules.Adam(eps=1e-4, eps_mode="outside"),
        "inside, 1e-4": rules.Adam(eps=1e-4, eps_mode="inside"),
        "inside, 1e-8": rules.Adam(eps=1e-8, eps_mode="inside"),
    }
    ends = {name: descend(rule, bowl, START, 0.4)[-1] for name, rule in kinds.items()}
    first = {name: -rule(0.0, 1e-9, 0.0, 0.0, lr=1.0, t=1)[0] for name, rule in kinds.items()}
    rows = [(name, point(ends[name]), f"{first[name]:.1e}") for name in kinds]
    table = Table(("ε", "after 20 steps on note A's f, η = 0.4", "first step for g = 1e-9, η = 1"), rows)
    outside, inside, squared = first.values()
    last_digits = np.abs(ends["outside, 1e-4"] - ends["inside, 1e-4"]).max()
    checks = [
        claim("not equivalent: with the same ε the last digits differ", f"{last_digits:.0e}", last_digits > 1e-6),
        claim(
            "where g is nearly 0 the step is another altogether",
            f"{inside / outside:.0e} of it",
            inside < 0.1 * outside,
        ),
        claim(
            "there ε inside must be the square of ε outside",
            f"{squared:.2g} against {outside:.2g}",
            bool(np.isclose(squared, outside, rtol=1e-3)),
        ),
    ]
    return Result(checks, [table])


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
        number("RMSProp's line against AdaGrad's", rmsprop, adagrad, "AdaGrad"),
        claim("AdaDelta's, which the note discusses only later, is another", adadelta, adadelta != rmsprop),
    ]
    return Result(checks, [table], text="Should read “de forma similar a Adagrad”. The lines are read off the rules.")


@row("ER6", "Momentum: from Σ to (1 - β)Σ without a word", rules.Momentum)
def er6() -> Result:
    summed, averaged = rules.Momentum(beta=0.5), rules.Momentum(beta=0.5, form="averaged")
    checks = [
        number("Σ β^τ·g, η = 0.6", after_20(summed, 0.6), "epoch 20, x1: 0.007188, x2: 0.002553"),
        number(
            "(1 - β)·Σ β^τ·g, the same η", after_20(averaged, 0.6), "epoch 20, x1: -0.289993, x2: 0.001723", REFERENCE
        ),
        number("(1 - β)·Σ β^τ·g, η/(1 - β) = 1.2", after_20(averaged, 1.2), after_20(summed, 0.6), "first form"),
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
            CLOSED_FORM,
        ),
        claim(
            "AdaGrad does adapt it",
            f"from {rates['AdaGrad'].min():.2g} to {rates['AdaGrad'].max():.2g}",
            rates["AdaGrad"].max() > 1000 * rates["AdaGrad"].min(),
        ),
    ]
    return Result(
        checks, [table], text="Momentum filters the gradient of each coordinate; the learning rate stays one number."
    )


@row("ER8", "η = 0.6: x1 is nearer 0, not converged", rules.SGD, descend)
def er8() -> Result:
    slow, fast = (descend(rules.SGD(), bowl, START, lr)[-1, 0] for lr in (0.4, 0.6))
    checks = [
        number("x1 after 20 steps at η = 0.6", f"{fast:f}", "-0.387814"),
        number("closed form -5·0.88^20", f"{-5 * (1 - 0.6 * CURVATURES[0]) ** 20:f}", "-0.387814"),
        claim("faster than at η = 0.4, where it is", f"{slow:f}", abs(fast) < abs(slow)),
        claim("but not yet at 0: distance left, of 5", f"{abs(fast):.2f}", abs(fast) > 0.1),
    ]
    return Result(checks)


@row("ER9", "AdaDelta: Δx, where the parameters are called w", rules.AdaDelta)
def er9() -> Result:
    rule = rules.AdaDelta(rho=0.9, eps=1e-5)
    w, d = AT, np.zeros(2)
    state = list(rule.init(w))
    for t in range(1, 21):
        before = w
        w, *state = rule(w, slope(w), *state, lr=1.0, t=t)
        d = 0.9 * d + 0.1 * (w - before) ** 2
    off = np.abs(state[1] - d).max()
    checks = [
        claim(
            "what is averaged is (Δw)²: from the steps of w alone, against the rule's own state",
            f"{off:.0e}",
            off < 1e-15,
            "0",
            CLOSED_FORM,
        )
    ]
    return Result(checks, text="Should be Δw. No number changes; minidl calls this state d.")


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
            CLOSED_FORM,
        ),
        claim(
            "as meant, it converges to π²/6",
            f"{meant[2]:.4f}",
            abs(meant[2] - math.pi**2 / 6) < 1e-4,
            f"{math.pi**2 / 6:.4f}",
            CLOSED_FORM,
        ),
        claim(
            "so 1/k meets both conditions as meant, and would fail the second as printed",
            f"{bool(robbins_monro(alpha))}",
            bool(robbins_monro(alpha)),
        ),
    ]
    return Result(checks, [table])


@row("ER12", "Dividing by a small 1 - β^t, not by a small β^t", rules.Adam)
def er12() -> Result:
    factor = {t: (1 / (1 - 0.999**t), 1 / 0.999**t) for t in (1, 10, 100, 1000, 10_000)}
    rows = [(f"{t:,}", f"{meant:.2f}", f"{printed:.3f}") for t, (meant, printed) in factor.items()]
    table = Table(("t", "1/(1 - β2^t)", "1/β2^t"), rows, "β2 = 0.999.")
    _, _, s = rules.Adam()(0.0, 1.0, 0.0, 0.0, lr=0.1, t=1)
    checks = [
        number("the factor at t = 1: 1/(1 - 0.999)", f"{factor[1][0]:.0f}", "1000", REFERENCE),
        number(
            "which makes Adam's first s = (1 - β2)·g² into g² again", f"{s * factor[1][0]:.6f}", "1.000000", CLOSED_FORM
        ),
        claim("and goes to 1, as the note says", f"{factor[10_000][0]:.4f}", factor[10_000][0] < 1.001),
        claim(
            "1/β2^t would begin near 1 and grow",
            f"{factor[1][1]:.3f} ... {factor[10_000][1]:.0f}",
            factor[1][1] < 1.01 < 100 < factor[10_000][1],
        ),
    ]
    return Result(checks, [table])


@row("ER13", "The correction makes the early moments count more, not less", rules.Adam)
def er13() -> Result:
    rule = rules.Adam()
    rng = np.random.default_rng(0)
    gradients = 1.0 + 0.3 * rng.standard_normal(1000)
    v = s = theta = 0.0
    rows, seen = [], {}
    for t, g in enumerate(gradients, 1):
        theta, v, s = rule(theta, g, v, s, lr=0.0, t=t)
        if t in (1, 2, 10, 1000):
            seen[t] = v, v / (1 - 0.9**t)
            rows.append((str(t), f"{v:.3f}", f"{seen[t][1]:.3f}"))
    table = Table(("t", "v: biased towards 0", "v̂: corrected"), rows, "Gradients around 1.")
    checks = [
        claim(
            "at t = 1 the correction multiplies v by 1/(1 - β1)",
            f"{seen[1][1] / seen[1][0]:.1f}",
            bool(np.isclose(seen[1][1], 10 * seen[1][0])),
            "10",
            CLOSED_FORM,
        ),
        claim(
            "v̂ is near the gradients' mean, 1, from the start; v is not",
            f"{seen[2][1]:.2f} against {seen[2][0]:.2f}",
            abs(seen[2][1] - 1) < abs(seen[2][0] - 1),
        ),
        claim(
            "late, there is nothing left to correct",
            f"{seen[1000][1] / seen[1000][0]:.6f}",
            bool(np.isclose(seen[1000][1], seen[1000][0])),
            "1",
            CLOSED_FORM,
        ),
    ]
    return Result(checks, [table])


@row("ER14", "t counts updates, not epochs", optim.Adam)
def er14() -> Result:
    seed(0)
    model = nn.Sequential(nn.Dense(3, 2))
    optimizer = optim.Adam(model.parameters())
    data = Dataset(np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32), np.arange(100) % 2)
    fit(model, data, optimizer=optimizer, epochs=2, batch_size=10, progress=False)
    left = 1 / (1 - 0.9**optimizer.t)
    checks = [
        number("the optimizer's t after 2 epochs of 10 batches", str(optimizer.t), "20", CLOSED_FORM),
        claim("so v's correction is nearly gone after 2 epochs; t = 2 would leave 5.26", f"{left:.2f}", left < 1.2),
    ]
    return Result(checks)


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
        claim("Adam's step is v̂/(√ŝ + ε): no g beside v, no look-ahead", adam, re.search(r"\bg\b", adam) is None),
        claim("NAdam's takes the newest g once more", nadam, re.search(r"\bg\b", nadam) is not None),
        *(number(f"{name}, η = 0.4", after_20(rule, 0.4), expected, REFERENCE) for name, rule, expected in ends),
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
            "one for each parameter",
        ),
        claim(
            "its hyperparameters are still one number each",
            numbers,
            all(np.ndim(getattr(rule, n)) == 0 for n in rule.numbers()),
            "no β per parameter",
        ),
    ]
    return Result(checks)
