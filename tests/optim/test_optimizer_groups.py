"""Numbers of an optimizer: groups, schedules, and changes in the middle of a run."""

import numpy as np
import pytest
from optimizer_steps import assert_equal, parameters, put_gradients, values

from minidl import Tensor, optim
from minidl.errors import (
    OptionError,
)
from minidl.optim import rules, schedules


def test_groups_have_numbers_of_their_own():
    params = parameters()
    groups = [
        {"params": params[:1], "lr": 0.5, "beta": 0.5},
        {"params": params[1:3]},
        {"params": (p for p in params[3:]), "lr": schedules.step(0.1, 2, 0.5), "weight_decay": 0.1},
    ]
    optimizer = optim.Momentum(groups, lr=0.01)
    alone = parameters()
    each = [
        optim.Momentum(alone[:1], lr=0.5, beta=0.5),
        optim.Momentum(alone[1:3], lr=0.01),
        optim.Momentum(alone[3:], lr=schedules.step(0.1, 2, 0.5), weight_decay=0.1),
    ]
    for k in range(5):
        put_gradients(params, k)
        put_gradients(alone, k)
        optimizer.step()
        for one in each:
            one.step()
    assert_equal(values(params), values(alone))
    assert [g["lr"] for g in optimizer.groups] == [0.5, 0.01, schedules.step(0.1, 2, 0.5)]
    assert groups[0]["params"] == params[:1]  # the user's own dicts are left alone


def test_parameters_are_those_of_all_groups_in_order():
    params = parameters()
    optimizer = optim.Adam([{"params": params[2:], "lr": 0.5}, {"params": params[:2]}])
    assert list(map(id, optimizer.parameters)) == [id(p) for p in [*params[2:], *params[:2]]]
    assert isinstance(optimizer.parameters, tuple)  # which nobody can change


def test_at_tells_the_rule_and_the_rate_of_an_update_in_each_group():
    params, halved = parameters(), schedules.step(0.1, 2, 0.5)
    optimizer = optim.Momentum(
        [{"params": params[:1], "lr": halved, "beta": lambda k: k / 10}, {"params": params[1:]}], lr=0.3
    )
    rule, lr = optimizer.at(4)
    assert (rule.beta, lr) == (pytest.approx(0.3), 0.05)
    rule, lr = optimizer.at(4, 1)
    assert (rule.beta, lr) == (0.9, 0.3)
    optimizer.groups[1]["beta"] = 0.7
    assert optimizer.at(1, 1)[0].beta == 0.7
    optimizer.groups[0]["lr"] = lambda k: -1.0
    with pytest.raises(OptionError, match="lr"):
        optimizer.at(1)


def test_a_number_changed_in_a_group_is_used_at_the_next_step():
    p = Tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)
    p.grad = Tensor(np.array([1.0]))
    optimizer.step()
    optimizer.groups[0]["lr"] = 0.25
    assert optimizer.lr == 0.25
    optimizer.step()
    assert p.tolist() == [0.25]
    optimizer.groups[0]["weight_decay"] = 2  # a term that was not there when the rule was traced
    optimizer.step()
    assert p.tolist() == [0.25 - 0.25 * 1.5]
    optimizer.groups[0]["weight_decay"] = 4  # another number in the same term, at the same lr
    optimizer.step()
    assert p.tolist() == [-0.125 - 0.25 * 0.5]
    optimizer.groups[0]["weight_decay"] = 0
    optimizer.lr = np.float64(0.5)
    optimizer.step()
    assert p.tolist() == [-0.25 - 0.5]
    assert isinstance(optimizer.groups[0]["lr"], float)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lr", -0.1, "Momentum: lr=-0.1: lr must be a finite number >= 0"),
        ("lr", float("nan"), "Momentum: lr=nan"),
        ("beta", 1.0, r"Momentum: beta=1.0: beta must be a number in \[0, 1\)"),
        ("bata", 0.5, "Momentum: unknown hyperparameter 'bata'"),
        ("form", "velocity", "form was 'accumulated' and cannot become 'velocity'"),
        ("params", [], "the parameters of a group cannot be exchanged"),
        ("beta", np.array([0.1, 0.2]), "Momentum: beta is an array"),
        ("lr", lambda k: -1.0, "Momentum, step 1: lr=-1.0"),
        ("beta", lambda k: 2.0, "Momentum, step 1: beta=2.0"),
    ],
)
def test_a_wrong_number_in_a_group_is_refused_before_anything_moves(name, value, message):
    params = parameters()
    optimizer = optim.Momentum(params)
    put_gradients(params)
    before = values(params)
    optimizer.groups[0][name] = value
    for _ in range(2):
        with pytest.raises(OptionError, match=message):
            optimizer.step()
    assert_equal(values(params), before)
    assert optimizer.t == 0


def test_a_group_that_has_lost_a_number_is_told_so():
    optimizer = optim.Momentum(parameters(), beta=0.5)
    del optimizer.groups[0]["lr"], optimizer.groups[0]["beta"]
    with pytest.raises(OptionError, match="lost its lr, beta"):
        optimizer.step()


@pytest.mark.parametrize(
    "change", [lambda groups: groups.append(dict(groups[0])), lambda groups: groups.__setitem__(0, dict(groups[0]))]
)
def test_groups_cannot_be_added_or_exchanged_unnoticed(change):
    optimizer = optim.SGD(parameters())
    change(optimizer.groups)
    with pytest.raises(OptionError, match="groups cannot be added or exchanged"):
        optimizer.step()


def test_lr_is_that_of_the_next_step():
    p = Tensor(np.array([0.0]), requires_grad=True)
    optimizer = optim.SGD([p], lr=schedules.linear(1.0, 0.0, 4))
    used = []
    for _ in range(5):
        used.append(optimizer.lr)
        p.grad = Tensor(np.array([1.0]))
        optimizer.step()
    assert used == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert p.tolist() == [-2.5]
    optimizer.lr = 0.5
    assert optimizer.lr == 0.5
    with pytest.raises(OptionError, match="SGD: lr='big'"):
        optimizer.lr = "big"
    assert optimizer.lr == 0.5
    optimizer.lr = lambda k: 10.0 * k
    assert optimizer.lr == 50.0


def test_any_hyperparameter_may_be_a_schedule():
    params, alone = parameters(), parameters()
    optimizer = optim.Adam(params, lr=0.1, beta1=schedules.linear(0.5, 0.9, 5), weight_decay=lambda k: 0.01 * k)
    rule, mine = rules.Adam(), [(p.numpy().copy(), *rules.Adam().init(p.numpy())) for p in alone]
    for k in range(4):
        put_gradients(params, k)
        rule = rules.Adam(beta1=0.5 + 0.4 * k / 5, weight_decay=0.01 * k)
        mine = [rule(m[0], p.grad.numpy(), *m[1:], lr=0.1, t=k + 1) for m, p in zip(mine, params, strict=True)]
        optimizer.step()
    assert_equal(values(params), [m[0] for m in mine], rtol=1e-12)


def test_the_state_starts_where_the_rule_says_group_by_group():
    params = parameters()
    groups = [{"params": params[:1]}, {"params": params[1:], "initial_accumulator": 0.5}]
    optimizer = optim.AdaGrad(groups, initial_accumulator=0.1)
    assert optimizer.state["s"].tolist() == [0.1] * 12 + [0.5] * 9
    mixed = optim.Adam([{"params": parameters()[:1], "amsgrad": True}, {"params": parameters()[1:]}])
    assert sorted(mixed.state) == ["s", "s_max", "v"]


def test_a_group_may_be_empty():
    p = Tensor(np.ones(1), requires_grad=True)
    optimizer = optim.SGD([{"params": [p]}, {"params": [], "lr": 0.5}], lr=0.5)
    p.grad = Tensor(np.ones(1))
    optimizer.step()
    assert p.tolist() == [0.5]


# one learning rate for several groups


def two_groups(first, second, **common):
    a, b = (Tensor(np.ones(1), requires_grad=True) for _ in range(2))
    groups = [{"params": [a]}, {"params": [b]}]
    for group, lr in zip(groups, (first, second), strict=True):
        group |= {} if lr is None else {"lr": lr}
    return optim.SGD(groups, **common)


def test_lr_is_set_for_all_groups_that_are_alike():
    optimizer = two_groups(None, None, lr=0.1)
    optimizer.lr *= 0.5
    assert [g["lr"] for g in optimizer.groups] == [0.05, 0.05]
    optimizer.lr = schedules.linear(1.0, 0.0, 4)
    optimizer.lr = schedules.step(0.1, 2, 0.5)
    assert optimizer.lr == 0.1


@pytest.mark.parametrize(
    ("first", "second"), [(0.1, 0.01), (0.1, schedules.constant(0.1)), (lambda k: 0.1, lambda k: 0.1)]
)
def test_lr_is_not_set_where_groups_differ(first, second):
    optimizer = two_groups(first, second)
    for change in (lambda: optimizer.lr * 0.5, lambda: 0.01):
        with pytest.raises(OptionError, match=r"its 2 groups have learning rates that differ .*group\['lr'\] \*= 0.5"):
            optimizer.lr = change()
    assert [g["lr"] for g in optimizer.groups] == [first, second]


def test_groups_that_differ_are_set_one_by_one_as_the_message_says():
    optimizer = two_groups(0.1, 0.01)
    for group in optimizer.groups:
        group["lr"] *= 0.5
    assert [g["lr"] for g in optimizer.groups] == [0.05, 0.005]
