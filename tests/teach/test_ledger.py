"""The ledger: a rule's own equation with the numbers of one weight in it."""

import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from ledger_cases import CASES, descent

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import OptionError, ShapeError, StateError
from minidl.ops import sqrt
from minidl.optim import schedules
from minidl.optim.rule import Rule
from minidl.optim.rules import damping
from minidl.optim.symbols import Symbol
from minidl.teach import ledger
from minidl.teach._ledger.entry import Entry
from minidl.teach.notation.assignments import lines
from minidl.teach.notation.formats import Code, Latex, Text
from minidl.teach.notation.letters import ALPHABETS, Letter
from minidl.train import fit

every_rule = pytest.mark.parametrize("case", CASES)
every_alphabet = pytest.mark.parametrize("letters", ALPHABETS)


# what is printed


def test_note_as_momentum_by_hand():
    book, _ = descent("Momentum")  # β = 0.5, η = 0.6: x1 goes -5, -4.4, -3.572; g is 0.2·x1
    assert book.at(1, "x", 0).text(letters="A").splitlines() == [
        "Momentum, t = 1: x[0]",
        "  v ← β·v + g = 0.5·0 + (-1) = -1",
        "  w ← w - η·v = -5 - 0.6·(-1) = -4.4",
        "  Δw = 0.6",
    ]
    assert book.at(2, "x", 0).text(letters="B").splitlines()[1:] == [
        "  v ← β·v + g = 0.5·(-1) + (-0.88) = -1.38",
        "  θ ← θ - α·v = -4.4 - 0.6·(-1.38) = -3.572",
        "  Δθ = 0.828",
    ]
    assert str(book.at(2, "x", 0)).splitlines()[1:] == [
        "  v ← beta * v + g = 0.5 * (-1) + (-0.88) = -1.38",
        "  theta ← theta - lr * v = -4.4 - 0.6 * (-1.38) = -3.572",
        "  moved theta by 0.828",
    ]


def test_adam_in_the_letters_of_both_notes():
    book, _ = descent("Adam")
    assert book.at(1).text(letters="A", digits=4).splitlines()[1:6] == [
        "  v ← β₁·v + (1 - β₁)·g = 0.9·0 + (1 - 0.9)·(-1) = -0.1",
        "  s ← β₂·s + (1 - β₂)·g² = 0.999·0 + (1 - 0.999)·(-1)² = 0.001",
        "  v′ ← v / (1 - β₁^t) = -0.1 / (1 - 0.9^1) = -1",
        "  s′ ← s / (1 - β₂^t) = 0.001 / (1 - 0.999^1) = 1",
        "  w ← w - η·v′ / (√s′ + ε) = -5 - 0.4·(-1) / (√1 + 1e-8) = -4.6",
    ]
    in_b = book.at(1).text(letters="B")
    assert "  r ← β₂·r + (1 - β₂)·g² = " in in_b
    assert "  θ ← θ - α·v̂ / (√r̂ + δ) = " in in_b


@pytest.mark.parametrize(
    ("case", "letters", "expected"),
    [
        ("SGD decayed", "A", ["g ← g + λ·w", "w ← w - η·g"]),
        ("Momentum velocity", "B", ["g ← g + λ·θ", "v ← β·v - α·g", "θ ← θ + v"]),
        ("Nesterov", "B", ["v ← β·v - α·g", "θ̃ ← θ̃ + β·v - α·g", "θ ← θ̃ - β·v"]),
        ("AdaGrad", "B", ["r ← r + g²", "θ ← θ - α·g / (√r + δ)"]),
        ("RMSProp", "A", ["s ← γ·s + (1 - γ)·g²", "w ← w - η·g / √(s + ε)"]),
        ("RMSProp", "B", ["r ← ρ·r + (1 - ρ)·g²", "θ ← θ - α·g / √(r + δ)"]),
        ("AdaDelta", "A", ["s ← γ·s + (1 - γ)·g²", "g′ ← (√(Δx + ε) / √(s + ε))·g", "Δx ← γ·Δx + (1 - γ)·g′²", "w ← w - η·g′"]),
        ("AdamW", "code", ["theta ← theta * (1 - lr * weight_decay)", "v ← beta1 * v + (1 - beta1) * g"]),
        ("NAdam", "B", ["g ← g + λ·θ", "v ← β₁·v + (1 - β₁)·g", "r ← β₂·r + (1 - β₂)·g²", "μₜ ← β₁·(1 - 0.5·0.96^(t·ψ))"]),
    ],
)  # fmt: skip
def test_a_line_reads_as_the_notes_have_it(case, letters, expected):
    printed = descent(case)[0].at(3).text(letters=letters).splitlines()[1:]
    assert [line.split(" = ")[0].strip() for line in printed][: len(expected)] == expected


@every_rule
@every_alphabet
def test_every_rule_prints_in_every_alphabet(case, letters):
    book, _ = descent(case, dtype="float32")
    for entry in book:
        text = entry.text(letters=letters)
        assert len(text.splitlines()) >= 3
        assert letters == "code" or not re.search(r"theta|beta|rho|eps|\blr\b|weight_decay", text)
        assert entry.rich(letters=letters).plain == text


def test_what_float32_keeps_is_shown_beside_what_the_equation_gives():
    entry = descent("Momentum", dtype="float32")[0].at(3)
    assert entry.computed["theta"] != entry.after["theta"]
    assert "kept as float32: theta = -2.7293599 (+1.3e-07), v = -1.4044001 (-6.0e-08)" in str(entry)
    assert entry.kept["theta"] == np.float32(entry.after["theta"])
    exact = Entry("x", optim.rules.SGD(), 0.5, 1, 2.0, {"theta": 1.0}, {"theta": 0.0}, np.dtype("float32"))
    assert "kept" not in str(exact)


# the numbers are true


def numbers(entry):
    """Each printed line: its name, and what its numbers come to if Python evaluates them."""
    known = {"sqrt": math.sqrt, "maximum": max, "damping": damping}
    for line in entry.text(letters="code", digits=17).splitlines()[1 : 1 + len(entry.lines)]:
        name, sides = line.split(" ← ")
        _, written, *result = sides.split(" = ")
        yield name.strip(), eval(written, known), float(result[0] if result else written)


@every_rule
def test_the_printed_numbers_evaluate_to_what_the_optimizer_did(case):
    for entry in descent(case, steps=6)[0]:
        last = {}
        for name, evaluated, printed in numbers(entry):
            assert evaluated == pytest.approx(printed, rel=1e-12, abs=1e-15)
            last[name] = evaluated
        for name, stored in entry.after.items():
            assert last[name] == pytest.approx(stored, rel=1e-12, abs=1e-15), name


@every_rule
def test_float32_keeps_the_same_numbers_to_its_own_precision(case):
    for entry in descent(case, steps=6, dtype="float32")[0]:
        for name, exact in entry.computed.items():
            assert entry.after[name] == pytest.approx(exact, rel=1e-5, abs=1e-9), name


@every_rule
def test_the_printed_lines_carried_out_in_order_are_the_rule(case):
    for entry in descent(case)[0]:
        names = {"sqrt": math.sqrt, "maximum": max, "damping": damping, "lr": entry.lr, "t": entry.t, "g": entry.g}
        names |= {name: getattr(entry.rule, name) for name in entry.rule.numbers()} | entry.before
        for line in entry.text().splitlines()[1 : 1 + len(entry.lines)]:
            name, expression = re.match(r"  (\w+) ← (.*?) = ", line).groups()
            names[f"{name}_old"], names[name] = names.get(name), eval(expression, names)
        theta, *state = entry.rule(
            entry.before["theta"], entry.g, *list(entry.before.values())[1:], lr=entry.lr, t=entry.t
        )
        assert names["theta"] == pytest.approx(theta, rel=1e-14)
        assert [names[name] for name in entry.rule.state] == pytest.approx(state, rel=1e-14)


def test_a_look_ahead_rule_shows_theta_itself_too():
    for case in ("Nesterov", "RMSPropNesterov"):
        book, optimizer = descent(case)
        with optimizer.at_iterate():
            theta = optimizer.groups[0]["params"][0].numpy().copy()
        shown = [list(numbers(book.at(4, "x", i)))[-1][1] for i in (0, 1)]
        np.testing.assert_allclose(shown, theta, rtol=1e-12)


def test_the_step_and_the_numbers_before_and_after():
    book, optimizer = descent("Adam", steps=3)
    entry, before = book.at(3, "x", 1), book.at(2, "x", 1)
    assert entry.before == before.after
    assert (entry.t, entry.lr, entry.rule.beta2) == (3, 0.4, 0.999)
    assert entry.after["theta"] == optimizer.groups[0]["params"][0].numpy()[1]
    assert entry.after["s"] == optimizer.state["s"][1]
    assert entry.g == 4 * entry.before["theta"]
    assert entry.step == entry.after["theta"] - entry.before["theta"]


# an own rule: nothing is known about the built-in ones


class Swap(Rule):
    """Reads an old state after the new one is there, and gives two results one value."""

    lr = 0.1
    state = ("a", "b", "c")

    def update(self, w, grad, a, b, c, *, lr, t):
        mixed = a + grad
        root_of_it = sqrt(mixed * mixed)
        unused = a * 3  # noqa: F841
        return w - lr * root_of_it, b, mixed, mixed


def test_an_own_rules_names_are_found_and_old_values_told_apart():
    found = [(line.name, str(line.expression)) for line in lines(Swap())]
    assert [name for name, _ in found] == ["b", "root_of_it", "theta", "a", "c"]
    before = {"theta": 1.0, "a": 2.0, "b": 3.0, "c": 4.0}
    after = {"theta": 0.75, "a": 3.0, "b": 2.5, "c": 2.5}
    entry = Entry("w", Swap(), 0.1, 1, 0.5, before, after, np.dtype("float64"))
    assert entry.text(letters="A").splitlines()[1:-1] == [
        "  b ← a + g = 2 + 0.5 = 2.5",
        "  root_of_it ← √(b²) = √(2.5²) = 2.5",
        "  w ← w - η·root_of_it = 1 - 0.1·2.5 = 0.75",
        "  a ← b_old = 3",
        "  c ← b = 2.5",
    ]


class Tracking(Rule):
    """Decays its weights as AdamW does, and then reads the decayed weights beside the new ones."""

    lr = 0.1
    state = ("travelled",)
    weight_decay = 0.5

    def decayed(self, theta, g, lr):
        return theta * (1 - lr * self.weight_decay), g

    def update(self, theta, g, travelled, *, lr, t):
        new = theta - lr * g / travelled
        return new, travelled + (new - theta)


def test_a_value_that_a_name_had_in_between_is_written_out():
    before, after = {"theta": 2.0, "travelled": 0.5}, {"theta": 1.8, "travelled": 0.4}
    entry = Entry("w", Tracking(), 0.1, 1, 0.5, before, after, np.dtype("float64"))
    assert str(entry).splitlines()[1:4] == [
        "  theta ← theta * (1 - lr * weight_decay) = 2 * (1 - 0.1 * 0.5) = 1.9",
        "  theta ← theta - lr * g / travelled = 1.9 - 0.1 * 0.5 / 0.5 = 1.8",
        "  travelled ← travelled + (theta - theta_old * (1 - lr * weight_decay)) = 0.5 + (1.8 - 2 * (1 - 0.1 * 0.5)) = 0.4",
    ]
    entry = Entry("w", Tracking(), 0.1, 1, 0.5, before | {"travelled": 0.0}, after, np.dtype("float64"))
    assert entry.computed["theta"] == -math.inf


A, B, C = (Symbol(name) for name in "abc")
LETTERS = {x: Letter(x.op) for x in (A, B, C)}


@pytest.mark.parametrize(
    ("expression", "code", "text", "latex"),
    [
        (A - (B - C), "a - (b - c)", "a - (b - c)", r"a - \left(b - c\right)"),
        (A - B - C, "a - b - c", "a - b - c", "a - b - c"),
        (A + (B + C), "a + (b + c)", "a + (b + c)", r"a + \left(b + c\right)"),
        (A * B * C, "a * b * c", "a·b·c", r"a \cdot b \cdot c"),
        (A * (B * C), "a * (b * c)", "a·(b·c)", r"a \cdot \left(b \cdot c\right)"),
        (A / (B * C), "a / (b * c)", "a / (b·c)", r"\frac{a}{b \cdot c}"),
        (A / B / C, "a / b / c", "a / b / c", r"\frac{\frac{a}{b}}{c}"),
        (A / (B / C), "a / (b / c)", "a / (b / c)", r"\frac{a}{\frac{b}{c}}"),
        (A / B * C, "(a / b) * c", "(a / b)·c", r"\frac{a}{b} \cdot c"),
        (A * (B + C), "a * (b + c)", "a·(b + c)", r"a \cdot \left(b + c\right)"),
        (A * A * B * B * B, "a * a * b * b * b", "a²·b^3", r"a^{2} \cdot b^{3}"),
        ((A + B) * (A + B), "(a + b) * (a + b)", "(a + b)²", r"\left(a + b\right)^{2}"),
        ((A**B) ** C, "(a ** b) ** c", "(a^b)^c", r"\left(a^{b}\right)^{c}"),
        (A ** (B * C), "a ** (b * c)", "a^(b·c)", r"a^{b \cdot c}"),
        ((A / B) ** C, "(a / b) ** c", "(a / b)^c", r"\left(\frac{a}{b}\right)^{c}"),
        (A - (-B), "a - (-b)", "a - (-b)", r"a - \left(-b\right)"),
        (-(A + B) * C, "-(a + b) * c", "-(a + b)·c", r"-\left(a + b\right) \cdot c"),
        (sqrt(A) * sqrt(B + C), "sqrt(a) * sqrt(b + c)", "√a·√(b + c)", r"\sqrt{a} \cdot \sqrt{b + c}"),
        (A * -2.0 + 1e-7, "a * (-2) + 1e-7", "a·(-2) + 1e-7", r"a \cdot \left(-2\right) + 10^{-7}"),
        (A * 2.5e-7, "a * 2.5e-7", "a·2.5e-7", r"a \cdot \left(2.5 \cdot 10^{-7}\right)"),
    ],
)  # fmt: skip
def test_brackets_stand_where_they_are_needed_and_terms_keep_their_order(expression, code, text, latex):
    for notation, expected in ((Code, code), (Text, text), (Latex, latex)):
        assert notation(6).write(expression, LETTERS) == expected
    numbers = {A: 0.37, B: -1.9, C: 2.0}
    names = {x.op: value for x, value in numbers.items()} | {"sqrt": np.emath.sqrt}
    assert eval(Code(17).write(expression, numbers), names) == eval(repr(expression), names)


def test_reading_a_rule_leaves_an_earlier_profiler_in_place():
    seen = []

    def profiler(frame, event, _):
        seen.append(event)

    sys.setprofile(profiler)
    try:
        lines(optim.rules.Adam())
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)


# LaTeX and MathML


@pytest.mark.slow
@every_rule
@every_alphabet
def test_latex_is_balanced_and_matplotlib_can_read_it(case, letters):
    from matplotlib.mathtext import MathTextParser

    source = descent(case)[0].at(3).latex(letters=letters)
    assert source.count("{") == source.count("}")
    assert source.count(r"\left(") == source.count(r"\right)")
    start, *rows, end = source.splitlines()
    assert (start, end) == (r"\begin{aligned}", r"\end{aligned}")
    for row in rows:
        assert row.count("&") == 1
        MathTextParser("path").parse(f"${row.removesuffix(chr(92) * 2).replace('&', '')}$")


CHILDREN = {"mfrac": 2, "msup": 2, "msub": 2, "mover": 2, "msqrt": 1, "mtr": 3, "math": 1}
TAGS = {*CHILDREN, "msubsup", "mtable", "mtd", "mrow", "mi", "mn", "mo", "mtext"}


@every_rule
@every_alphabet
def test_mathml_is_well_formed_and_each_element_has_its_parts(case, letters):
    entry = descent(case)[0].at(3)
    root = ElementTree.fromstring(entry.mathml(letters=letters))
    for element in root.iter():
        tag = element.tag.removeprefix("{http://www.w3.org/1998/Math/MathML}")
        assert tag in TAGS
        assert len(element) == CHILDREN.get(tag, len(element))
        assert bool((element.text or "").strip()) == (tag in ("mi", "mn", "mo", "mtext"))
    assert len(root[0]) == len(entry.lines)


def test_markup_has_fractions_roots_powers_and_marks():
    entry = descent("Adam")[0].at(3)
    in_b = entry.latex(letters="B", digits=3)
    assert r"\theta &\leftarrow \theta - \frac{\alpha \cdot \hat{v}}{\sqrt{\hat{r}} + \delta} = " in in_b
    assert r"\hat{v} &\leftarrow \frac{v}{1 - \beta_{1}^{t}} = " in in_b
    assert r"\left(1 - \beta_{2}\right) \cdot g^{2}" in in_b
    assert "10^{-8}" in in_b
    mathml = entry.mathml(letters="A")
    assert "<mfrac><mrow><mi>η</mi><mo>·</mo><msup><mi>v</mi><mo>′</mo></msup></mrow>" in mathml
    assert "<msqrt><msup><mi>s</mi><mo>′</mo></msup></msqrt>" in mathml
    assert "<msup><mi>g</mi><mn>2</mn></msup>" in mathml
    assert entry._repr_html_() == entry.mathml()


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_training_that_has_blown_up_can_still_be_printed(value):
    entry = Entry(
        "x",
        optim.rules.AdaGrad(),
        0.1,
        9,
        value,
        {"theta": value, "s": 0.0},
        {"theta": value, "s": 0.0},
        np.dtype("float32"),
    )
    assert str(value).lstrip("-") in str(entry)
    assert (r"\mathrm{nan}" if math.isnan(value) else r"\infty") in entry.latex()
    assert "inf" not in entry.latex().replace(r"\infty", "")
    ElementTree.fromstring(entry.mathml())


def test_a_divisor_of_zero_gives_nan_as_in_numpy():
    entry = Entry(
        "x",
        optim.rules.AdaGrad(eps=0),
        0.1,
        1,
        0.0,
        {"theta": 1.0, "s": 0.0},
        {"theta": 1.0, "s": 0.0},
        np.dtype("float64"),
    )
    assert math.isnan(entry.computed["theta"])


# recording


def network(kind, hyperparameters):
    minidl.seed(3)
    model = nn.Sequential(nn.Dense(6, 5), nn.ReLU(), nn.Dense(5, 3))
    return model, kind(model.parameters(), **hyperparameters)


DATA = Dataset(np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32), np.arange(60) % 3)


@every_rule
def test_a_ledger_changes_no_bit_of_the_training(case):
    found = []
    for book in (None, ledger()):
        model, optimizer = network(*CASES[case])
        fit(
            model,
            DATA,
            optimizer=optimizer,
            epochs=2,
            batch_size=20,
            callbacks=[book] if book is not None else [],
            progress=False,
        )
        found.append([*model.state_dict().values(), *optimizer.state_dict()["state"].values()])
    assert len(book) == 6 * 4
    for without, with_it in zip(*found, strict=True):
        assert without.tobytes() == with_it.tobytes()


def test_as_a_callback_it_knows_the_names_and_lets_go_of_the_optimizer():
    model, optimizer = network(optim.Adam, {})
    book = ledger(elements=[("layers.0.weight", (3, 2)), (model.layers[2].bias, 1), (0, 7)])
    fit(model, DATA, optimizer=optimizer, epochs=1, batch_size=20, callbacks=[book], progress=False)
    assert [entry.where for entry in book][:3] == ["layers.0.weight[3, 2]", "layers.2.bias[1]", "layers.0.weight[1, 2]"]
    assert "step" not in vars(optimizer)
    assert book.at(3, "layers.2.bias").after["theta"] == model.layers[2].bias.numpy()[1]
    assert book.at(3).after["v"] == optimizer.state["v"].reshape(-1)[3 * 5 + 2]
    flat = 6 * 5 + 5 + 5 * 3 + 1  # after the weight and bias of one layer and the weight of the other
    assert book.at(3, "layers.2.bias").after["v"] == optimizer.state["v"][flat] != 0
    optimizer.step()
    assert len(book) == 9


def test_by_default_each_parameters_largest_first_gradient_is_watched():
    x, y, frozen = (
        nn.Parameter([1.0, 2.0]),
        nn.Parameter([[1.0, 1.0], [1.0, 1.0]]),
        nn.Parameter([1.0], requires_grad=False),
    )
    optimizer = optim.SGD([x, y, frozen])
    book = ledger(optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        (x * np.array([1.0, -9.0], np.float32)).sum().backward()
        optimizer.step()
    (y * np.array([[1.0, 2.0], [5.0, 3.0]], np.float32)).sum().backward()
    optimizer.step()
    assert [(entry.t, entry.where) for entry in book] == [
        (1, "parameter 0 [1]"),
        (2, "parameter 0 [1]"),
        (3, "parameter 0 [1]"),
        (3, "parameter 1 [1, 0]"),
    ]


def test_groups_have_their_own_numbers_and_schedules_those_of_the_step():
    x, y = nn.Parameter(2.0, dtype="float64"), nn.Parameter(3.0, dtype="float64")
    groups = [{"params": [x]}, {"params": [y], "lr": schedules.step(0.5, 1, 0.5), "beta": 0.25}]
    optimizer = optim.Momentum(groups, lr=0.1)
    book = ledger(optimizer, [(x, ()), (1, ())])
    for _ in range(3):
        optimizer.zero_grad()
        (x * x + y * y).backward()
        optimizer.step()
    assert [book.at(t, x).lr for t in (1, 2, 3)] == [0.1, 0.1, 0.1]
    assert [book.at(t, y).lr for t in (1, 2, 3)] == [0.5, 0.25, 0.125]
    assert (book.at(2, 0).rule.beta, book.at(2, 1).rule.beta) == (0.9, 0.25)
    assert book.at(1, 1).title == "Momentum, t = 1: parameter 1"
    optimizer.groups[0]["beta"] = 0.5
    optimizer.step()
    assert book.at(4, x).rule.beta == 0.5


def test_two_ledgers_on_one_optimizer_come_and_go_in_any_order():
    for first_goes in (0, 1):
        x = nn.Parameter([1.0])
        optimizer = optim.SGD([x])
        books = [ledger(optimizer), ledger(optimizer)]
        x.sum().backward()
        optimizer.step()
        books[first_goes].detach()
        optimizer.step()
        books[1 - first_goes].detach()
        optimizer.step()
        assert (len(books[first_goes]), len(books[1 - first_goes]), optimizer.t) == (1, 2, 3)
        books[0].attach(optimizer)
        optimizer.step()
        assert len(books[0]) == 2 + first_goes


def test_an_optimizer_without_a_ledger_is_untouched():
    optimizer = optim.SGD([nn.Parameter([1.0])])
    assert "step" not in vars(optimizer)
    book = ledger(optimizer)
    book.detach()
    assert "step" not in vars(optimizer)
    book.detach()


def test_a_step_that_is_refused_leaves_no_entry_and_its_own_error():
    x = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([x])
    book = ledger(optimizer, [(x, 1)])
    x.sum().backward()
    x.data = np.zeros(1, np.float32)
    with pytest.raises(ShapeError, match="make a new optimizer"):
        optimizer.step()
    assert len(book) == 0


def test_what_was_not_recorded_is_said():
    book, optimizer = descent("SGD")
    x = optimizer.groups[0]["params"][0]
    with pytest.raises(OptionError, match=r"no entry of step 9 for x\[0\].*entries are of steps 1 to 4"):
        book.at(9)
    x.grad = None
    optimizer.step()
    with pytest.raises(OptionError, match="without a gradient"):
        book.at(5)
    with pytest.raises(OptionError, match=r"not recorded; these are: none so far"):
        ledger(optim.SGD([x])).at(1)
    with pytest.raises(OptionError, match=r"not recorded; these are: parameter 0 \[1\]"):
        ledger(optim.SGD([x]), [(0, 1)]).at(1, x, 0)


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ((0, 2), r"parameter 0, of shape \(2,\), has no element 2"),
        ((0, (0, 0)), r"has no element \(0, 0\)"),
        ((0, "a"), "has no element 'a'"),
        ((1, 0), "number 1 is none of the optimizer's 1 parameters"),
        ((nn.Parameter([1.0]), 0), "this Parameter is none"),
        (("w", 0), "no parameter is called 'w'; names: none"),
    ],
)
def test_an_element_that_is_not_there_is_refused_at_once(element, message):
    optimizer = optim.SGD([nn.Parameter([1.0, 2.0])])
    with pytest.raises(OptionError, match=message):
        ledger(optimizer, [element])
    assert "step" not in vars(optimizer)


def test_other_misuse_is_refused():
    book, optimizer = descent("SGD")
    with pytest.raises(OptionError, match="expected a minidl optimizer, got list"):
        ledger([1])
    with pytest.raises(StateError, match="attached to an optimizer already"):
        book.attach(optimizer)
    with pytest.raises(OptionError, match="letters='C': choose one of 'code', 'A', 'B'"):
        book.at(1).text(letters="C")


def test_only_teach_brings_itself_in_and_rich_only_where_it_is_shown():
    program = (
        "import sys, minidl; assert 'minidl.teach' not in sys.modules; import minidl.teach; "
        "assert callable(minidl.teach.ledger) and callable(minidl.teach.explain); "
        "print(sorted({'rich', 'matplotlib', 'click'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
