"""A rule's equations as text, LaTeX and MathML, with the numbers of one weight in them."""

import math
import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from ledger_cases import descent, every_alphabet, every_rule

from minidl import optim
from minidl.ops import sqrt
from minidl.optim.rule import Rule
from minidl.optim.symbols import Symbol
from minidl.teach._ledger.entry import Entry
from minidl.teach.notation.assignments import lines
from minidl.teach.notation.formats import Code, Latex, Text
from minidl.teach.notation.letters import Letter

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
        '  Note B itself writes v ← β·v - αₖ·g; θ ← θ + v: that is --note B, or note="B".',
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
        ("AdaDelta", "A", ["s ← γ·s + (1 - γ)·g²", "g′ ← (√(Δx + ε) / √(s + ε))·g", "Δx ← γ·Δx + (1 - γ)·g′²", "w ← w - g′"]),
        ("AdamW", "code", ["theta ← theta * (1 - lr * weight_decay)", "v ← beta1 * v + (1 - beta1) * g"]),
        ("NAdam", "B", ["g ← g + λ·θ", "v ← β₁·v + (1 - β₁)·g", "r ← β₂·r + (1 - β₂)·g²", "μₜ ← β₁·(1 - 0.5·0.96^(t·ψ))",
                        "μₜ₊₁ ← β₁·(1 - 0.5·0.96^((t + 1)·ψ))", "Πₜ ← β₁^t·∏(i=1…t) (1 - 0.5·0.96^(i·ψ))"]),
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


@every_rule
def test_noise_of_float64_is_not_shown(case):
    assert not any("kept" in entry.text(letters="A") for entry in descent(case, steps=8)[0])


def test_nadams_schedule_is_the_product_that_it_is():
    entry = descent("NAdam")[0].at(3)
    product = "prod(1 - 0.5 * 0.96 ** (i * 0.004) for i in range(1, 3 + 1))"
    assert f"0.9 ** 3 * {product} = 0.0912143" in entry.text()
    assert "0.9^3·∏(i=1…3) (1 - 0.5·0.96^(i·0.004)) = 0.0912143" in entry.text(letters="A")
    assert r"\prod_{i=1}^{t} \left(1 - 0.5 \cdot 0.96^{i \cdot \psi}\right)" in entry.latex("B")
    assert math.prod(0.9 * (1 - 0.5 * 0.96 ** (i * 0.004)) for i in (1, 2, 3)) == pytest.approx(0.0912143, rel=1e-6)
    assert "damping" not in "".join((entry.text(), entry.text("A"), entry.latex("B"), entry.mathml("B")))


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


CHILDREN = {"mfrac": 2, "munderover": 3, "msup": 2, "msub": 2, "mover": 2, "msqrt": 1, "mtr": 3, "math": 1}
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
