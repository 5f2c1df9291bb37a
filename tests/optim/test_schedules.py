"""Schedules: functions of k, the updates already made; and the two conditions of convergence."""

import math

import numpy as np
import pytest

from minidl.errors import OptionError, StateError
from minidl.optim.schedules import (
    Plateau,
    constant,
    cosine,
    exponential,
    inverse_time,
    linear,
    one_cycle,
    per_epoch,
    robbins_monro,
    step,
    warmup,
)

EVERY = [
    constant(0.1),
    linear(0.1, None, 100),
    exponential(0.1, 10, 0.9),
    inverse_time(0.1, 10, 0.5),
    step(0.1, 30, 0.5),
    cosine(0.1, 100),
    warmup(10, cosine(0.1, 90)),
    one_cycle(0.1, 100),
    per_epoch(linear(0.1, 0.0, 5), 20),
    Plateau(0.1),
]


def test_linear_is_goodfellows_formula_and_ends_at_a_hundredth():
    schedule = linear(0.5, None, 200)
    for k in (0, 1, 50, 199):
        share = k / 200
        assert schedule(k) == pytest.approx((1 - share) * 0.5 + share * 0.005)
    assert schedule(0) == 0.5
    assert schedule(200) == schedule(10**9) == 0.005
    assert linear(1.0, 3.0, 4)(1) == 1.5


def test_exponential_is_keras_exponential_decay():
    schedule = exponential(1e-2, 10_000, 0.9)
    assert schedule(0) == 0.01
    assert schedule(10_000) == pytest.approx(0.009)
    assert schedule(5_000) == pytest.approx(0.01 * 0.9**0.5)
    assert schedule(437_086) > 1e-4 > schedule(437_088)  # a hundredth of the start: decay_steps is not note B's τ
    stairs = exponential(1e-2, 10_000, 0.9, staircase=True)
    assert [stairs(k) for k in (0, 9_999, 10_000)] == [0.01, 0.01, pytest.approx(0.009)]


def test_inverse_time_step_and_cosine():
    assert inverse_time(1.0, 10, 0.5)(20) == pytest.approx(1 / (1 + 0.5 * 2))
    assert [step(1.0, 3, 0.1)(k) for k in (0, 2, 3, 6)] == [1.0, 1.0, pytest.approx(0.1), pytest.approx(0.01)]
    schedule = cosine(1.0, 100, end=0.2)
    assert schedule(0) == pytest.approx(1.0)
    assert schedule(50) == pytest.approx(0.6)
    assert schedule(100) == schedule(10**6) == pytest.approx(0.2)
    assert cosine(1.0, 4)(1) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


def test_warmup_rises_and_then_follows():
    schedule = warmup(4, linear(1.0, 0.0, 10))
    assert [schedule(k) for k in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 0.9]
    assert [warmup(2, 0.5)(k) for k in range(4)] == [0.25, 0.5, 0.5, 0.5]
    assert warmup(2, lambda k: k + 1.0)(5) == 4.0


def test_one_cycle_goes_up_and_down():
    schedule = one_cycle(1.0, 100)
    lrs = [schedule(k) for k in range(101)]
    assert lrs[0] == pytest.approx(1 / 25)
    assert lrs[30] == max(lrs) == 1.0
    assert lrs[100] == pytest.approx(1 / 250_000)
    assert lrs[:31] == sorted(lrs[:31])
    assert lrs[30:] == sorted(lrs[30:], reverse=True)
    assert one_cycle(1.0, 10, rise=1.0)(10) == one_cycle(1.0, 10, rise=1.0)(99) == pytest.approx(1 / 250_000)


def test_per_epoch_counts_epochs():
    schedule = per_epoch(lambda epoch: 10.0 - epoch, 7)
    assert [schedule(k) for k in (0, 6, 7, 13, 14)] == [10, 10, 9, 9, 8]


def test_a_plateau_lowers_the_rate_when_the_loss_stops_falling():
    plateau = Plateau(1.0, factor=0.5, patience=2, end=0.2)
    seen = []
    for loss in (3.0, 2.0, 2.0, 2.5, 2.0, 1.0, 1.0, math.nan, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        plateau.update(loss)
        seen.append(plateau(0))
    assert seen == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2]
    late = Plateau(1.0, patience=1)
    for loss in (math.nan, 5.0, 4.0, 3.0):
        late.update(loss)
    assert late.best == 3.0
    small_gain = Plateau(1.0, patience=0, threshold=0.1)
    for loss in (10.0, 9.5):
        small_gain.update(loss)
    assert small_gain(0) == pytest.approx(0.1)


def test_a_plateau_whose_end_lies_above_does_not_rise():
    plateau = Plateau(0.1, patience=0, end=0.5)
    for loss in (1.0, 2.0):
        plateau.update(loss)
    assert plateau(0) == 0.1


def test_a_plateau_can_be_saved_and_restored():
    one, other = Plateau(1.0, patience=1), Plateau(1.0, patience=1)
    for loss in (1.0, 2.0):
        one.update(loss)
    other.load_state_dict(one.state_dict())
    for plateau in (one, other):
        plateau.update(3.0)
    assert one == other
    assert one(0) == pytest.approx(0.1)
    with pytest.raises(StateError, match="expected .'lr', 'best', 'waited'., got .'lr'"):
        one.load_state_dict({"lr": 1})


def test_every_schedule_shows_what_it_is():
    assert repr(exponential(0.01, 10000, 0.9)) == (
        "exponential(start=0.01, decay_steps=10000, decay_rate=0.9, staircase=False)"
    )
    assert repr(warmup(5, 0.1)) == "warmup(steps=5, then=constant(lr=0.1))"
    assert repr(linear(1.0, None, 5)) == "linear(start=1.0, end=0.01, steps=5)"
    for schedule in EVERY:
        assert type(schedule).__name__ in repr(schedule)
        assert type(schedule).__doc__


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_every_schedule_gives_good_rates_from_the_first_step_to_the_last(schedule):
    lrs = [schedule(k) for k in (0, 1, 2, 29, 30, 99, 100, 101, 10**6)]
    assert all(0 <= lr <= 0.1 + 1e-15 and isinstance(lr, float) for lr in lrs)
    assert lrs[0] > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constant(-1), "constant: lr=-1: lr must be a finite number >= 0"),
        (lambda: constant(math.nan), "constant: lr=nan"),
        (lambda: constant("0.1"), "constant: lr='0.1'"),
        (lambda: constant(True), "constant: lr=True"),
        (lambda: linear(0.1, -0.1, 5), "linear: end=-0.1"),
        (lambda: linear(0.1, None, 0), "linear: steps=0: steps must be a whole number >= 1"),
        (lambda: linear(0.1, None, 2.5), "linear: steps=2.5"),
        (lambda: linear(0.1, None, math.inf), "linear: steps=inf"),
        (lambda: linear(0.1, None, math.nan), "linear: steps=nan"),
        (lambda: linear("x", None, 5), "linear: start='x'"),
        (lambda: exponential(0.1, 10, 1.1), "exponential: decay_rate=1.1: decay_rate must be a number above 0 and at"),
        (lambda: exponential(0.1, 10, 0), "exponential: decay_rate=0"),
        (lambda: inverse_time(0.1, 0, 1), "inverse_time: decay_steps=0"),
        (lambda: inverse_time(0.1, 1, -1), "inverse_time: decay_rate=-1"),
        (lambda: step(0.1, 0, 0.5), "step: every=0"),
        (lambda: step(0.1, 1, 2), "step: factor=2"),
        (lambda: cosine(math.inf, 10), "cosine: start=inf"),
        (lambda: warmup(0, 0.1), "warmup: steps=0"),
        (lambda: warmup(5, -0.1), "constant: lr=-0.1"),
        (lambda: one_cycle(0.1, 10, rise=0), "one_cycle: rise=0"),
        (lambda: per_epoch(constant(0.1), 0), "per_epoch: steps_per_epoch=0"),
        (lambda: per_epoch("x", 5), "constant: lr='x'"),
        (lambda: Plateau(0.1, factor=0), "Plateau: factor=0"),
        (lambda: Plateau(0.1, patience=-1), "Plateau: patience=-1: patience must be a whole number >= 0"),
    ],
)
def test_wrong_arguments_are_refused_in_words(make, message):
    with pytest.raises(OptionError, match=message):
        make()


# Σ α_k = ∞ and Σ α_k² < ∞.


@pytest.mark.parametrize(
    ("schedule", "diverges", "squares"),
    [
        (inverse_time(0.1, 1, 1.0), True, True),
        (constant(0.1), True, False),
        (exponential(1e-2, 10_000, 0.9), False, True),  # note B's own example
        (exponential(0.1, 10, 1.0), True, False),
        (linear(0.1, None, 100), True, False),
        (linear(0.1, 0.0, 100), False, True),
        (step(0.1, 10, 0.5), False, True),
        (step(0.1, 10, 1), True, False),
        (cosine(0.1, 100), False, True),
        (cosine(0.1, 100, end=0.01), True, False),
        (inverse_time(0.1, 1, 0.0), True, False),
        (constant(0), False, True),
        (warmup(10, inverse_time(0.1, 1, 1.0)), True, True),
        (per_epoch(inverse_time(0.1, 1, 1.0), 100), True, True),
        (one_cycle(0.1, 100), True, False),
    ],
    ids=repr,
)
def test_minidls_schedules_are_judged_by_their_formula(schedule, diverges, squares):
    answer = robbins_monro(schedule)
    assert (answer.sum_diverges, answer.squares_converge) == (diverges, squares)
    assert bool(answer) == (diverges and squares)
    assert answer.proven
    assert "sampled" not in answer.reason
    assert ("Σ α_k = ∞ holds" in answer.reason) == diverges
    assert ("Σ α_k² < ∞ holds" in answer.reason) == squares


@pytest.mark.parametrize(
    ("schedule", "diverges", "squares", "how"),
    [
        (lambda k: 1 / (k + 1), True, True, "falls like 1/k."),
        (lambda k: 0.1 / math.sqrt(k + 1), True, False, "falls like 1/√k."),
        (lambda k: (k + 1) ** -0.75, True, True, "falls like 1/k^0.75."),
        (lambda k: (k + 1.0) ** -2, False, True, "falls like 1/k^2."),
        (lambda k: 0.1, True, False, "tends to a constant"),
        (lambda k: 0.99**k, False, True, "falls faster than any power"),
        (warmup(100, lambda k: 1 / (k + 1)), True, True, "falls like 1/k."),
        (lambda k: 0.1 + 0.05 * math.sin(math.log(k + 1)), None, None, "follows no power of k"),
        (lambda k: (2 + math.sin(math.log(k + 1))) / (k + 1) ** 0.75, None, None, "follows no power of k"),
        (lambda k: math.sqrt(k), None, None, "follows no power of k"),
        (lambda k: float(k % 2 == 0), None, None, "follows no power of k"),
    ],
)
def test_a_users_function_is_judged_by_samples_and_that_is_said(schedule, diverges, squares, how):
    answer = robbins_monro(schedule)
    assert (answer.sum_diverges, answer.squares_converge) == (diverges, squares)
    assert not answer.proven
    assert "sampled, not proven" in answer.reason
    assert how in answer.reason


def test_a_plateau_has_no_answer():
    answer = robbins_monro(Plateau(0.1))
    assert not answer
    assert (answer.sum_diverges, answer.squares_converge, answer.proven) == (None, None, False)
    assert "losses still to come" in answer.reason


def test_what_is_no_schedule_has_no_answer():
    with pytest.raises(OptionError, match="expected a schedule"):
        robbins_monro(0.1)
    for values in (lambda k: -1.0, lambda k: math.nan):
        with pytest.raises(OptionError, match="negative or not finite"):
            robbins_monro(values)


def test_note_bs_second_condition_as_printed_would_refuse_one_over_k():
    """Σ α_2k, as printed, is Σ 1/2k for α_k = 1/k, which grows without bound; Σ α_k² does not."""
    k = np.arange(1, 10**6)
    assert np.sum(1 / (2.0 * k)) > 7
    assert np.sum(1 / k**2.0) < math.pi**2 / 6
