"""The four panels' spaces: what contains what, what is searched as lr/ε, and what a border is."""

import numpy as np
import pytest

from minidl.errors import OptionError
from minidl.optim import rules
from minidl.study.panel_training import parts, train_panel
from minidl.study.panels import CHAINS, PANELS, RULES, TIERS, Change, borders, hyperparameters, settings_at, space
from minidl.study.space import LogUniform


@pytest.mark.parametrize("rule", RULES)
def test_the_last_panel_searches_all_that_the_others_do(rule):
    p1, p2, p3, p4 = (space(panel, rule) for panel in PANELS)
    assert p1.items() <= p2.items() <= p4.items()
    assert p1.items() <= p3.items() <= p4.items()
    assert list(p4) == [*dict.fromkeys([*p2, *p3])]
    assert next(iter(p4)) == "lr"


@pytest.mark.parametrize(("special", "general"), CHAINS)
def test_a_rule_that_contains_another_searches_as_far_in_what_they_share(special, general):
    a, b = space("P3", special), space("P3", general)
    for name in a.keys() & b.keys() - {"lr", "eps"}:
        assert (b[name].low, b[name].high) == (a[name].low, a[name].high), name
    if "eps" in b and "eps" not in a:  # where ε is large, lr/ε goes over the rates of SGD
        rates = [settings_at(b, np.array([share, *[0.999] * 4])[: len(b)]) for share in (0.0, 0.999999)]
        assert [rate["lr"] / rate["eps"] for rate in rates] == pytest.approx([1e-3, 1e1], rel=1e-4)


def test_where_eps_is_small_the_rate_itself_is_searched():
    adam = space("P3", "Adam")
    assert list(adam) == ["lr", "1-beta1", "1-beta2", "eps"]
    assert settings_at(adam, np.array([0.5, 0.5, 0.5, 0.2]))["lr"] == pytest.approx(1e-3)


def test_a_setting_at_an_end_of_its_range_is_flagged_until_the_range_is_wider():
    adam = space("P3", "Adam")
    config = settings_at(adam, np.array([0.99, 0.5, 0.01, 0.5]))
    assert borders(adam, config) == [Change("lr", True), Change("1-beta2", False)]
    wider = space("P3", "Adam", borders(adam, config))
    assert wider["lr"] == LogUniform(1e-5, 1.0)
    assert wider["1-beta2"].low == pytest.approx(1e-5)
    assert borders(wider, config) == []
    large = settings_at(adam, np.array([0.01, 0.5, 0.5, 0.95]))  # by lr/ε, not by lr
    assert borders(adam, large) == [Change("lr", False)]
    assert space("P3", "Momentum", [Change("1-beta", True)])["1-beta"].high == 1.0  # β = 0, and no further


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_eps_outside_the_root_and_takes_all_that_is_searched(rule):
    settings = settings_at(space("P4", rule), np.full(6, 0.5)) | {"rule": rule}
    given = hyperparameters(settings)
    assert given.keys() >= {name.removeprefix("1-") for name in space("P3", rule)} - {"lr"}
    made = getattr(rules, rule)(**given)
    assert getattr(made, "eps_mode", "outside") == "outside"


def test_the_parts_of_a_data_set_do_not_meet_and_are_dealt_by_the_samples_themselves():
    found = parts("mnist")
    assert [len(found[name]) for name in ("training", "tuning", "reporting", "test")] == [50_000, 5000, 5000, 10_000]
    images = [{row.tobytes() for row in found[name].inputs[:5000]} for name in ("training", "tuning", "reporting")]
    assert all(not a & b for a, b in ((images[0], images[1]), (images[0], images[2]), (images[1], images[2])))
    assert abs(np.bincount(found["tuning"].labels) - 500).max() < 120
    with pytest.raises(OptionError, match="four panels take at least"):
        parts("tests/support/fixtures/digits")


def config(**values):
    fixed = {
        "workload": "mnist",
        "epochs": 1,
        "samples": 500,
        "hidden": [16],
        "points": 4,
        "measured": 2000,
        "watched": 200,
    }
    return fixed | {"rule": "Adam", "part": "tuning", "lr": 1e-2} | values


def test_a_training_keeps_its_curve_and_its_numbers_are_those_of_its_part():
    found = train_panel(config(), 3)
    assert found == train_panel(config(), 3)
    assert len(found["curve_loss"]) == len(found["curve_error"]) == found["updates"] == 4
    assert found["loss"] < 2.3
    assert found["curve_error"][-1] == pytest.approx(found["error"], abs=0.15)
    assert train_panel(config(part="reporting"), 3)["loss"] != found["loss"]


def test_a_falling_rate_ends_at_its_share_after_its_length():
    whole = train_panel(config(decay=1.0, length=0.5), 3)
    assert whole["loss"] == train_panel(config(), 3)["loss"]
    assert train_panel(config(decay=1e-4, length=0.5), 3)["loss"] != whole["loss"]


@pytest.mark.parametrize("lr", [1e3, 1e30])
def test_a_training_that_ends_worse_than_it_began_or_is_not_finite_has_diverged(lr):
    with np.errstate(all="ignore"):  # as a worker has it
        found = train_panel(config(rule="SGD", lr=lr), 0)
    assert np.isnan(found["loss"])
    assert np.isnan(found["error"])


def test_tiers_are_as_the_protocol_has_them():
    assert {name: (tier.trials, tier.epochs) for name, tier in TIERS.items()} == {
        "smoke": (4, 1), "laptop": (20, 3), "full": (100, 10),
    }  # fmt: skip
    assert TIERS["laptop"].seeds == TIERS["full"].seeds == 20
