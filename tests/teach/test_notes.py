"""A note's own equations: as it prints them, with numbers that come out when they are worked out by hand."""

import math
import re

import numpy as np
import pytest
from ledger_cases import CASES, descent, every_rule

from minidl import nn, optim
from minidl.errors import OptionError
from minidl.optim import schedules
from minidl.optim.rule import Rule
from minidl.teach import explain, ledger
from minidl.teach._ledger.contributions import contributions
from minidl.teach._ledger.entry import Entry

INSIDE, OUTSIDE = {"eps_mode": "inside"}, {"eps_mode": "outside"}

# Typed from the notes, in LaTeX as they have it; bold type, which note B has now and then, is left out.
GRADIENT = r"g \leftarrow \frac{1}{|\mathcal{B}|} \nabla_{\theta} J(\theta)"
AHEAD = r"g \leftarrow \frac{1}{|\mathcal{B}|} \nabla_{\theta} J(\tilde{\theta})"
INTERIM = r"\tilde{\theta} \leftarrow \theta + \beta v"
NOTES = {
    ("A", "Momentum"): (
        (optim.Momentum, {}),
        [r"v_t = \beta v_{t-1} + g_t", r"x_t = x_{t-1} - \eta v_t"],
    ),
    ("A", "AdaGrad"): (
        (optim.AdaGrad, INSIDE),
        [r"s_t = s_{t-1} + g_t^2", r"w_t = w_{t-1} - \frac{\eta}{\sqrt{s_t + \varepsilon}} g_t"],
    ),
    ("A", "RMSProp"): (
        (optim.RMSProp, {}),
        [
            r"s_t = \gamma s_{t-1} + (1 - \gamma)g_t^2",
            r"w_t = w_{t-1} - \frac{\eta}{\sqrt{s_t + \varepsilon}} g_t",
        ],
    ),
    ("A", "AdaDelta"): (
        (optim.AdaDelta, {}),
        [
            r"s_{t} = \gamma s_{t-1} + (1 - \gamma)g_{t}^{2}",
            r"w_t = w_{t-1} - \frac{\sqrt{\Delta x_{t-1} + \varepsilon}}{\sqrt{s_t + \varepsilon}} g_t",
            r"\Delta x_{t} = \gamma \Delta x_{t-1} + (1 - \gamma)g_{t}^{2}",
        ],
    ),
    ("A", "Adam"): (
        (optim.Adam, INSIDE),
        [
            r"v_t = \beta_1 v_{t-1} + (1 - \beta_1) g_t",
            r"s_t = \beta_2 s_{t-1} + (1 - \beta_2) g_t^2",
            r"v_t' = \frac{v_t}{1 - \beta^t}",
            r"s_t' = \frac{s_t}{1 - \beta^t}",
            r"w_t = w_{t-1} - \frac{\eta v_t'}{\sqrt{s_t' + \varepsilon}}",
        ],
    ),
    ("B", "SGD"): ((optim.SGD, {}), [GRADIENT, r"\theta \leftarrow \theta - \alpha_k g"]),
    ("B", "Momentum"): (
        (optim.Momentum, {"form": "velocity"}),
        [GRADIENT, r"v \leftarrow \beta v - \alpha_k g", r"\theta \leftarrow \theta + v"],
    ),
    ("B", "Nesterov"): (
        (optim.Nesterov, {}),
        [INTERIM, AHEAD, r"v \leftarrow \beta v - \alpha_k g", r"\theta \leftarrow \theta + v"],
    ),
    ("B", "AdaGrad"): (
        (optim.AdaGrad, OUTSIDE),
        [
            GRADIENT,
            r"r \leftarrow r + g \odot g",
            r"\theta \leftarrow \theta + -\frac{\alpha}{\delta + \sqrt{r}} \odot g",
        ],
    ),
    ("B", "RMSProp"): (
        (optim.RMSProp, {}),
        [
            GRADIENT,
            r"r \leftarrow \rho r + (1 - \rho) g \odot g",
            r"\theta \leftarrow \theta + -\frac{\alpha}{\sqrt{\delta + r}} \odot g",
        ],
    ),
    ("B", "RMSPropNesterov"): (
        (optim.RMSPropNesterov, {}),
        [
            INTERIM,
            AHEAD,
            r"r \leftarrow \rho r + (1 - \rho)g \odot g",
            r"v \leftarrow \beta v - \frac{\alpha}{\sqrt{r + \delta}} \odot g",
            r"\theta \leftarrow \theta + v",
        ],
    ),
    ("B", "Adam"): (
        (optim.Adam, {}),
        [
            GRADIENT,
            r"v \leftarrow \beta_1 v + (1 - \beta_1) g",
            r"r \leftarrow \beta_2 r + (1 - \beta_2) g \odot g",
            r"\hat{v} \leftarrow \frac{v}{1 - \beta_1^t}",
            r"\hat{r} \leftarrow \frac{r}{1 - \beta_2^t}",
            r"\theta \leftarrow \theta - \alpha \frac{\hat{v}}{\sqrt{\hat{r}} + \delta}",
        ],
    ),
}
MISPRINTS = {  # of note A; minidl prints what is meant, and says so
    r"\Delta x_{t} = \gamma \Delta x_{t-1} + (1 - \gamma)g_{t}^{2}": r"\Delta x_{t} = \gamma \Delta x_{t-1} + (1 - \gamma)g_{t}'^{2}",
    r"v_t' = \frac{v_t}{1 - \beta^t}": r"v_t' = \frac{v_t}{1 - \beta_1^t}",
    r"s_t' = \frac{s_t}{1 - \beta^t}": r"s_t' = \frac{s_t}{1 - \beta_2^t}",
}
IN_WORDS = r"g_t' = \frac{\sqrt{\Delta x_{t-1} + \varepsilon}}{\sqrt{s_t + \varepsilon}} g_t"  # "la actualización"
every_line = pytest.mark.parametrize("case", NOTES, ids=" ".join)


def plain(latex):
    """LaTeX without what does not show: spaces, sizes of brackets, braces around one letter."""
    latex = re.sub(r"\s|\\left(?=\()|\\right(?=\))", "", latex)
    return re.sub(r"(?<=[_^]){(\w)}", r"\1", latex)


@every_line
def test_the_equation_is_the_notes_own_line_for_line(case):
    note, rule = case
    printed = descent(NOTES[case][0])[0].at(3).latex(note=note).splitlines()[1:-1]
    sides = [plain(line.replace("&", "").removesuffix(r" \\")).split("=") for line in printed]
    shown = ["=".join(side[: 2 if note == "A" else 1]) for side in sides]
    typed = [plain(MISPRINTS.get(line, line)) for line in NOTES[case][1]]
    if rule == "AdaDelta":
        typed.insert(2, plain(IN_WORDS))
    assert shown == typed


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (("A", "AdaGrad"), ["sₜ = sₜ₋₁ + gₜ²", "wₜ = wₜ₋₁ - η / √(sₜ + ε) · gₜ"]),
        (("A", "Adam"), ["vₜ = β₁·vₜ₋₁ + (1 - β₁)·gₜ", "sₜ = β₂·sₜ₋₁ + (1 - β₂)·gₜ²", "vₜ′ = vₜ / (1 - β₁^t)",
                         "sₜ′ = sₜ / (1 - β₂^t)", "wₜ = wₜ₋₁ - η·vₜ′ / √(sₜ′ + ε)"]),
        (("B", "Momentum"), ["g ← 1/|B|·∇J(θ)", "v ← β·v - αₖ·g", "θ ← θ + v"]),
        (("B", "Nesterov"), ["θ̃ ← θ + β·v", "g ← 1/|B|·∇J(θ̃)", "v ← β·v - αₖ·g", "θ ← θ + v"]),
        (("B", "AdaGrad"), ["g ← 1/|B|·∇J(θ)", "r ← r + g ⊙ g", "θ ← θ + -α / (δ + √r) ⊙ g"]),
    ],
    ids=str,
)  # fmt: skip
def test_on_a_terminal_it_reads_as_in_the_note(case, expected):
    printed = descent(NOTES[case][0])[0].at(3).text(note=case[0]).splitlines()[1:]
    sign = " = " if case[0] == "A" else " ← "
    shown = [sign.join(re.split(f"{sign}| = ", line.strip())[:2]) for line in printed]
    assert shown[: len(expected)] == expected


# the numbers, worked out by hand: the notes' algorithms typed again, on floats


def worked_out(note, rule, lr, decay, steps, f):
    """The values of each line at each step, by name, as the note's algorithm has them."""
    theta, v, s, d, found = -5.0, 0.0, 0.0, 0.0, []
    for t in range(1, steps + 1):
        alpha, at, values = lr(t - 1), theta, {}
        if "Nesterov" in rule:
            at = values["interim"] = theta + 0.9 * v
        g = values["g"] = f(at) + decay * at
        if rule == "SGD":
            theta = theta - alpha * g
        elif rule == "Momentum" and note == "A":
            v = values["v"] = 0.9 * v + g
            theta = theta - alpha * v
        elif rule in ("Momentum", "Nesterov"):
            v = values["v"] = 0.9 * v - alpha * g
            theta = theta + v
        elif rule == "AdaGrad":
            s = values["s"] = s + g**2
            theta = theta - alpha * g / (math.sqrt(s + 1e-7) if note == "A" else math.sqrt(s) + 1e-7)
        elif rule == "RMSProp":
            s = values["s"] = 0.9 * s + 0.1 * g**2
            theta = theta - alpha * g / math.sqrt(s + 1e-6)
        elif rule == "RMSPropNesterov":
            s = values["s"] = 0.9 * s + 0.1 * g**2
            v = values["v"] = 0.9 * v - alpha * g / math.sqrt(s + 1e-6)
            theta = theta + v
        elif rule == "AdaDelta":
            s = values["s"] = 0.95 * s + 0.05 * g**2
            step = values["step"] = math.sqrt(d + 1e-6) / math.sqrt(s + 1e-6) * g
            d = values["d"] = 0.95 * d + 0.05 * step**2
            theta = theta - step
        elif rule == "Adam":
            v = values["v"] = 0.9 * v + 0.1 * g
            s = values["s"] = 0.999 * s + 0.001 * g**2
            v_hat = values["v_hat"] = v / (1 - 0.9**t)
            s_hat = values["s_hat"] = s / (1 - 0.999**t)
            theta -= alpha * v_hat / (math.sqrt(s_hat + 1e-8) if note == "A" else math.sqrt(s_hat) + 1e-8)
        found.append(values | {"theta": theta})
    return found


def evaluated(text):
    """What a line of numbers comes to in Python."""
    text = re.sub(r"√(\d[\d.e+-]*)", r"sqrt(\1)", text.replace("√(", "sqrt(")).replace("·", "*")
    return eval(text.replace("²", "**2").replace("^", "**"), {"sqrt": math.sqrt})


SETTINGS = {
    "plain": (0.1, 0.0),
    "schedule": (schedules.linear(0.1, 0.01, 8), 0.0),
    "weight decay": (0.1, 0.05),
    "both": (schedules.exponential(0.1, 4, 0.5), 0.05),
}


@pytest.mark.parametrize("settings", SETTINGS)
@every_line
def test_its_numbers_come_out_when_they_are_worked_out_by_hand(case, settings):
    (note, rule), (lr, decay) = case, SETTINGS[settings]
    if rule == "AdaDelta":
        lr = 1.0
    kind, options = NOTES[case][0]
    book, _ = descent((kind, {**options, "lr": lr, "weight_decay": decay}), steps=10)
    expected = worked_out(note, rule, lr if callable(lr) else lambda _: lr, decay, 10, lambda x: 0.2 * x)
    for t in (1, 2, 10):
        entry = book.at(t, "x", 0).in_note(note)
        assert entry.note == note
        shown = entry.text(note=note, digits=17).splitlines()[1 : 1 + len(entry.lines)]
        for line, printed in zip(entry.lines, shown, strict=True):
            _, *numbers = printed.split(" = ")
            values = [evaluated(side) for side in numbers[1 if note == "A" else 0 :]]
            assert values == pytest.approx([expected[t - 1][line.name]] * len(values), rel=1e-12, abs=1e-300), printed


@every_line
def test_its_last_values_are_what_the_optimizer_holds(case):
    note, _ = case
    book, optimizer = descent(NOTES[case][0], steps=7)
    with optimizer.at_iterate():
        theta = optimizer.groups[0]["params"][0].numpy().copy()
    for i in (0, 1):
        entry = book.at(7, "x", i).in_note(note)
        assert entry.computed["theta"] == pytest.approx(theta[i], rel=1e-12)
        for name in entry.rule.state:
            assert entry.computed[name] == pytest.approx(optimizer.state[name][i], rel=1e-12)


@every_line
def test_its_parts_add_up_to_the_step_of_theta_itself(case):
    for entry in descent((NOTES[case][0][0], NOTES[case][0][1] | {"weight_decay": 0.1}), steps=5)[0]:
        own = entry.in_note(case[0])
        parts = contributions(own)
        assert math.fsum(parts.values()) == pytest.approx(own.step, rel=1e-13, abs=1e-18)
        assert abs(parts["rounding"]) <= 1e-13 * abs(own.before["theta"])
        assert "other" not in parts


def test_a_look_ahead_rule_moves_theta_by_its_velocity():
    entry = descent("Nesterov")[0].at(3)
    assert "Δθ = 0.258504" in entry.text(note="B")
    said = explain(entry, note="B")
    assert "moved x[0] by +0.2585" in said
    assert "Momentum (what the earlier steps have left) contributed +0.1676." in said
    assert "(These are θ itself; what the parameter holds is the look-ahead point, θ̃, where the gradient" in said


# where the note has something else, or nothing


@pytest.mark.parametrize(
    ("case", "note", "said"),
    [
        ("Nesterov", "A", "Note A has no Nesterov: these are minidl's lines, in the note's letters."),
        ("RMSPropNesterov", "A", "Note A has no RMSPropNesterov"),
        ("AdaDelta", "B", "Note B has no AdaDelta"),
        ("AdamW", "A", "Note A has no AdamW"),
        ("NAdam", "B", "Note B has no NAdam"),
        ("Momentum", "B", 'Note B has form="velocity", this training form="accumulated": these are minidl\'s lines'),
        ("Momentum averaged", "A", 'Note A has form="accumulated", this training form="averaged"'),
        ("AdaGrad", "A", 'Note A has eps_mode="inside", this training eps_mode="outside"'),
        ("Adam hat", "B", 'Note B has eps_mode="outside", amsgrad=False, this training eps_mode="hat", amsgrad=True'),
        ((optim.AdaDelta, {"lr": 0.5}), "A", "Note A has lr=1.0, this training lr=0.5"),
        ("SGD", "A", "Note A has no line of its own for this rule: it is that of its momentum, with β = 0."),
        ((optim.Adam, INSIDE), "A", "Note A prints 1 - β^t, one β for both corrections; β₁ and β₂ are meant."),
        ("AdaDelta", "A", "Note A prints gₜ² in the line of Δxₜ, where gₜ′² is meant"),
        ("SGD decayed", "B", "Note B has no weight decay: λ·θ, the gradient of the regularisation λ/2·θ², joins"),
    ],
    ids=str,
)
def test_one_line_says_where_the_note_has_something_else(case, note, said):
    entry = descent(case)[0].at(3)
    (last,) = [line for line in entry.text(note=note).splitlines() if "Note " in line]
    assert last.strip().startswith(said)


def test_without_the_notes_convention_minidls_own_lines_are_printed_in_its_letters():
    shown = descent("Momentum")[0].at(2, "x", 0).text(note="B").splitlines()
    assert shown[1:4] == [
        "  v ← β·v + g = 0.5·(-1) + (-0.88) = -1.38",
        "  θ ← θ - α·v = -4.4 - 0.6·(-1.38) = -3.572",
        "  Δθ = 0.828",
    ]


@pytest.mark.parametrize(
    ("case", "letters", "said"),
    [
        ("Momentum", "B", "v ← β·v - αₖ·g; θ ← θ + v"),
        ("AdaGrad", "A", "wₜ = wₜ₋₁ - η / √(sₜ + ε) · gₜ"),
        ("Nesterov decayed", "B", "θ̃ ← θ + β·v; θ ← θ + v"),
    ],
)
def test_letters_alone_are_told_from_the_notes_convention(case, letters, said):
    last = descent(case)[0].at(3).text(letters=letters).splitlines()[-1]
    assert last == f'  Note {letters} itself writes {said}: that is --note {letters}, or note="{letters}".'


@pytest.mark.parametrize(("case", "letters"), [("Momentum", "A"), ("RMSProp", "B"), ("AdamW", "A"), ("Adam", "code")])
def test_letters_in_the_notes_convention_need_no_word(case, letters):
    assert "Note" not in descent(case)[0].at(3).text(letters=letters)


def test_adadelta_shows_no_learning_rate_where_it_is_one():
    shown = descent("AdaDelta")[0].at(3)
    assert "η" not in shown.text(note="A") + shown.text(letters="A")
    assert "w ← w - g′ = -4.991 - (-0.00456293) = -4.98644" in shown.text(letters="A")
    assert "w ← w - η·g′" in descent((optim.AdaDelta, {"lr": 0.5}))[0].at(3).text(letters="A")


class Adam(Rule):
    """A rule of somebody's own that is called as one of minidl's."""

    lr = 0.1
    state = ()

    def update(self, theta, g, *, lr, t):
        return (theta - 2 * lr * g,)


def test_a_rule_of_ones_own_is_never_shown_as_the_notes_rule_of_that_name():
    entry = Entry("w", Adam(), 0.1, 1, 0.5, {"theta": 1.0}, {"theta": 0.9}, np.dtype("float64"))
    assert "w ← w - 2·η·g = 1 - 2·0.1·0.5 = 0.9" in entry.text(note="A")


@every_rule
@pytest.mark.parametrize("note", ["A", "B", "code"])
def test_every_rule_is_written_in_every_note_and_markup(case, note):
    entry = descent(case, dtype="float32")[0].at(3)
    assert entry.rich(note=note).plain == entry.text(note=note)
    assert entry.latex(note=note).count("{") == entry.latex(note=note).count("}")
    assert entry.mathml(note=note).startswith("<math ")
    if note == "code":
        assert entry.text(note=note) == entry.text()


def test_a_note_and_other_letters_or_one_that_is_not_there_are_refused():
    entry = descent("SGD")[0].at(1)
    with pytest.raises(OptionError, match="letters='A' with note='B'"):
        entry.text("A", note="B")
    with pytest.raises(OptionError, match="note='C': choose one of 'A', 'B', 'code'"):
        entry.text(note="C")
    with pytest.raises(OptionError, match="decimal=';'"):
        explain(entry, decimal=";")


def test_decimals_have_the_languages_comma_but_not_in_python():
    entry = descent("Momentum")[0].at(2, "x", 0)
    spanish = entry.text(note="A", language="es").splitlines()
    assert spanish[1] == "  vₜ = β·vₜ₋₁ + gₜ = 0,5·(-1) + (-0,88) = -1,38"
    assert entry.text(note="A", language="es", decimal=".") == entry.text(note="A")
    assert "0.5 * (-1)" in entry.text(language="es")
    assert "theta se desplazó en 0.828" in entry.text(language="es")
    assert "theta si è spostato di 0.828" in entry.text(language="it")
    assert "0{,}5 \\cdot" in entry.latex(note="A", decimal=",")
    assert "<mn>0,5</mn>" in entry.mathml(note="A", decimal=",")
    assert "max(0,00449685; 0,00674055)" in descent("Adam hat")[0].at(3).text(letters="A", decimal=",")


def test_every_fixed_string_is_in_the_language():
    entry = descent("Momentum", dtype="float32")[0].at(3)
    assert "guardado como float32: xₜ = -2,7293599 (+1,3e-07); vₜ = -1,4044001 (" in entry.text(note="A", language="es")
    assert "conservato come float32: " in entry.text(note="A", language="it")
    assert "La nota B tiene form=" in entry.text(note="B", language="es")
    assert "La nota B ha form=" in entry.text(note="B", language="it")


def test_parameters_are_called_by_their_names():
    model = nn.Sequential(nn.Dense(2, 1))
    optimizer = optim.SGD(model.parameters())
    books = [ledger(optimizer, [(model.layers[0].weight, (1, 0))], names) for names in (None, model)]
    model(np.ones((1, 2), np.float32)).sum().backward()
    optimizer.step()
    assert [book.at(1).where for book in books] == ["parameters[0][1, 0]", "layers.0.weight[1, 0]"]
    assert books[0].at(1).after["theta"] == optimizer.parameters[0].numpy()[1, 0]


def test_every_case_of_the_notes_is_one_of_minidls_rules():
    assert {rule for _, rule in NOTES} | {"AdamW", "NAdam"} == {kind.__name__ for kind, _ in CASES.values()}
