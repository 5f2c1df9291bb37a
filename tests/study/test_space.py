"""Search spaces and plans: what a range means, and that all trials are known beforehand."""

import json
import math

import numpy as np
import pytest

from minidl.errors import OptionError
from minidl.study import Choice, LogUniform, Uniform
from minidl.study.plan import halton, plan
from minidl.study.space import config_at, parse


@pytest.mark.parametrize(
    ("text", "low", "middle", "high"),
    [("1e-5..1e-1:log", 1e-5, 1e-3, 1e-1), ("0.5..0.99", 0.5, 0.745, 0.99), ("-2..2", -2, 0, 2)],
)
def test_a_range_on_the_command_line_goes_from_its_first_number_to_its_last(text, low, middle, high):
    found = parse(text)
    assert [found.at(share) for share in (0, 0.5, 1)] == pytest.approx([low, middle, high])
    assert [found.share(value) for value in (low, middle, high)] == pytest.approx([0, 0.5, 1])
    assert str(found) == str(parse(str(found)))


def test_values_with_commas_are_a_choice_and_one_value_is_for_all_trials():
    assert [parse("32,64,128").at(share) for share in (0, 0.34, 0.99, 1)] == [32, 64, 128, 128]
    assert [parse(text) for text in ("0.9", "7", "None", "True", "outside")] == [0.9, 7, None, True, "outside"]


@pytest.mark.parametrize("text", ["1e-1..1e-5:log", "0..1:log", "1..x", "a..b", "1..2:lin", "1..2:", "..", "nan..1"])
def test_a_range_that_is_none_is_refused_with_an_example_of_one(text):
    with pytest.raises(OptionError, match=r"1e-5\.\.1e-1:log|two finite numbers"):
        parse(text)


def test_the_same_points_are_mapped_to_each_cells_space_and_paired_by_the_same_seeds():
    cells = {
        "sgd": {"lr": LogUniform(1e-3, 10)},
        "adam": {"lr": LogUniform(1e-5, 1e-1), "beta1": Uniform(0.5, 1), "eps": 1e-8},
    }
    rows = list(plan(cells, 8, [3, 5]).rows())
    configs = {(row.cell, row.point, row.seed): json.loads(row.config) for row in rows}
    assert len(configs) == len(rows) == 2 * 8 * 2
    for point in range(8):
        sgd, adam = (configs[cell, point, 3] for cell in cells)
        assert math.log(sgd["lr"] / 1e-3) == pytest.approx(math.log(adam["lr"] / 1e-5))
        assert configs["adam", point, 5] == adam
        assert adam["eps"] == 1e-8
    assert {(row.cell, row.seed) for row in rows[:4]} == {(cell, seed) for cell in cells for seed in (3, 5)}


def test_points_fill_the_cube_evenly_and_more_of_them_begin_with_the_same():
    points = halton(64, 3, seed=1)
    assert np.array_equal(points, halton(100, 3, seed=1)[:64])
    assert not np.allclose(points, halton(64, 3, seed=2))
    assert all(np.histogram(column, 4, (0, 1))[0].min() >= 14 for column in points.T)
    assert halton(5, 0, seed=1).shape == (5, 0)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"trials": 0}, "trials must be an integer of at least 1"),
        ({"seeds": []}, "at least one"),
        ({"seeds": [1, 1]}, "each once"),
        ({"seeds": [-1]}, "seeds: each"),
        ({"space": {"a": {"lr": 1}, "b": 2}}, "'a' is a space of its own"),
        ({"space": {"lr": object()}}, "for JSON"),
    ],
)
def test_a_plan_that_is_none_is_refused(bad, said):
    with pytest.raises(OptionError, match=said):
        plan(**{"space": {"lr": 0.1}, "trials": 3, "seeds": 2} | bad)


def test_a_fixed_value_needs_no_coordinate():
    space = {"a": 1, "lr": Uniform(0, 2), "b": Choice("x", "y")}
    assert config_at(space, [0.25, 0.9]) == {"a": 1, "lr": 0.5, "b": "y"}
