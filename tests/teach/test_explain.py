"""Why a weight moved by that much: the parts of a step, the sentences, and the command."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ledger_cases import CASES, descent

from minidl import nn, optim
from minidl.cli import main
from minidl.errors import OptionError
from minidl.ops import maximum, minimum
from minidl.optim.rule import Rule
from minidl.teach import explain, ledger
from minidl.teach._ledger.contributions import contributions, divisor
from minidl.teach._ledger.entry import Entry
from minidl.teach._ledger.sentences import LANGUAGES

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"
every_rule = pytest.mark.parametrize("case", CASES)

# the parts


@every_rule
def test_the_parts_add_up_to_the_step_and_leave_nothing_unexplained(case):
    for entry in descent(case, steps=8)[0]:
        parts = contributions(entry)
        assert math.fsum(parts.values()) == pytest.approx(entry.step, rel=1e-14, abs=1e-18)
        assert abs(parts["rounding"]) <= 1e-15 * (abs(entry.before["theta"]) + sum(map(abs, parts.values())))
        assert "other" not in parts


@every_rule
def test_in_float32_only_rounding_joins_them(case):
    for entry in descent(case, steps=8, dtype="float32")[0]:
        parts = contributions(entry)
        assert math.fsum(parts.values()) == pytest.approx(entry.step, rel=1e-14, abs=1e-18)
        assert abs(parts["rounding"]) < 4e-7 * (abs(entry.before["theta"]) + abs(entry.step))


@every_rule
def test_a_rule_has_the_parts_that_it_has(case):
    parts = contributions(descent(case)[0].at(3))
    kind, hyperparameters = CASES[case]
    expected = ["gradient", "rounding"]
    expected += [] if kind in (optim.SGD, optim.AdaGrad, optim.RMSProp, optim.AdaDelta) else ["momentum"]
    expected += ["decay"] if "weight_decay" in hyperparameters or kind is optim.AdamW else []
    assert sorted(parts) == sorted(expected)


def test_the_parts_by_hand():
    entry = descent((optim.Momentum, {"lr": 0.6, "beta": 0.5, "weight_decay": 0.1}))[0].at(2)
    theta, v, g = entry.before["theta"], entry.before["v"], entry.g
    parts = contributions(entry)
    assert parts["momentum"] == pytest.approx(-0.6 * 0.5 * v, rel=1e-14)
    assert parts["gradient"] == pytest.approx(-0.6 * g, rel=1e-14)
    assert parts["decay"] == pytest.approx(-0.6 * 0.1 * theta, rel=1e-14)

    entry = descent((optim.Nesterov, {"lr": 0.1, "beta": 0.8}))[0].at(2)
    parts = contributions(entry)
    assert parts["momentum"] == pytest.approx(0.8 * 0.8 * entry.before["v"], rel=1e-14)
    assert parts["gradient"] == pytest.approx(-(1 + 0.8) * 0.1 * entry.g, rel=1e-14)

    entry = descent((optim.AdamW, {"lr": 0.1, "weight_decay": 0.2}))[0].at(3)
    v, s, g = entry.before["v"], entry.before["s"], entry.g
    rate = 0.1 / (1 - 0.9**3) / (math.sqrt((0.999 * s + 0.001 * g * g) / (1 - 0.999**3)) + 1e-8)
    parts = contributions(entry)
    assert parts["momentum"] == pytest.approx(-rate * 0.9 * v, rel=1e-12)
    assert parts["gradient"] == pytest.approx(-rate * 0.1 * g, rel=1e-12)
    assert parts["decay"] == pytest.approx(-0.1 * 0.2 * entry.before["theta"], rel=1e-12)

    entry = descent((optim.AdaDelta, {}))[0].at(2)
    s, d, g = entry.before["s"], entry.before["d"], entry.g
    gradient = -math.sqrt(d + 1e-6) / math.sqrt(0.95 * s + 0.05 * g * g + 1e-6) * g
    assert contributions(entry)["gradient"] == pytest.approx(gradient, rel=1e-12)


def test_a_decay_that_is_tiny_beside_the_weight_keeps_its_digits():
    entry = descent((optim.AdamW, {"lr": 1e-6, "weight_decay": 1e-3}))[0].at(1)
    assert contributions(entry)["decay"] == pytest.approx(5e-9, rel=1e-14)


def test_the_divisor_and_how_it_grew():
    book, _ = descent("AdaGrad", steps=5)
    g = [book.at(t).g for t in (1, 2, 3, 4, 5)]
    grown = math.sqrt(sum(x * x for x in g)) / abs(g[0])
    assert divisor(book.at(5)).value / divisor(book.at(1)).value == pytest.approx(grown, rel=1e-6)
    assert f"the divisor is now {grown:.3g} times that of step 1." in explain(book.at(5))
    assert "at step 1" not in explain(book.at(1))[40:]
    rate = f"an effective learning rate of {0.4 / grown:.4g}; the divisor"
    assert f"The divisor, sqrt(s) + eps, divided the push by {grown:.4g}: {rate}" in explain(book.at(5))
    assert divisor(descent("Momentum")[0].at(2)) is None
    for case in ("Adam", "NAdam", "RMSProp", "RMSPropNesterov", "AdaDelta"):
        assert divisor(descent(case)[0].at(2)).value > 0


class Signed(Rule):
    """Steps of one size, whatever the gradient (in the manner of Lion)."""

    lr = 0.1
    state = ("m",)

    def update(self, theta, g, m, *, lr, t):
        mixed = 0.9 * m + 0.1 * g
        return theta - lr * maximum(-1.0, minimum(1.0, mixed * 1e9)), 0.99 * m + 0.01 * g


def test_a_step_that_is_no_sum_of_pushes_says_so():
    entry = Entry("w", Signed(), 0.1, 1, 0.5, {"theta": 1.0, "m": 2.0}, {"theta": 0.9, "m": 1.985}, np.dtype("float64"))
    assert contributions(entry)["other"] == pytest.approx(-0.1)
    assert "The rest of the rule, which is no such sum, moved it by -0.1." in explain(entry)


# the sentences


def test_a_step_in_three_languages():
    book, _ = descent("Momentum velocity", steps=2)
    entry = book.at(2, "x", 0)  # v = 0.9·0.0105 - 0.01·(-0.9979 + 0.01·(-4.9895))
    assert explain(entry) == (
        "Step 2 of Momentum moved x[0] by +0.01993, from -4.989 to -4.97.\n"
        "Momentum (what the earlier steps have left) contributed +0.00945.\n"
        "The gradient of this step, -0.9979, times -0.01, contributed +0.009979, the same way.\n"
        "Weight decay drew it towards zero by 0.0004989.\n"
        "Together: +0.00945 + 0.009979 + 0.0004989 = +0.01993."
    )
    assert explain(entry, language="es").splitlines() == [
        "En el paso 2, Momentum desplazó x[0] en +0,01993: de -4,989 a -4,97.",
        "El momentum (lo acumulado en los pasos anteriores) aportó +0,00945.",
        "El gradiente de este paso, -0,9979, multiplicado por -0,01, aportó +0,009979, en el mismo sentido.",
        "El decaimiento de pesos (weight decay) lo acercó a cero en 0,0004989.",
        "En total: +0,00945 + 0,009979 + 0,0004989 = +0,01993.",
    ]
    assert explain(entry, language="it").splitlines() == [
        "Al passo 2, Momentum ha spostato x[0] di +0,01993: da -4,989 a -4,97.",
        "Il momentum, cioè quanto accumulato nei passi precedenti, ha contribuito +0,00945.",
        "Il gradiente di questo passo, -0,9979, moltiplicato per -0,01, ha contribuito +0,009979, nello stesso verso.",
        "Il decadimento dei pesi (weight decay) lo ha avvicinato a zero di 0,0004989.",
        "In totale: +0,00945 + 0,009979 + 0,0004989 = +0,01993.",
    ]
    assert "+0.01993: da -4.989" in explain(entry, language="it", decimal=".")


@every_rule
def test_every_language_says_the_same_numbers(case):
    number = re.compile(r"[-+]?\d[\d.e-]*\d|\d")
    for entry in descent(case, dtype="float32")[0]:
        english, *others = (sorted(number.findall(explain(entry, name, decimal="."))) for name in LANGUAGES)
        assert others == [english, english]


def test_every_language_has_every_sentence_with_the_same_blanks():
    blanks = [{name: sorted(re.findall(r"{\w+}", text)) for name, text in said.items()} for said in LANGUAGES.values()]
    assert blanks[0] == blanks[1] == blanks[2]


def test_first_steps_opposite_pushes_and_look_ahead_points():
    book, _ = descent("Momentum", steps=3)
    assert "There is no momentum yet: there are no earlier steps." in explain(book.at(1, "x", 1))
    assert "contributed +3.648, the other way." in explain(book.at(3, "x", 1))
    assert "look-ahead point" in explain(descent("Nesterov")[0].at(2))
    assert "The divisor, √r̂ + δ, divided" in explain(descent("Adam")[0].at(2), letters="B")


def test_zero_gradients_and_weights_that_stay():
    x = nn.Parameter([1.0, 2.0], dtype="float64")
    optimizer = optim.AdaGrad([x])
    book = ledger(optimizer, [(x, 1)])
    (x * np.array([1.0, 0.0])).sum().backward()
    optimizer.step()
    assert explain(book.at(1)).splitlines()[:2] == [
        "Step 1 of AdaGrad left parameters[0][1] at 2.",
        "The gradient of this step is zero and contributed nothing.",
    ]


def test_rounding_is_told_where_it_shows():
    x = nn.Parameter([1000.0])
    optimizer = optim.SGD([x], lr=1e-3)
    book = ledger(optimizer)
    (x * 0.1).sum().backward()
    optimizer.step()
    entry = book.at(1)
    assert entry.step == -0.0001220703125  # two units in the last place of float32 at 1000
    assert "Rounding to float32 changed it by -2.207e-05." in explain(entry)
    assert "Together: -0.0001 - 2.207e-05 = -0.0001221." in explain(entry)
    assert "Rounding" not in explain(descent("SGD", dtype="float32")[0].at(2))


def test_a_training_that_has_blown_up_is_called_that():
    entry = Entry(
        "x", optim.rules.AdaGrad(), 0.1, 9, math.nan, *[{"theta": math.nan, "s": math.inf}] * 2, np.dtype("float32")
    )
    for language, words in (("en", "diverged at"), ("es", "divergió en el"), ("it", "è andato in divergenza al")):
        assert words in explain(entry, language)


def test_a_language_that_is_not_there_is_refused():
    entry = descent("SGD")[0].at(1)
    with pytest.raises(OptionError, match="language='fr': choose one of 'en', 'es', 'it'"):
        explain(entry, language="fr")
    with pytest.raises(OptionError, match="letters='D'"):
        explain(descent("Adam")[0].at(1), letters="D")


# the command


def command(*arguments, code=0):
    run = [sys.executable, "-W", "error", "-m", "minidl.cli", "explain", *arguments]
    result = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_the_page_shows_what_the_command_prints(capsys):
    shown = re.findall(r"```console\n\$ minidl explain (.*)\n([\s\S]*?)```", PAGE.read_text())
    assert len(shown) == 4
    for line, expected in shown:
        main(["explain", *line.split()], standalone_mode=False)
        assert capsys.readouterr().out == expected


@pytest.mark.slow
def test_the_pages_python_runs(tmp_path):
    (block,) = re.findall(r"```python\n([\s\S]*?)```", PAGE.read_text())
    result = subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "  θ ← θ - α·v̂ / (√r̂ + δ) = " in result.stdout
    assert "En el paso 12, Adam desplazó layers.2.weight[3, 7] en " in result.stdout


@pytest.mark.slow
def test_the_command_on_mnist_in_italian():
    printed = command("--optimizer", "nadam", "--steps", "3", "--at", "2", "--element", "layers.2.weight:3,7",
                      "--letters", "B", "--language", "it", "--seed", "1")  # fmt: skip
    assert printed.startswith("NAdam, t = 2: layers.2.weight[3, 7]\n  v ← β₁·v + (1 - β₁)·g = ")
    assert "Al passo 2, NAdam ha spostato layers.2.weight[3, 7] di " in printed
    assert "\x1b" not in printed
    given = ["--optimizer", "sgd", "--steps", "1", "--element", "layers.2.weight:3,7", "--seed"]
    assert command(*given, "1") == command(*given, "1") != command(*given, "2")


@pytest.mark.slow
def test_the_command_takes_hyperparameters_and_prints_markup():
    given = [
        "--problem",
        "note-a",
        "--optimizer",
        "Momentum",
        "--lr",
        "0.6",
        "--set",
        "beta=0.5",
        "--set",
        "form=velocity",
    ]
    assert "v &\\leftarrow \\beta \\cdot v - \\eta \\cdot g = 0.5 \\cdot " in command(
        *given, "--format", "latex", "--letters", "A"
    )
    assert command(*given, "--format", "mathml").startswith("<math ")
    assert "v ← beta * v - lr * g = 0.5 * " in command(*given, "--steps", "20")
    words = ["--problem", "note-a", "--optimizer", "nadam", "--set", "momentum_decay=None"]
    assert "mu_next" not in command(*words)
    assert "s_max ← maximum(s_max, s)" in command("--problem", "note-a", "--set", "amsgrad=True")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at", "11", "--steps", "10"], "--at 11: there are only 10 steps"),
        (["--to", "11", "--steps", "10"], "--to 11: there are only 10 steps"),
        (["--from", "4", "--to", "3"], "--from 4 --to 3: the first step comes after the last"),
        (["--note", "A", "--letters", "B"], "--note A --letters B: a note has its own letters"),
        (["--picture", "x.jpg"], "--picture x.jpg: call it something.svg or something.png"),
        (["--optimizer", "adamm"], "choose one of"),
        (["--set", "beta"], "write NAME=VALUE, such as beta=0.5"),
        (["--problem", "note-a", "--set", "beta=0.5"], "unknown hyperparameter 'beta'"),
        (["--problem", "note-a", "--element", "y:0"], "no parameter is called 'y'; names: x"),
        (["--problem", "note-a", "--element", "x"], "write PARAMETER:INDEX, such as x:0"),
        (["--problem", "note-a", "--element", "x:7"], "has no element (7,)"),
    ],
)
def test_a_wrong_option_is_one_line(arguments, message):
    printed = command(*arguments, code=1)
    assert message in printed
    assert "Traceback" not in printed


def test_an_element_that_is_not_there_is_told_by_its_parameters_name():
    result = subprocess.run(
        [sys.executable, "-m", "minidl", "explain", "--element", "layers.0.weight:1,99999", "--steps", "1"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr == "Error: ledger: layers.0.weight, of shape (784, 32), has no element (1, 99999)\n"


def test_the_command_goes_on_where_an_epoch_ends():
    last = ("--optimizer", "sgd", "--element", "layers.2.weight:3,7")
    table = command(*last, "--from", "469", "--steps", "471").splitlines()
    assert [line.split()[0] for line in table[1:]] == ["t", "469", "470", "471"]
    moved, from_ = (table[-2].split()[-1], command(*last, "--at", "471").split("theta ← theta - lr * g = ")[1])
    assert float(from_.split()[0]) == pytest.approx(float(moved), rel=1e-4)


def test_the_command_says_why_a_gradient_is_what_it_is():
    printed = command("--gradient", "layers.2.weight:3,7", "--steps", "4", "--at", "3")
    assert printed.startswith("∂L/∂layers.2.weight[3, 7] = ")
    assert "where backpropagation begins" in printed
    italian = command("--problem", "note-a", "--gradient", "x:1", "--optimizer", "sgd", "--language", "it")
    assert "la perdita stessa" in italian
    # f = 0.1 x1² + 2 x2², at x2 = -2 + 9 steps of SGD with lr 0.01: df/dx2 = 4 x2
    assert italian.startswith(f"∂L/∂x[1] = {4 * -2 * (1 - 0.01 * 4) ** 9:.6g}")
