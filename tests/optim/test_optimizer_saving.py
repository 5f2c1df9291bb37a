"""state_dict and load_state_dict: training goes on as if nothing had happened, or nothing is loaded at all."""

import copy
import json

import numpy as np
import pytest
from optimizer_steps import assert_equal, parameters, train, values
from rule_cases import OPTIMIZERS

from minidl import Tensor, optim
from minidl.errors import StateError
from minidl.optim import schedules

VARIANTS = [(kind, {}) for kind in OPTIMIZERS] + [
    (optim.Momentum, {"form": "velocity", "weight_decay": 0.1}),
    (optim.Momentum, {"form": "averaged"}),
    (optim.Nesterov, {"lr": schedules.cosine(0.1, 10)}),
    (optim.Adam, {"amsgrad": True, "eps_mode": "hat"}),
    (optim.AdamW, {"beta1": schedules.linear(0.5, 0.9, 7), "lr": lambda k: 0.1 / (k + 1)}),
    (optim.NAdam, {"momentum_decay": None}),
    (optim.NAdam, {"momentum_decay": 0.3, "beta1": 0.99}),
    (optim.AdaGrad, {"initial_accumulator": 0.1}),
]


def skip(k, i):
    return (k, i) in {(1, 1), (4, 0), (8, 2), (9, 2)}


def through_files(state):
    """What a checkpoint does: arrays apart, everything else through JSON."""
    arrays = {name: vector.copy() for name, vector in state["state"].items()}
    rest = json.loads(json.dumps({key: value for key, value in state.items() if key != "state"}))
    return {**rest, "state": arrays}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=lambda v: getattr(v, "__name__", None))
def test_training_2n_is_training_n_saving_loading_and_training_n(kind, options, dtype):
    straight = parameters(dtype)
    optimizer = kind(straight, **options)
    train(optimizer, straight, 12, skip)

    first = parameters(dtype)
    before = kind(first, **options)
    train(before, first, 6, skip)
    saved = through_files(before.state_dict())

    second = parameters(dtype, seed=5)
    for p, q in zip(second, first, strict=True):
        p.data[...] = q.data
    after = kind(second, **options)
    after.load_state_dict(saved)
    assert after.t == 6
    train(after, second, 6, skip)

    assert_equal(values(second), values(straight))
    for name, vector in optimizer.state.items():
        np.testing.assert_array_equal(after.state[name], vector)
    assert after.t == optimizer.t == 12


def test_state_dict_holds_copies_and_plain_values():
    params = parameters()
    groups = [{"params": params[:1], "lr": 0.5}, {"params": params[1:], "lr": schedules.constant(0.1)}]
    optimizer = optim.Momentum(groups, beta=0.5)
    train(optimizer, params, 2)
    state = optimizer.state_dict()
    assert state["rule"] == "Momentum"
    assert state["t"] == 2
    assert state["groups"] == [
        {"shapes": [[3, 4]], "lr": 0.5, "beta": 0.5, "form": "accumulated", "weight_decay": 0.0},
        {"shapes": [[4], [], [2, 1, 2]], "lr": None, "beta": 0.5, "form": "accumulated", "weight_decay": 0.0},
    ]
    before = state["state"]["v"].copy()
    train(optimizer, params, 1)
    np.testing.assert_array_equal(state["state"]["v"], before)
    state["state"]["v"][:] = 0
    assert optimizer.state["v"].any()


def test_numbers_come_from_the_saved_state():
    params = parameters()
    old = optim.Adam(params, lr=0.1, beta1=0.5, weight_decay=0.1)
    old.groups[0]["beta2"] = 0.9
    train(old, params, 2)
    new = optim.Adam(parameters())
    new.load_state_dict(old.state_dict())
    numbers = {name: value for name, value in old.groups[0].items() if name != "params"}
    assert numbers == {name: value for name, value in new.groups[0].items() if name != "params"}
    assert new.lr == 0.1


def test_loading_after_steps_replaces_all_that_was_there():
    params = parameters()
    optimizer = optim.Adam(params, lr=0.1)
    train(optimizer, params, 3)
    state, at_three = optimizer.state_dict(), values(params)
    train(optimizer, params, 4)
    first = values(params)
    for p, value in zip(params, at_three, strict=True):
        p.data[...] = value
    optimizer.load_state_dict(state)
    train(optimizer, params, 4)
    assert_equal(values(params), first)


def test_a_plateaus_memory_is_saved_with_the_optimizer():
    params = parameters()
    plateau = schedules.Plateau(0.1, factor=0.5, patience=1)
    optimizer = optim.SGD(params, lr=plateau)
    for loss in (1.0, 2.0, 2.0, 2.0):
        plateau.update(loss)
    saved = through_files(optimizer.state_dict())
    assert saved["groups"][0]["lr"] == {"lr": 0.05, "best": 1.0, "waited": 1}
    again = schedules.Plateau(0.1, factor=0.5, patience=1)
    new = optim.SGD(parameters(), lr=again)
    new.load_state_dict(saved)
    assert again == plateau
    assert new.lr == 0.05
    untouched = schedules.Plateau(0.1)
    with pytest.raises(StateError, match="t is -1"):
        optim.SGD(parameters(), lr=untouched).load_state_dict({**saved, "t": -1})
    assert untouched == schedules.Plateau(0.1)


def complete():
    return optim.Momentum([{"params": parameters()[:2]}, {"params": parameters()[2:]}], lr=0.1).state_dict()


def changed(**changes):
    state = complete()
    for path, value in changes.items():
        *way, last = path.split("__")
        place = state
        for part in way:
            place = place[int(part) if part.isdigit() else part]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return state


@pytest.mark.parametrize(
    ("state", "messages"),
    [
        (None, ["it should be a dict of ['rule', 't', 'groups', 'state'], but is NoneType"]),
        ({"t": 1}, ["but is ['t']"]),
        (changed(rule="Adam"), ["it is the state of Adam, not of Momentum"]),
        (changed(t=-1), ["t is -1, which is no number of updates"]),
        (changed(t=2.5), ["t is 2.5"]),
        (changed(groups=[]), ["it has 0 groups, this optimizer 2"]),
        (
            changed(groups__0__shapes=[[4, 3], [4]]),
            ["group 0: its parameters have shapes [[4, 3], [4]], here [[3, 4], [4]]"],
        ),
        (changed(groups__1__beta=...), ["group 1 has ['shapes', 'lr', 'form', 'weight_decay'], here ["]),
        (changed(groups__1__form="velocity"), ["group 1: form was 'velocity', here it is 'accumulated'"]),
        (changed(groups__1__beta=1.5), ["group 1: Momentum: beta=1.5: beta must be a number in [0, 1)"]),
        (changed(groups__0__lr="fast"), ["group 0: Momentum: lr='fast'"]),
        (changed(groups__0__lr=None), ["group 0: lr was a schedule (or None) when saved, here it is 0.1"]),
        (changed(groups__0__lr={"lr": 1}), ["group 0: lr was a schedule (or None) when saved"]),
        (changed(state__v=...), ["state 'v': saved nothing, here float64[21]"]),
        (changed(state__s=np.zeros(21)), ["state 's': saved float64[21], here nothing"]),
        (changed(state__v=np.zeros(20)), ["state 'v': saved float64[20], here float64[21]"]),
        (changed(state__v=np.zeros(21, np.float32)), ["state 'v': saved float32[21], here float64[21]"]),
        (
            changed(rule="SGD", t=-3, groups__0__beta=2, state__v=...),
            ["state of SGD", "t is -3", "group 0: Momentum: beta=2", "state 'v': saved nothing"],
        ),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_is_loaded(state, messages):
    params = parameters()
    optimizer = optim.Momentum([{"params": params[:2]}, {"params": params[2:]}], lr=0.1)
    train(optimizer, params, 2)
    before = optimizer.state_dict()
    with pytest.raises(StateError) as caught:
        optimizer.load_state_dict(state)
    for message in messages:
        assert message in str(caught.value)
    after = optimizer.state_dict()
    np.testing.assert_array_equal(after["state"].pop("v"), before["state"].pop("v"))
    assert after == before


def test_a_schedule_must_be_given_again_and_only_where_there_was_one():
    scheduled = optim.SGD(parameters(), lr=schedules.constant(0.1)).state_dict()
    with pytest.raises(StateError, match=r"group 0: lr was a schedule .* here it is 0.1: make the optimizer as it was"):
        optim.SGD(parameters(), lr=0.1).load_state_dict(scheduled)
    number = optim.SGD(parameters(), lr=0.1).state_dict()
    with pytest.raises(StateError, match=r"group 0: lr was 0.1 when saved, here it is constant\(lr=0.1\)"):
        optim.SGD(parameters(), lr=schedules.constant(0.1)).load_state_dict(number)
    none = optim.NAdam(parameters(), momentum_decay=None).state_dict()
    with pytest.raises(StateError, match="momentum_decay was a schedule .or None. when saved, here it is 0.004"):
        optim.NAdam(parameters()).load_state_dict(none)
    plateau = optim.SGD(parameters(), lr=schedules.Plateau(0.1)).state_dict()
    with pytest.raises(StateError, match="group 0: .*load_state_dict"):
        optim.SGD(parameters(), lr=schedules.constant(0.1)).load_state_dict(plateau)
    broken = copy.deepcopy(plateau)
    del broken["groups"][0]["lr"]["best"]
    with pytest.raises(StateError, match="Plateau: expected"):
        optim.SGD(parameters(), lr=schedules.Plateau(0.1)).load_state_dict(broken)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": 5}, "its groups should be a list of dicts"),
        ({"groups": [5]}, "its groups should be a list of dicts"),
        ({"state": [1]}, "its state a dict of vectors"),
        (
            {"state": {"v": [0.0] * 3, "s": None}},
            r"state 's': saved nothing, here float16\[3\]\n- state 'v': saved a list",
        ),
    ],
)
def test_what_is_no_state_of_an_optimizer_is_refused_and_changes_nothing(change, message):
    p = Tensor(np.ones(3, np.float16), requires_grad=True)
    optimizer = optim.Adam([p], eps=1e-3)
    before = optimizer.state_dict()
    with pytest.raises(StateError, match=message):
        optimizer.load_state_dict(before | {"t": 7} | change)
    assert optimizer.t == 0


def test_a_state_whose_eps_is_lost_in_the_dtype_is_refused_and_changes_nothing():
    p = Tensor(np.ones(3, np.float16), requires_grad=True)
    optimizer = optim.Adam([p], eps=1e-3)
    state = optimizer.state_dict() | {"t": 7}
    state["groups"][0]["eps"] = 1e-8
    with pytest.raises(StateError, match="eps=1e-08 is lost in float16"):
        optimizer.load_state_dict(state)
    assert (optimizer.t, optimizer.groups[0]["eps"]) == (0, 1e-3)
