"""Rules side by side on a surface: where they end, which diverged, and why."""

import subprocess
import sys

import numpy as np
import pytest

from minidl.errors import OptionError
from minidl.optim import rules
from minidl.teach import race
from minidl.teach.formula import formula
from minidl.teach.functions import START, bowl, plateau
from minidl.teach.stability import is_linear, largest_stable_lr


def test_a_race_ends_where_the_notes_say():
    """Note A prints the end points, after 20 steps."""
    found = race(bowl, [(rules.SGD(), 0.4), (rules.SGD(), 0.6), (rules.Momentum(beta=0.5), 0.6)], START)
    assert [tuple(map("{:.6f}".format, lane.path[-1])) for lane in found.lanes] == [
        ("-0.943467", "-0.000073"), ("-0.387814", "-1673.365109"), ("0.007188", "0.002553")]  # fmt: skip
    text = str(found)
    assert "SGD lr=0.4                 (-0.943467, -7.31232e-05)" in text
    assert (
        "SGD lr=0.6 diverged at step 1: lr times the largest curvature is 2.4, and 2 is the most that is stable" in text
    )
    assert found.lanes[2].diverged is None


def test_of_a_surface_that_is_no_quadratic_nothing_is_said_that_is_not_so():
    steep = formula("x1**4 + x2**2")
    (lane,) = race(steep, [(rules.SGD(), 1.0)], (5.0, 1.0)).lanes
    assert lane.diverged is not None
    assert lane.why == ""
    assert race(plateau, [(rules.Momentum(), 0.1)], (0.0,), 150).lanes[0].path.shape == (151, 1)
    with pytest.raises(OptionError, match="at least one rule"):
        race(bowl, [], START)


@pytest.mark.parametrize("curvature", [0.2, 4.0, 100.0])
def test_the_largest_stable_rate_of_a_linear_rule_is_that_of_theory(curvature):
    beta = 0.5
    expected = {
        rules.SGD(): 2,
        rules.Momentum(beta=beta): 2 * (1 + beta),
        rules.Momentum(beta=beta, form="velocity"): 2 * (1 + beta),
        rules.Momentum(beta=beta, form="averaged"): 2 * (1 + beta) / (1 - beta),
        rules.Nesterov(beta=beta): 2 * (1 + beta) / (1 + 2 * beta),
    }
    for rule, limit in expected.items():
        assert largest_stable_lr(rule, curvature) == pytest.approx(limit / curvature, rel=1e-9)
    for rule in (rules.Adam(), rules.RMSProp(), rules.AdaGrad(), rules.AdaDelta()):
        assert not is_linear(rule)
        assert largest_stable_lr(rule, curvature) is None


def test_a_rule_of_ones_own_has_its_limit_too():
    class Halved(rules.Rule):
        def update(self, theta, g, *, lr, t):
            return (theta - 0.5 * lr * g,)

    assert largest_stable_lr(Halved(), 1.0) == pytest.approx(4, rel=1e-9)


def test_a_formula_is_the_function_that_it_says():
    x = np.array([0.7, -1.3])
    assert float(formula("0.1*x1**2 + 2*x2^2")(x)) == pytest.approx(0.1 * 0.49 + 2 * 1.69)
    assert float(formula("-exp(x1) + abs(sin(x2))*pi - maximum(x1, x2)")(x)) == pytest.approx(
        -np.exp(0.7) + abs(np.sin(-1.3)) * np.pi - 0.7
    )
    assert float(formula("x1")(np.array([2.0]))) == 2


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('true')", "x1.real", "x3", "x1 if x2 else 0", "[x1][0]", "lambda: 1", "'a'", "x1(2)", "x1 +",
     "exp(x1, out=x2)", "x1 % 2", "True", "x1 and x2", "1j", "x1" + "+x1" * 400, "(" * 90 + "x1" + ")" * 90 + "+" * 5],
)  # fmt: skip
def test_what_is_no_formula_is_refused_and_never_run(text):
    with pytest.raises(OptionError, match="formula"):
        formula(text)


def test_the_command_races_and_draws(tmp_path):
    def command(*arguments, code=0):
        run = [sys.executable, "-W", "error", "-m", "minidl", "race", *arguments]
        result = subprocess.run(run, capture_output=True, text=True, timeout=120)
        assert result.returncode == code, result.stderr
        return result.stdout + result.stderr

    picture = tmp_path / "race.png"
    printed = command("sgd:lr=0.4", "momentum:lr=0.6,beta=0.5", "--figure", str(picture))
    assert "Momentum lr=0.6, beta=0.5  (0.00718787, 0.00255327)" in printed
    assert picture.stat().st_size > 5000
    assert "Adam lr=0.1" in command(
        "adam:lr=0.1", "--on", "(1-x1)^2 + 100*(x2-x1^2)^2", "--start", "0,0", "--steps", "5"
    )
    assert "write numbers, such as -5,-2" in command("sgd", "--start", "a", code=1)
    assert "give a number of at least 0" in command("sgd:lr=x", code=1)
