"""What the rules' own means did in a step, in words; many steps as a table and a picture; the command with a note."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from ledger_cases import CASES, descent, every_rule

from minidl import nn, optim
from minidl.cli import main
from minidl.errors import OptionError
from minidl.teach import explain, ledger
from minidl.teach._ledger.contributions import corrections, effective_rate

# bias correction, AdaDelta's numerator, the effective rate


def test_adams_bias_correction_is_told_and_why_the_first_step_is_as_long_as_the_learning_rate():
    book, _ = descent("Adam", steps=3)
    said = explain(book.at(1), letters="B")
    assert "averages begin at 0, and so were made larger: v by 1 / (1 - β₁^t) = 10; r by 1 / (1 - β₂^t) = 1000." in said
    assert "That is why the first step is as long as the learning rate, 0.4, whatever the gradient's size." in said
    assert "v by 1 / (1 - beta1 ** t) = 3.69; s by 1 / (1 - beta2 ** t) = 333.7" in explain(book.at(3))
    assert "first step" not in explain(book.at(3))
    assert pytest.approx(3.69, rel=1e-3) == 1 / (1 - 0.9**3)


def test_the_first_step_is_not_called_as_long_as_the_rate_where_it_is_not():
    assert "first step" not in explain(descent((optim.Adam, {"eps": 1.0}))[0].at(1))
    assert "Bias correction" not in explain(descent("RMSProp")[0].at(1))
    assert list(corrections(descent("NAdam")[0].at(2))) == ["v", "g", "s"]


def test_adadeltas_numerator_stands_in_for_the_learning_rate():
    entry = descent("AdaDelta")[0].at(3)
    over, under = math.sqrt(entry.before["d"] + 1e-6), math.sqrt(entry.after["s"] + 1e-6)
    said = explain(entry, note="A")
    assert f"In the place of a learning rate stands √(Δxₜ₋₁ + ε) = {over:.4g}, the size of its own recent steps" in said
    assert (
        f"the divisor, √(sₜ + ε), divided the push by {under:.4g}: an effective learning rate of {over / under:.4g}"
        in said
    )
    assert "En lugar de una tasa de aprendizaje está √(Δxₜ₋₁ + ε) = 0,00" in explain(entry, "es", note="A")
    assert "Al posto di un tasso di apprendimento c'è √(Δxₜ₋₁ + ε) = 0,00" in explain(entry, "it", note="A")


@every_rule
def test_the_effective_rate_times_what_is_moved_along_is_the_step(case):
    kind, settings = CASES[case]
    if settings.get("weight_decay") or kind in (optim.AdamW, optim.RMSPropNesterov, optim.Nesterov):
        return
    entry = descent(case)[0].at(3)
    along = {"v_hat": None, "v": None, "g": None}
    values = {line.name: entry.values[line.expression] for line in entry.lines} | {"g": entry.g}
    moved = next(values[name] for name in along if name in values)
    if settings.get("form") != "velocity":
        assert entry.step == pytest.approx(-effective_rate(entry) * moved, rel=1e-9)


def test_a_smaller_divisor_is_told_in_per_cent():
    entry = descent("Adam", steps=3)[0].at(3)
    assert "; the divisor is now 7.8 % smaller than that of step 1." in explain(entry)
    assert "; el divisor es hoy un 7,8 % menor que el del paso 1." in explain(entry, "es")
    assert "; il divisore è ora più piccolo di quello del passo 1 (7,8 % in meno)." in explain(entry, "it")
    grown = descent("AdaGrad", steps=5)[0].at(5)
    assert (
        "dividió el empuje por 1,973: una tasa de aprendizaje efectiva de 0,2028; el divisor es hoy 1,97 veces"
        in explain(grown, "es")
    )
    assert "ha diviso la spinta per 1,973: " in explain(grown, "it")


@pytest.mark.parametrize(
    ("case", "language", "sentence"),
    [
        ("Momentum", "es", "Todavía no hay momentum: no hay pasos anteriores."),
        ("Momentum", "it", "Non c'è ancora momentum: non ci sono passi precedenti."),
        ("Nesterov", "es", "(El valor guardado es el punto adelantado, θ̃, donde se evalúa el gradiente.)"),
        ("Nesterov", "it", "(Il valore conservato è il punto anticipato, θ̃, in cui si calcola il gradiente.)"),
        ("Adam", "es", "Corrección del sesgo: los promedios parten de 0, y por eso se multiplicaron: "),
        (
            "Adam",
            "it",
            "Per questo il primo passo è lungo quanto il tasso di apprendimento, 0,4, con qualunque gradiente.",
        ),
    ],
)
def test_first_steps_in_spanish_and_italian(case, language, sentence):
    assert sentence in explain(descent(case)[0].at(1), language)


def test_momentum_that_has_nothing_to_remember_is_told_from_a_first_step():
    x = nn.Parameter([1.0, 2.0])
    optimizer = optim.Momentum([x])
    book = ledger(optimizer, [(x, 1)])
    for k in range(3):
        optimizer.zero_grad()
        (x * np.array([1.0, float(k == 2)], np.float32)).sum().backward()
        optimizer.step()
    assert "There is no momentum yet" in explain(book.at(1))
    assert "Momentum contributed nothing: the earlier steps have left none." in explain(book.at(3))


# a training that diverges


def test_it_is_told_since_which_step_a_weight_is_no_number():
    x = nn.Parameter([1.0])
    optimizer = optim.SGD([x], lr=1e30)
    book = ledger(optimizer, [(x, 0)])
    with np.errstate(all="ignore"):
        for _ in range(5):
            optimizer.zero_grad()
            (x * x).sum().backward()
            optimizer.step()
    assert [entry.diverged for entry in book] == [None, 2, 2, 2, 2]
    assert "the training diverged at step 2." in explain(book.at(5))
    assert "el entrenamiento divergió en el paso 2." in explain(book.at(5), "es")


def test_why_it_diverges_is_told_where_the_curvature_is_known():
    entry = descent((optim.SGD, {"lr": 0.6}), steps=5)[0].at(5, "x", 1)
    assert "It grows without end: lr·λ = 0.6 · 4 = 2.4 > 2 (" in explain(entry, curvature=4.0)
    assert "Crece sin límite: η·λ = 0,6 · 4 = 2,4 > 2 (" in explain(entry, "es", note="A", curvature=4.0)
    assert "without end" not in explain(descent((optim.SGD, {"lr": 0.4}))[0].at(3), curvature=4.0)
    assert "without end" not in explain(descent("Adam")[0].at(3), curvature=4.0)


# many steps


def test_a_table_has_a_line_per_step_with_the_rules_own_numbers():
    book, _ = descent("RMSProp", steps=6)
    shown = book.table(2, 5, "x", 1, note="A", digits=10).splitlines()
    assert shown[0] == "RMSProp: x[1]"
    assert shown[1].split() == ["t", "gₜ", "sₜ", "effective", "rate", "wₜ", "-", "wₜ₋₁", "wₜ"]
    assert [line.split()[0] for line in shown[2:]] == ["2", "3", "4", "5"]
    for t, line in enumerate(shown[2:], 2):
        entry = book.at(t, "x", 1)
        rate = 0.1 / math.sqrt(entry.after["s"] + 1e-6)
        expected = [t, entry.g, entry.after["s"], rate, -rate * entry.g, entry.after["theta"]]
        assert list(map(float, line.split())) == pytest.approx(expected, rel=1e-8)
    assert "tasso effettivo" in book.table(language="it")
    assert ",6" in book.table(language="it")


@every_rule
def test_every_rule_has_a_table(case):
    book, _ = descent(case, steps=3)
    for shown in (book.table(), book.table(note="A"), book.table(letters="B")):
        widths = {len(re.sub("[\u0300-\u036f]", "", line)) for line in shown.splitlines()[1:]}
        assert len(shown.splitlines()) == 5
        assert len(widths) == 1


def test_steps_that_are_not_there_are_refused():
    book, _ = descent("SGD")
    with pytest.raises(OptionError, match=r"no entries from step 7 to 9 for x\[0\]"):
        book.table(7, 9)


def test_a_picture_has_a_panel_for_each_value_and_one_for_the_rate():
    book, _ = descent("Adam", steps=6)
    figure = book.plot(1, 6, "x", 0, note="B", language="it")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["v", "r", "tasso effettivo"]
    lines = [line.get_ydata() for line in figure.axes[0].lines]
    assert list(lines[0]) == [book.at(t).g for t in range(1, 7)]
    assert list(lines[1]) == [book.at(t).after["v"] for t in range(1, 7)]
    assert list(figure.axes[1].lines[0].get_ydata()) == [book.at(t).after["s"] for t in range(1, 7)]


def test_a_training_that_diverged_can_be_drawn_too(tmp_path):
    with np.errstate(all="ignore"):
        book, _ = descent((optim.Nesterov, {"lr": 20}), steps=200)
    book.plot(1, 200, "x", 1).savefig(tmp_path / "diverged.png")
    assert "nan" in book.table(199, 200, "x", 1, note="B")


# the command


@pytest.fixture
def command(capsys):
    def execute(*arguments):
        main(["explain", "--problem", "note-a", *arguments], standalone_mode=False)
        return capsys.readouterr().out

    return execute


def test_the_command_trains_in_the_notes_convention(command):
    printed = command("--optimizer", "momentum", "--lr", "0.1", "--steps", "5", "--note", "B", "--language", "es")
    assert printed.splitlines()[2:5] == [
        "  v ← β·v - αₖ·g = 0,9·0,54 - 0,1·6,48 = -0,162",
        "  θ ← θ + v = 1,62 + (-0,162) = 1,458",
        "  Δθ = -0,162",
    ]
    adagrad = ["--optimizer", "adagrad", "--lr", "0.4", "--steps", "20", "--element", "x:0"]
    last = command(*adagrad, "--note", "A").splitlines()[2]
    assert last.startswith("  wₜ = wₜ₋₁ - η / √(sₜ + ε) · gₜ = ")
    assert " + 1e-6) · (" in last
    assert last.endswith(" = -2.38256")  # note A prints -2.382563
    assert "√(s + ε)" not in command(*adagrad, "--letters", "A", "--set", "eps_mode=outside")


def test_the_command_shows_a_table_and_draws_a_picture(command, tmp_path):
    printed = command(
        "--optimizer", "RMSProp+Nesterov", "--note", "B", "--from", "1", "--to", "20", "--decimal", "comma",
        "--picture", str(tmp_path / "steps.svg"),
    )  # fmt: skip
    assert printed.splitlines()[0] == "RMSPropNesterov: x[1]"
    assert [line.split()[0] for line in printed.splitlines()[2:]] == [str(t) for t in range(1, 21)]
    assert "0,00316228" in printed
    assert ElementTree.parse(tmp_path / "steps.svg").getroot().tag.endswith("svg")


def test_the_command_says_why_it_diverges(command):
    printed = command("--optimizer", "sgd", "--lr", "0.6", "--steps", "20", "--note", "A", "--language", "it")
    assert "xₜ = xₜ₋₁ - η·gₜ = 1195,26 - 0,6·4781,04 = -1673,37" in printed
    assert "Cresce senza limite: η·λ = 0,6 · 4 = 2,4 > 2" in printed
