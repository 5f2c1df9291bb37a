"""Note A's and note B's slips on AdaDelta and Adam, each run as printed and as meant: ER1-ER4, ER9, ER12-ER14."""

import numpy as np

from .... import nn, optim
from ....backend import seed
from ....data import Dataset
from ....display.figures import INK, new_figure
from ....optim import rules
from ....train import fit
from ...functions import START, bowl, descend, point, slope
from ...plots import COLOURS
from .. import as_printed
from ..registry import DERIVED, NOTE_B, OURS, Picture, Result, Table, claim, number, row

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
        number("as printed, x2 after 20 steps", f"{printed[-1, 1]:.2f}", "10809.66", OURS),
        number(
            "as meant, the rule of minidl",
            f"epoch 20, {point(meant[-1])}",
            "epoch 20, x1: -4.782488, x2: -1.787589",
            OURS,
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
                DERIVED,
            )
        ],
        [table],
    )


@row("ER3", "Adam's corrections: one bare β for both", as_printed.adam_misprinted, rules.Adam)
def er3() -> Result:
    one, other = (as_printed.adam_misprinted(slope, AT, 20, 0.4, 0.9, 0.999, beta, 1e-8)[-1] for beta in (0.9, 0.999))
    right = descend(rules.Adam(), bowl, START, 0.4)[-1]
    checks = [
        number("as printed, β = β1 = 0.9", f"{one.round(3)}", "[0.52 0.58]", OURS),
        number("as printed, β = β2 = 0.999", f"{other.round(3)}", "[-5.148 -8.137]", OURS),
        number("as meant, β1 for v and β2 for s: minidl", f"{right.round(3)}", "[ 0.996 -0.213]", OURS),
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
        claim(
            "not equivalent: with the same ε the last digits differ",
            f"{last_digits:.0e}",
            last_digits > 1e-6,
            "over 1e-6",
            OURS,
        ),
        claim(
            "where g is nearly 0 the step is another altogether",
            f"{inside / outside:.0e} of it",
            inside < 0.1 * outside,
            "less than a tenth",
            OURS,
        ),
        claim(
            "there ε inside must be the square of ε outside",
            f"{squared:.2g} against {outside:.2g}",
            bool(np.isclose(squared, outside, rtol=1e-3)),
            "equal",
            DERIVED,
        ),
    ]
    return Result(checks, [table])


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
            DERIVED,
        )
    ]
    return Result(checks, text="Should be Δw. No number changes; minidl calls this state d.")


@row("ER12", "Dividing by a small 1 - β^t, not by a small β^t", rules.Adam)
def er12() -> Result:
    factor = {t: (1 / (1 - 0.999**t), 1 / 0.999**t) for t in (1, 10, 100, 1000, 10_000)}
    rows = [(f"{t:,}", f"{meant:.2f}", f"{printed:.3f}") for t, (meant, printed) in factor.items()]
    table = Table(("t", "1/(1 - β2^t)", "1/β2^t"), rows, "β2 = 0.999.")
    _, _, s = rules.Adam()(0.0, 1.0, 0.0, 0.0, lr=0.1, t=1)
    checks = [
        number("the factor at t = 1: 1/(1 - 0.999)", f"{factor[1][0]:.0f}", "1000", DERIVED),
        number(
            "which makes Adam's first s = (1 - β2)·g² into g² again", f"{s * factor[1][0]:.6f}", "1.000000", DERIVED
        ),
        claim(
            "and goes to 1, as the note says",
            f"{factor[10_000][0]:.4f}",
            factor[10_000][0] < 1.001,
            "1",
            NOTE_B,
            "è come se dividessimo per 1",
        ),
        claim(
            "1/β2^t would begin near 1 and grow",
            f"{factor[1][1]:.3f} ... {factor[10_000][1]:.0f}",
            factor[1][1] < 1.01 < 100 < factor[10_000][1],
            "1.001 ... 22,169",
            DERIVED,
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
            DERIVED,
        ),
        claim(
            "v̂ is near the gradients' mean, 1, from the start; v is not",
            f"{seen[2][1]:.2f} against {seen[2][0]:.2f}",
            abs(seen[2][1] - 1) < abs(seen[2][0] - 1),
            "nearer",
            DERIVED,
        ),
        claim(
            "late, there is nothing left to correct",
            f"{seen[1000][1] / seen[1000][0]:.6f}",
            bool(np.isclose(seen[1000][1], seen[1000][0])),
            "1",
            DERIVED,
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
        number("the optimizer's t after 2 epochs of 10 batches", str(optimizer.t), "20", DERIVED),
        claim(
            "so v's correction is nearly gone after 2 epochs; t = 2 would leave 5.26",
            f"{left:.2f}",
            left < 1.2,
            "1/(1 - 0.9^20) = 1.14",
            DERIVED,
        ),
    ]
    return Result(checks)
