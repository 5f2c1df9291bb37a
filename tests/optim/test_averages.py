"""``ema=``: every rule keeps an exponential moving average of the weights, if it is asked to."""

import copy

import numpy as np
import pytest
from rule_cases import EVERY, OPTIMIZERS

from minidl import Tensor, optim
from minidl.errors import OptionError, StateError
from minidl.teach import ledger

RNG = np.random.default_rng(8)
START, GRADIENTS = RNG.normal(size=7), RNG.normal(size=(40, 7))


def trained(kind=optim.SGD, steps=40, **options):
    """An optimizer, its parameter, and the values of that after each step."""
    w = Tensor(START.copy(), requires_grad=True)
    optimizer, path = kind([w], **options), []
    for g in GRADIENTS[:steps]:
        w.grad = Tensor(g)
        optimizer.step()
        path.append(w.numpy().copy())
    return optimizer, w, path


def average(path, ema):
    """The average of `path` by its definition: it begins at the start, and d grows from 2/11 towards `ema`."""
    value = START
    for t, theta in enumerate(path, 1):
        d = min(ema, (1 + t) / (10 + t))
        value = d * value + (1 - d) * theta
    return value


@pytest.mark.parametrize("ema", [0.0, 0.5, 0.9, 0.999])
def test_the_average_is_that_of_the_weights_after_each_step(ema):
    optimizer, _, path = trained(ema=ema)
    np.testing.assert_allclose(optimizer.state["average"], average(path, ema), rtol=1e-12)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_with_an_average_every_rule_moves_the_weights_by_the_same_bits(kind):
    _, w, _ = trained(kind)
    _, averaged, _ = trained(kind, ema=0.9)
    assert w.numpy().tobytes() == averaged.numpy().tobytes()


@pytest.mark.parametrize("kind", [optim.Nesterov, optim.RMSPropNesterov])
def test_where_the_weights_look_ahead_the_iterate_is_averaged(kind):
    w = Tensor(START.copy(), requires_grad=True)
    optimizer, path = kind([w], ema=0.9), []
    for g in GRADIENTS:
        w.grad = Tensor(g)
        optimizer.step()
        with optimizer.at_iterate():
            path.append(w.numpy().copy())
    np.testing.assert_allclose(optimizer.state["average"], average(path, 0.9), rtol=1e-12)
    with optimizer.averaged():
        np.testing.assert_array_equal(w.numpy(), optimizer.state["average"])


def test_after_few_steps_the_first_weights_are_forgotten():
    """Unlike an average that always keeps 99.9 %: that would consist of them to 90 % after 100 steps."""
    rule = optim.rules.SGD(ema=0.999)
    average, t = 1.0, 1
    for t in range(1, 101):
        _, average = rule(0.0, 0.0, average, lr=0.1, t=t)
    assert average < 1e-9


def test_a_schedule_may_say_how_much_is_kept():
    optimizer, _, path = trained(ema=lambda k: 0.5 if k < 20 else 0.0)
    np.testing.assert_array_equal(optimizer.state["average"], path[-1])


def test_averaged_shows_the_averages_and_puts_the_weights_back_bit_for_bit():
    optimizer, w, path = trained(optim.Adam, ema=0.9)
    with optimizer.averaged():
        np.testing.assert_allclose(w.numpy(), average(path, 0.9), rtol=1e-12)
        with optimizer.averaged():
            np.testing.assert_allclose(w.numpy(), average(path, 0.9), rtol=1e-12)
        with pytest.raises(StateError, match=r"step\(\) inside averaged\(\)"):
            optimizer.step()
        with pytest.raises(StateError, match=r"at_iterate\(\) inside averaged\(\)"), optimizer.at_iterate():
            pass
    assert w.numpy().tobytes() == path[-1].tobytes()
    optimizer.step()


def test_take_averages_leaves_them_in_the_weights():
    optimizer, w, path = trained(ema=0.9)
    optimizer.take_averages()
    np.testing.assert_allclose(w.numpy(), average(path, 0.9), rtol=1e-12)
    other, w, path = trained()
    other.take_averages()
    np.testing.assert_array_equal(w.numpy(), path[-1])


def test_before_the_first_step_and_for_frozen_weights_there_is_no_average():
    """Weights may be loaded after the optimizer was made."""
    optimizer, w, _ = trained(steps=0, ema=0.9)
    w.data[...] = 3.0
    with optimizer.averaged():
        np.testing.assert_array_equal(w.numpy(), 3.0)
    a, b = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([a, b], lr=1.0, ema=0.5)
    b.requires_grad = False
    b.data[...] = 5.0
    a.grad = Tensor(np.ones(2))
    optimizer.step()
    with optimizer.averaged():
        np.testing.assert_allclose(a.numpy(), 2 / 11)
        np.testing.assert_array_equal(b.numpy(), 5.0)


def test_groups_may_differ_in_it():
    a, b = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    optimizer = optim.Momentum([{"params": [a], "ema": 0.5}, {"params": [b]}], lr=1.0)
    for _ in range(2):
        a.grad = b.grad = Tensor(np.ones(2))
        optimizer.step()
    with optimizer.averaged():
        assert a.numpy()[0] != b.numpy()[0] == -1.9


def test_it_can_be_changed_but_neither_begin_nor_end_on_the_way():
    optimizer, _, _ = trained(ema=0.9)
    optimizer.groups[0]["ema"] = 0.0
    optimizer.step()
    optimizer.groups[0]["ema"] = None
    with pytest.raises(OptionError, match=r"ema was 0\.0 and cannot become None: the state rests on it"):
        optimizer.step()
    optimizer, _, _ = trained()
    optimizer.groups[0]["ema"] = 0.9
    with pytest.raises(OptionError, match=r"ema was None and cannot become 0\.9"):
        optimizer.step()


@pytest.mark.parametrize("value", [1.0, 99.9, -0.1, "0.9"])
def test_what_is_no_share_is_refused(value):
    with pytest.raises(OptionError, match=r"ema must be a number in \[0, 1\), or None"):
        optim.Adam([Tensor(START, requires_grad=True)], ema=value)


def test_it_is_saved_and_loaded_and_states_without_it_are_told_apart():
    optimizer, _, _ = trained(ema=0.9, steps=20)
    state = optimizer.state_dict()
    other, _, _ = trained(ema=0.5, steps=3)
    other.load_state_dict(state)
    assert other.groups[0]["ema"] == 0.9
    np.testing.assert_array_equal(other.state["average"], optimizer.state["average"])
    twin = copy.deepcopy(optimizer)
    np.testing.assert_array_equal(twin.state["average"], optimizer.state["average"])
    plain, _, _ = trained()
    assert "ema" not in plain.state_dict()["groups"][0]  # as before there were averages
    with pytest.raises(StateError, match="average"):
        plain.load_state_dict(state)


def test_the_ledger_shows_its_line():
    w = Tensor(START.copy(), requires_grad=True)
    optimizer = optim.Momentum([w], ema=0.9)
    book = ledger(optimizer, [(w, 2)])
    for g in GRADIENTS[:3]:
        w.grad = Tensor(g)
        optimizer.step()
    entry = book.at(3)
    d = "minimum(ema, (1 + t) / (10 + t))"
    assert f"average ← {d} * average + (1 - {d}) * theta = " in str(entry)
    assert entry.after["average"] == optimizer.state["average"][2]


def test_a_rule_says_that_it_averages_only_if_it_does():
    assert "ema" not in repr(optim.rules.Adam())
    assert "ema=0.9" in repr(optim.rules.Adam(ema=0.9))
    assert all(len(kind(ema=0.9).state) == len(kind().state) + 1 for kind in EVERY)
