"""The statistics of paired runs, beside what SciPy, a closed form or a count gives."""

import itertools

import numpy as np
import pytest
from scipy import stats

from minidl.study.statistics import (
    best_of_k,
    good_range,
    holm,
    paired_difference,
    probability_of_best,
    quartiles,
    selected_best,
    steps_to_target,
    wilcoxon_holm,
    worst_for_diverged,
)

RNG = np.random.default_rng(5)


def test_holm_is_as_in_his_paper():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == pytest.approx([1.0, 1.0])


def test_every_pair_is_tested_and_equal_rules_are_equal():
    a = RNG.normal(size=20)
    losses = np.stack([a, a + 1 + 0.1 * RNG.normal(size=20), a], axis=1)
    p = wilcoxon_holm(losses)
    assert np.array_equal(p, p.T)
    assert p[0, 2] == 1
    raw = stats.wilcoxon(losses[:, 0], losses[:, 1]).pvalue
    assert p[0, 1] == pytest.approx(3 * raw)


def test_the_interval_of_a_difference_holds_it_in_nineteen_of_twenty_studies():
    inside = 0
    for _ in range(60):
        a, b = RNG.normal(1.0, 1, 20), RNG.normal(0.0, 1, 20)
        found = paired_difference(a, b)
        assert found.low <= found.value <= found.high
        inside += found.low <= 1.0 <= found.high
    assert 52 <= inside <= 60


def test_a_difference_is_decided_where_zero_is_outside_its_interval():
    noise = 0.1 * RNG.normal(size=20)
    assert paired_difference(noise + 1, noise * 0).sign == 1
    assert paired_difference(noise, noise + 1).sign == -1
    assert paired_difference(noise, noise * 0).sign == 0
    assert paired_difference(noise, noise).sign == 0
    assert (quartiles(np.arange(5.0))) == (1, 2, 3)


def test_the_best_of_k_is_what_all_draws_of_k_trials_give():
    losses = np.array([3.0, 1.0, 2.0])
    found = best_of_k(losses)
    for k in (1, 2, 3):
        draws = [min(draw) for draw in itertools.product(losses, repeat=k)]
        assert found.mean[k - 1] == pytest.approx(np.mean(draws))
        assert found.low[k - 1] == np.quantile(draws, 0.05, method="inverted_cdf")
        assert found.high[k - 1] == np.quantile(draws, 0.95, method="inverted_cdf")


def test_who_is_best_for_sure_has_the_probability_one_and_equals_share_it():
    base = RNG.normal(size=(20, 1))
    assert probability_of_best(np.hstack([base, base + 1])) == pytest.approx([1, 0])
    noisy = np.hstack([RNG.normal(size=(20, 1)), RNG.normal(size=(20, 1)), base + 9])
    found = probability_of_best(noisy)
    assert found.sum() == pytest.approx(1)
    assert found[2] == 0
    assert selected_best([np.array([1.0, 5.0]), np.array([2.0, 2.0])]) == pytest.approx([0.75, 0.25], abs=0.02)


def test_runs_that_miss_a_target_are_censored_and_never_dropped():
    found = steps_to_target([10, 20, 30, None], budget=100)
    assert (found.share, found.median) == (0.75, 20)
    assert found.steps.tolist()[:3] == [10, 20, 30]
    assert found.surviving.tolist()[:3] == [0.75, 0.5, 0.25]
    none = steps_to_target([None, None], budget=100)
    assert (none.share, none.median) == (0, None)
    assert steps_to_target([5, None, None], budget=9).median is None


def test_what_diverged_counts_as_the_worst_there_is():
    losses = np.array([[0.1, np.inf], [np.inf, 4.0]])
    assert worst_for_diverged(losses, 2.3).tolist() == [[0.1, 4.0], [4.0, 4.0]]
    assert worst_for_diverged(losses[:1], 2.3).tolist() == [[0.1, 2.3]]


def test_a_rule_is_forgiving_by_the_decades_in_which_it_is_nearly_at_its_best():
    lr = np.array([1e-1, 1e-4, 1e-3, 1e-2, 1.0])
    assert good_range(lr, np.array([2.0, 2.0, 1.0, 1.05, 9.0])) == pytest.approx(1)
    assert good_range(lr, np.array([1.0, 1.0, 1.0, 1.05, 1.0])) == pytest.approx(4)
