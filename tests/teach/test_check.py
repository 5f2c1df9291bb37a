"""A student's rule beside minidl's: right ones pass, and slips are found at their first step, and named."""

import random
import re
import subprocess
import sys

import pytest

from minidl.errors import OptionError
from minidl.optim import rules
from minidl.teach import check
from minidl.teach._check.exercise import answer, exercise

# Right rules, as students write them (the equations are those of the papers).
RIGHT = {
    "SGD": """
def sgd(theta, g, lr):
    return theta - lr * g
""",
    "Momentum": """
def momentum(theta, g, v, lr, beta):
    v = beta * v + g
    return theta - lr * v, v
""",
    "Nesterov": """
def nesterov(theta, g, v, lr, beta):
    v = beta * v - lr * g
    return theta + beta * v - lr * g, v
""",
    "AdaGrad": """
import math
def adagrad(theta, g, s, lr, eps):
    s = s + g**2
    return theta - lr * g / (math.sqrt(s) + eps), s
""",
    "RMSProp": """
import numpy as np
def rmsprop(theta, g, s, lr, rho, eps):
    s = rho * s + (1 - rho) * g**2
    return theta - lr * g / np.sqrt(s + eps), s
""",
    "RMSPropNesterov": """
def rmsprop_nesterov(theta, g, s, v, lr, rho, beta, eps):
    s = rho * s + (1 - rho) * g**2
    push = lr * g / (s + eps) ** 0.5
    v = beta * v - push
    return theta + beta * v - push, s, v
""",
    "AdaDelta": """
def adadelta(theta, g, s, d, lr, rho, eps):
    s = rho * s + (1 - rho) * g**2
    step = ((d + eps) / (s + eps)) ** 0.5 * g
    d = rho * d + (1 - rho) * step**2
    return theta - lr * step, s, d
""",
    "Adam": """
import math
def adam(theta, g, v, s, *, lr, t, beta1, beta2, eps):
    v = beta1 * v + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    v_hat = v / (1 - beta1**t)
    s_hat = s / (1 - beta2**t)
    return theta - lr * v_hat / (math.sqrt(s_hat) + eps), v, s
""",
    "AdamW": """
import math
def adamw(theta, g, v, s, *, lr, t, beta1, beta2, eps, weight_decay):
    theta = theta - lr * weight_decay * theta
    v = beta1 * v + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    v_hat = v / (1 - beta1**t)
    s_hat = s / (1 - beta2**t)
    return theta - lr * v_hat / (math.sqrt(s_hat) + eps), v, s
""",
    "NAdam": """
import math
def nadam(theta, g, v, s, *, lr, t, beta1, beta2, eps, momentum_decay):
    mu = [beta1 * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in range(1, t + 2)]
    v = beta1 * v + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    v_hat = mu[-1] * v / (1 - math.prod(mu)) + (1 - mu[-2]) * g / (1 - math.prod(mu[:-1]))
    return theta - lr * v_hat / (math.sqrt(s / (1 - beta2**t)) + eps), v, s
""",
}
# Slips that can be planted by what a student writes instead, wherever there is such a thing.
PLANTED = {
    "no square": (r"g\*\*2", "g"),
    "shares exchanged": (r"(\w+) \* s \+ \(1 - \1\)", r"(1 - \1) * s + \1"),
    "no rate": (r"\blr \* (?=g|v)", ""),
    "no eps": (r" \+ eps", ""),
    "ascent": (r"theta - lr \* (?=g|v|s)", "theta + lr * "),
    "t ahead": (r"\*\*t\b", "**(t + 1)"),
    "state not kept": (r"return (.*), [sv]$", r"return \1, 0.0"),
}
FIVE = [
    ("Adam", "no correction", [("v / (1 - beta1**t)", "v"), ("s / (1 - beta2**t)", "s")]),
    ("Adam", "eps inside", [("(math.sqrt(s_hat) + eps)", "math.sqrt(s_hat + eps)")]),
    ("Adam", "betas swapped", [("beta1", "beta3"), ("beta2", "beta1"), ("beta3", "beta2"), ("beta2, beta1,", "beta1, beta2,")]),
    ("Adam", "one beta in the corrections", [("1 - beta2**t", "1 - beta1**t")]),
    ("Momentum", "twice", [("theta - lr * v", "theta - lr * (beta * v + g)")]),
]  # fmt: skip


def drawn():
    """Seven (rule, slip, source), drawn from all that can be planted in the ten rules."""
    possible = [
        (name, slip, re.sub(old, new, source, flags=re.MULTILINE))
        for name, source in RIGHT.items()
        for slip, (old, new) in PLANTED.items()
        if re.search(old, source, flags=re.MULTILINE)
    ]
    return random.Random(7).sample(possible, 7)


def written(tmp_path, source, name="my_rule.py"):
    path = tmp_path / name
    path.write_text(source)
    return path


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_passes(name, tmp_path):
    found = check(written(tmp_path, RIGHT[name]), getattr(rules, name)())
    assert found.right, str(found)
    assert "right" in str(found)


@pytest.mark.parametrize(("name", "slip", "changes"), FIVE, ids=[slip for _, slip, _ in FIVE])
def test_a_known_slip_is_found_at_its_first_step_and_named(name, slip, changes, tmp_path):
    source = RIGHT[name]
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    found = check(written(tmp_path, source), getattr(rules, name)())
    assert (found.right, found.slip) == (False, slip)
    assert found.step == 1
    assert found.symbol == ("v" if slip == "betas swapped" else "theta")


@pytest.mark.parametrize(("name", "slip", "source"), drawn(), ids=lambda value: value if len(value) < 30 else "")
def test_a_slip_that_was_drawn_is_found_and_named(name, slip, source, tmp_path):
    found = check(written(tmp_path, source), getattr(rules, name)())
    assert (found.right, found.slip) == (False, slip), str(found)
    assert found.step == 1


def test_momentum_in_note_b_s_form_is_told_to_be_that(tmp_path):
    source = "def momentum(theta, g, v, lr, beta):\n    v = beta * v - lr * g\n    return theta + v, v\n"
    found = check(written(tmp_path, source), rules.Momentum())
    assert (found.symbol, found.slip) == ("v", "form velocity")
    assert check(written(tmp_path, source), rules.Momentum(form="velocity")).right


def test_nesterov_may_hold_theta_itself_as_note_b_does(tmp_path):
    source = "def nesterov(theta, g, v, lr, beta):\n    v = beta * v - lr * g\n    return theta + v, v\n"
    assert check(written(tmp_path, source), rules.Nesterov()).right


def test_a_slip_that_nobody_knows_is_told_by_its_first_number(tmp_path):
    source = RIGHT["Adam"].replace("return theta - lr", "return theta - (0.5 if t == 3 else 1) * lr")
    found = check(written(tmp_path, source), rules.Adam())
    assert (found.step, found.symbol, found.slip) == (3, "theta", None)
    assert "step 3 departs in theta" in str(found)
    assert "none of the known slips" in str(found)


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("def adam(theta, g, v, s):\n    return 1 / 0, v, s\n", "ZeroDivisionError", 2),
        ("def adam(theta, g, v, s) return\n", "SyntaxError", 1),
        ("def adam(theta, g, v, s, alpha):\n    return theta, v, s\n", "asks for alpha; a rule is given theta, g, v, s, lr", None),
        ("def adam(theta, g, v, s):\n    return theta\n", "returned 1 values; it has to return theta, v, s", None),
        ("def adam(theta, g, v, s):\n    return theta, v, None\n", "each of theta, v, s has to be a number", None),
        ("x = 1\n", "there is no function 'adam'", None),
        ("raise SystemExit(0)\n", "SystemExit", 1),
        ("import os\nos._exit(3)\n", "ended with 3", None),
    ],
)  # fmt: skip
def test_what_cannot_be_run_says_why_and_where(source, message, line, tmp_path):
    found = check(written(tmp_path, source), rules.Adam())
    assert not found.right
    assert message in found.error
    assert found.line == line


def test_a_file_that_prints_and_takes_what_it_likes_is_checked_all_the_same(tmp_path):
    source = (
        "print('hello')\ndef my_sgd(**given):\n    print(given)\n    return given['theta'] - given['lr'] * given['g']\n"
    )
    assert check(written(tmp_path, source), rules.SGD()).right
    with pytest.raises(OptionError, match="there is no file"):
        check(tmp_path / "none.py", rules.SGD())


@pytest.mark.slow
def test_an_endless_rule_is_stopped(tmp_path):
    found = check(written(tmp_path, "def adam(theta, g, v, s):\n    while True:\n        pass\n"), rules.Adam())
    assert "limits of time" in found.error or "did not end" in found.error


@pytest.mark.parametrize("name", RIGHT)
def test_the_answer_to_an_exercise_is_right(name, tmp_path):
    rule = getattr(rules, name)()
    assert check(written(tmp_path, answer(rule)), rule).right
    head = answer(rule).partition("def ")[2].partition(":")[0]
    for language in ("en", "es", "it"):
        assert f"def {head}:" in exercise(rule, language)
    with pytest.raises(OptionError, match="language"):
        exercise(rule, "fr")


def test_the_commands_give_an_exercise_and_check_a_file(tmp_path):
    def command(*arguments):
        run = [sys.executable, "-W", "error", "-m", "minidl", *arguments]
        result = subprocess.run(run, capture_output=True, text=True, timeout=120)
        return result.returncode, result.stdout + result.stderr

    assert "def adam(theta, g, v, s, lr, t, beta1, beta2, eps):" in command("exercise", "adam", "--language", "it")[1]
    _, printed = command("exercise", "rmsprop", "--answer")
    path = written(tmp_path, printed, "my_rmsprop.py")
    code, printed = command("check", str(path), "--language", "es")
    assert (code, printed.splitlines()[0]) == (0, "Running my_rmsprop.py ...")  # it says that it executes the file
    assert "RMSProp: correcto" in printed
    path.write_text(path.read_text().replace("(1 - rho)", "rho"))
    code, printed = command("check", str(path))
    assert code == 1
    assert "step 1 departs in s" in printed
    assert "which rule is it?" in command("check", str(written(tmp_path, "", "x.py")))[1]
