"""Rules side by side on a surface: where they end, which diverged, and why."""

import subprocess
import sys

import numpy as np
import pytest

from minidl import nn, optim
from minidl.errors import OptionError
from minidl.optim import rules, schedules
from minidl.teach import explain, ledger, race
from minidl.teach.formula import formula
from minidl.teach.functions import START, bowl, plateau
from minidl.teach.stability import is_linear, largest_stable_lr
from minidl.teach.surfaces import SURFACES


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


def test_a_lane_has_the_ledgers_entry_of_every_step():
    """The same numbers as a ledger of the optimizer has, which takes the steps in another way."""
    (lane,) = race(bowl, [(rules.Adam(), 0.4)], START, 6).lanes
    x = nn.Parameter(list(START), dtype="float64")
    optimizer = optim.Adam([x], lr=0.4)
    book = ledger(optimizer, [(x, 1)])
    for _ in range(6):
        optimizer.zero_grad()
        bowl(x).backward()
        optimizer.step()
    for t in range(1, 7):
        ours, theirs = lane.entry(t, 1), book.at(t)
        assert (ours.t, ours.lr, ours.where) == (t, 0.4, "x2")
        assert ours.g == pytest.approx(theirs.g, rel=1e-12)
        assert dict(ours.after) == pytest.approx(dict(theirs.after), rel=1e-12)
    assert explain(lane.entry(6, 1)).replace("x2", "parameters[0][1]") == explain(book.at(6))
    with pytest.raises(OptionError, match=r"steps are 1 to 6, the coordinates 0 to 1"):
        lane.entry(7, 0)


def test_a_rate_may_be_a_schedule_and_then_nothing_is_said_of_its_limit():
    (lane,) = race(bowl, [(rules.SGD(), schedules.linear(0.9, None, 20))], START, 20).lanes
    assert lane.entry(11, 0).lr == pytest.approx(0.5 * 0.9 + 0.5 * 0.009)
    assert lane.why == ""
    assert race(bowl, [(rules.SGD(), 0.9)], START, 20).lanes[0].why.startswith("lr times the largest curvature is 3.6")


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_is_least_where_it_says(name):
    surface = SURFACES[name]
    for least in surface.minima:
        around = [np.array(least) + step for step in np.random.default_rng(0).normal(0, 0.01, (20, len(least)))]
        assert all(float(surface.f(np.array(least))) <= float(surface.f(x)) for x in around)
    assert len(surface.start) == len(surface.domain)
    assert all(low <= x <= high for x, (low, high) in zip(surface.start, surface.domain, strict=True))


def test_numbers_that_a_formula_cannot_have_are_infinite_or_nan_and_no_crash():
    with np.errstate(all="ignore"):
        assert float(formula("x1 + 1/0")(np.array([1.0]))) == np.inf
        assert float(formula("x1 * 9**9**9**9")(np.array([1.0]))) == np.inf
        assert np.isnan(float(formula("x1 + (0-8)**(1/3)")(np.array([1.0]))))
