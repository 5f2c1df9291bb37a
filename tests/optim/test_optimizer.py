"""The optimizer: what moves, what does not, what may be done behind its back, and what is refused."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from optimizer_steps import OPTIMIZERS, assert_equal, parameters, put_gradients, train, values
from rule_cases import EVERY
from strict import StrictArray

import minidl
from minidl import Tensor, nn, optim
from minidl.errors import (
    DTypeError,
    GradientError,
    MixedBackendError,
    OptionError,
    ShapeError,
    StateError,
    UnsupportedError,
)
from minidl.optim import rules, schedules

# What a step does.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", EVERY, ids=lambda k: k.__name__)
def test_a_step_is_the_rule_on_each_parameter(kind, dtype):
    params = parameters(dtype)
    optimizer, rule = getattr(optim, kind.__name__)(params, lr=0.1), kind()
    mine = [(p.numpy().copy(), *rule.init(p.numpy())) for p in params]
    for k in range(12):
        skipped = {1} if 3 <= k < 7 else {0, 3} if k == 9 else set()
        put_gradients(params, k)
        for i in skipped:
            params[i].grad = None
        for i, p in enumerate(params):
            if p.grad is not None:
                theta, *state = mine[i]
                mine[i] = rule(theta, p.grad.numpy(), *state, lr=0.1, t=k + 1)
        optimizer.step()
    tolerance = {"rtol": 1e-12, "atol": 1e-13} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-5}
    assert_equal(values(params), [m[0] for m in mine], **tolerance)
    for j, name in enumerate(rule.state, 1):
        flat = np.concatenate([np.ravel(m[j]) for m in mine])
        np.testing.assert_allclose(optimizer.state[name], flat, **tolerance)
    assert optimizer.t == 12
    assert all(p.dtype == dtype for p in params)


def test_half_precision_stays_half():
    p = Tensor(np.ones(3, np.float16), requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)
    p.grad = Tensor(np.ones(3, np.float16))
    optimizer.step()
    assert p.dtype == np.float16
    assert p.tolist() == [0.5] * 3


def test_a_model_learns():
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(2, 16), nn.Tanh(), nn.Dense(16, 2))
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([0, 1, 1, 0])
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = nn.softmax_cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01


def test_zero_grad_forgets_every_gradient():
    params = parameters()
    optimizer = optim.SGD(params)
    put_gradients(params)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


# Views of one vector.


def test_parameters_and_gradients_are_views_of_two_vectors_that_start_at_64_bytes():
    params = parameters("float32")
    before = values(params)
    optim.Adam(params)
    assert_equal(values(params), before)
    put_gradients(params)
    for arrays in ([p.data for p in params], [p.grad.data for p in params]):
        address = arrays[0].ctypes.data
        assert address % 64 == 0
        for array in arrays:
            assert array.ctypes.data == address
            address += array.nbytes
    assert [p.shape for p in params] == [(3, 4), (4,), (), (2, 1, 2)]


def test_gradients_are_deposited_without_a_copy_and_accumulate():
    params = parameters()
    optimizer = optim.SGD(params, lr=1.0)
    put_gradients(params)
    slots = [p.grad.data for p in params]
    once = [g.copy() for g in slots]
    for i, p in enumerate(params):
        ((p * p).sum() * 0.5 + (p * float(np.cos(i))).sum()).backward()
        assert p.grad.data is slots[i]
    before = values(params)
    optimizer.step()
    assert_equal(values(params), [b - 2 * g for b, g in zip(before, once, strict=True)], rtol=1e-14)


def test_a_value_assigned_to_data_is_taken_over():
    params = parameters()
    optimizer = optim.Momentum(params, lr=0.1)
    train(optimizer, params, 2)
    twin = copy.deepcopy(optimizer)
    theirs = [p for group in twin.groups for p in group["params"]]
    new = np.arange(12.0).reshape(3, 4)
    params[0].data = new
    theirs[0].data[...] = new
    for either in (params, theirs):
        put_gradients(either, 2)
    optimizer.step()
    twin.step()
    assert_equal(values(params), values(theirs))
    assert np.array_equal(new, np.arange(12.0).reshape(3, 4))
    assert np.shares_memory(params[0].data, params[1].data.base)


def test_exchanged_arrays_and_gradients_arrive_exchanged():
    a, b = (Tensor(np.full(3, x), requires_grad=True) for x in (1.0, 2.0))
    optimizer = optim.SGD([a, b], lr=1.0)
    (a.sum() * 10 + b.sum() * 20).backward()
    a.data, b.data = b.data, a.data
    a.grad, b.grad = b.grad, a.grad
    optimizer.step()
    assert a.tolist() == [2 - 20] * 3
    assert b.tolist() == [1 - 10] * 3


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda k: k.__name__)
def test_two_optimizers_over_the_same_parameters_take_turns(kind):
    shared, alone = parameters(), parameters()
    mine, other = kind(shared, lr=0.1), optim.SGD(shared[:2], lr=0.01)
    reference = kind(alone, lr=0.1)
    for k in range(6):
        train(mine, shared, 1)
        train(reference, alone, 1)
        put_gradients(shared, k)
        put_gradients(alone, k)
        other.step()
        for p in alone[:2]:
            p.data[...] -= 0.01 * p.grad.numpy()
        assert_equal(values(shared), values(alone), rtol=1e-12, atol=1e-14)


def test_a_gradient_put_in_place_of_the_deposited_one_counts():
    params = parameters()
    optimizer = optim.SGD(params, lr=1.0)
    put_gradients(params)
    before = values(params)
    clipped = [Tensor(np.clip(p.grad.numpy(), -0.1, 0.1)) for p in params]
    for p, g in zip(params, clipped, strict=True):
        p.grad = g
    optimizer.step()
    assert_equal(values(params), [b - g.numpy() for b, g in zip(before, clipped, strict=True)])
    put_gradients(params)
    before = values(params)
    for p in params:
        p.grad.data = p.grad.data * 0.5  # the other way to write it
    halves = [p.grad.numpy().copy() for p in params]
    optimizer.step()
    assert_equal(values(params), [b - g for b, g in zip(before, halves, strict=True)])


def test_a_gradient_recorded_with_create_graph_counts():
    p = Tensor(np.array([2.0]), requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0)
    (p * p).sum().backward(create_graph=True)
    optimizer.step()
    assert p.tolist() == [-2.0]


def test_a_model_moved_to_another_backend_is_followed():
    params = parameters()
    for p in params:
        p.data = StrictArray(p.data)
    optimizer = optim.Adam(params, lr=0.1)
    reference_params = parameters()
    reference = optim.Adam(reference_params, lr=0.1)
    for k in range(6):
        for p, r in zip(params, reference_params, strict=True):
            g = np.cos(r.data + k)
            r.grad = Tensor(g.copy())
            p.grad = Tensor(StrictArray(g)) if k < 3 else Tensor(g.copy())
        if k == 3:
            for p in params:
                p.data = p.data.get()
        optimizer.step()
        reference.step()
    assert all(isinstance(p.data, np.ndarray) for p in params)
    assert all(isinstance(vector, np.ndarray) for vector in optimizer.state.values())
    assert_equal(values(params), values(reference_params), rtol=1e-12)


def test_a_model_converted_to_another_dtype_is_followed():
    params = parameters()
    optimizer = optim.Momentum(params, lr=0.1)
    train(optimizer, params, 2)
    before = optimizer.state["v"].copy()
    for p in params:
        p.data, p._slot = p.data.astype("float32"), None
    for p in params:
        p.grad = None
    optimizer.step()
    assert optimizer.state["v"].dtype == np.float32
    np.testing.assert_allclose(optimizer.state["v"], before, rtol=1e-6)
    train(optimizer, params, 1)
    assert all(p.dtype == np.float32 for p in params)


def test_only_a_part_that_has_moved_is_refused():
    params = parameters()
    optimizer = optim.SGD(params)
    params[1].data = params[1].data.astype("float32")
    with pytest.raises(OptionError, match="two dtypes: parameter 0 is float64, parameter 1 float32"):
        optimizer.step()
    params[0].data = params[0].data.copy()  # taking this one back must not hide the other
    with pytest.raises(OptionError, match="two dtypes"):
        optimizer.step()
    params[1].data = StrictArray(params[1].data.astype("float64"))
    with pytest.raises(MixedBackendError, match=r"parameter 0 is a numpy array, parameter 1 a strict array.*model.to"):
        optimizer.step()
    params[1].data = np.zeros((2, 2))
    with pytest.raises(ShapeError, match=r"parameter 1 had shape \(4,\) when the optimizer was made, and has \(2, 2\)"):
        optimizer.step()
    assert optimizer.t == 0


@pytest.mark.parametrize(
    ("grad", "error", "message"),
    [
        (Tensor(np.zeros(3)), ShapeError, r"the gradient of parameter 1 has shape \(3,\), the parameter has \(4,\)"),
        (np.zeros(4), GradientError, "the gradient of parameter 1 is a ndarray, not a Tensor"),
        (Tensor(StrictArray(np.zeros(4))), MixedBackendError, "the gradient of parameter 1: one argument is a numpy"),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused_before_anything_moves(grad, error, message):
    params = parameters()
    optimizer = optim.SGD(params)
    put_gradients(params)
    before = values(params)
    params[1].grad = grad
    with pytest.raises(error, match=message):
        optimizer.step()
    assert_equal(values(params), before)
    assert optimizer.t == 0


# What does not move.


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda k: k.__name__)
def test_without_a_gradient_neither_parameter_nor_state_moves_but_t_does(kind):
    params = parameters()
    optimizer = kind(params, lr=0.1, weight_decay=0.1)
    train(optimizer, params, 3)
    put_gradients(params)
    params[1].grad = None
    before, state = values(params), {name: v.copy() for name, v in optimizer.state.items()}
    optimizer.step()
    assert_equal([params[1].numpy()], [before[1]])
    assert not np.array_equal(params[0].numpy(), before[0])
    for name, vector in state.items():
        np.testing.assert_array_equal(optimizer.state[name][12:16], vector[12:16])
        assert not np.array_equal(optimizer.state[name][:12], vector[:12])
    assert optimizer.t == 4


def test_t_goes_on_even_if_nothing_has_a_gradient():
    params = parameters()
    optimizer = optim.SGD(params)
    optimizer.step()
    assert optimizer.t == 1
    assert_equal(values(params), values(parameters()))


def test_a_frozen_parameter_never_moves_and_can_be_thawed():
    params = parameters()
    optimizer = optim.Momentum(params, lr=0.1)
    put_gradients(params)
    params[0].requires_grad = False  # its gradient is still there
    before = values(params)
    optimizer.step()
    assert_equal([params[0].numpy()], [before[0]])
    params[0].requires_grad = True
    optimizer.step()
    assert not np.array_equal(params[0].numpy(), before[0])


def test_a_graph_recorded_before_the_step_refuses_to_use_the_new_values():
    w = Tensor(np.array([2.0, 3.0]), requires_grad=True)
    idle = Tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.SGD([w, idle], lr=0.1)
    loss = (w * w).sum()
    untouched = (idle * idle).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(GradientError, match="changed in place"):
        loss.backward()
    untouched.backward()  # it did not move


# Numbers: groups, schedules, changes in mid-run.


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


# The look-ahead.


@pytest.mark.parametrize("kind", [optim.Nesterov, optim.RMSPropNesterov], ids=lambda k: k.__name__)
def test_at_iterate_shows_theta_and_puts_the_look_ahead_back_bit_for_bit(kind):
    params = parameters("float32")
    optimizer = kind(params, lr=0.05)
    with optimizer.at_iterate():  # before the first step there is nothing to take back
        assert_equal(values(params), values(parameters("float32")))
    train(optimizer, params, 5)
    ahead = values(params)
    flat = np.concatenate([a.ravel() for a in ahead])
    with optimizer.at_iterate():
        inside = values(params)
        with optimizer.at_iterate():
            assert_equal(values(params), inside)
        assert_equal(values(params), inside)
        with pytest.raises(StateError, match="inside at_iterate"):
            optimizer.step()
    theta = flat - 0.9 * optimizer.state["v"]
    np.testing.assert_allclose(np.concatenate([a.ravel() for a in inside]), theta, rtol=1e-6)
    assert np.abs(theta - flat).max() > 1e-3
    assert_equal(values(params), ahead)
    with pytest.raises(KeyError), optimizer.at_iterate():
        raise KeyError
    assert_equal(values(params), ahead)
    optimizer.step()


def test_at_iterate_is_seen_by_recorded_graphs():
    w = Tensor(np.array([2.0]), requires_grad=True)
    optimizer = optim.Nesterov([w])
    loss = (w * w).sum()
    with optimizer.at_iterate():
        pass
    with pytest.raises(GradientError, match="changed in place"):
        loss.backward()


def test_at_iterate_does_nothing_to_rules_that_do_not_look_ahead():
    w = Tensor(np.array([2.0]), requires_grad=True)
    optimizer = optim.Adam([w])
    loss = (w * w).sum()
    with optimizer.at_iterate():
        loss.backward()
        optimizer.step()
    assert optimizer.t == 1


# Being made.


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: [], OptionError, "was given none"),
        (lambda p: iter(()), OptionError, "was given none .was a generator used up before"),
        (lambda p: p[0], OptionError, "params is a Tensor: give a list"),
        (lambda p: {"a": p[0]}, OptionError, "params is a dict: give a list"),
        (lambda p: 3, OptionError, "params is a int"),
        (lambda p: [p[0], np.zeros(3)], OptionError, "parameter 1 of group 0 is a ndarray, not a Tensor"),
        (lambda p: [("w", p[0])], OptionError, "is a tuple, not a Tensor: give the Tensors alone, as model.parameters"),
        (
            lambda p: [*p, p[1]],
            OptionError,
            r"parameter 4 of group 0, of shape \(4,\), is parameter 1 of group 0 as we",
        ),
        (
            lambda p: [{"params": p}, {"params": [p[2]]}],
            OptionError,
            "parameter 0 of group 1.*is parameter 2 of group 0 as well",
        ),
        (lambda p: [{"params": p}, p[0]], OptionError, 'group 1 is not a dict with "params"'),
        (lambda p: [{"lr": 0.1}], OptionError, 'group 0 is not a dict with "params"'),
        (lambda p: [{"params": p, "Lr": 0.1}], OptionError, "unknown hyperparameter 'Lr'"),
        (lambda p: [p[0] * 2], OptionError, "parameter 0 of group 0 is the result of multiply"),
        (lambda p: [Tensor(np.arange(3))], DTypeError, "parameter 0 of group 0 has dtype int64"),
        (lambda p: [p[0], Tensor([1.0])], OptionError, "two dtypes: parameter 0 is float64, parameter 1 float32"),
        (
            lambda p: [p[0], Tensor(StrictArray(np.zeros(2)))],
            MixedBackendError,
            "parameter 0 is a numpy array, parameter 1 a strict array",
        ),
    ],
)
def test_what_cannot_be_optimised_is_refused_in_words(make, error, message):
    params = parameters()
    data = [p.data for p in params]
    with pytest.raises(error, match=message):
        optim.SGD(make(params))
    assert all(p.data is array for p, array in zip(params, data, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1}, "Adam: lr=-1.0"),
        ({"lr": float("nan")}, "Adam: lr=nan"),
        ({"lr": float("inf")}, "Adam: lr=inf"),
        ({"lr": "fast"}, "Adam: lr='fast'"),
        ({"lr": Tensor([0.1])}, "Adam: lr is an array"),
        ({"beta1": 1.0}, "Adam: beta1=1.0"),
        ({"beta1": Tensor([0.1])}, "Adam: beta1 is an array"),
        ({"betas": (0.9, 0.999)}, "Adam: unknown hyperparameter 'betas'; known ones: beta1, beta2, eps, eps_mode, ams"),
        ({"eps_mode": "keras"}, "choose one of 'outside', 'inside', 'hat'"),
    ],
)
def test_wrong_hyperparameters_are_refused_when_the_optimizer_is_made(options, message):
    with pytest.raises(OptionError, match=message):
        optim.Adam(parameters(), **options)


def test_a_generator_of_parameters_and_parameters_of_no_elements_will_do():
    params = [*parameters(), Tensor(np.zeros((0, 3)), requires_grad=True)]
    optimizer = optim.Adam(p for p in params)
    put_gradients(params)
    optimizer.step()
    assert optimizer.t == 1


def test_help_shows_the_equation_the_keywords_and_the_default_lr():
    for kind in OPTIMIZERS:
        rule = getattr(rules, kind.__name__)
        assert kind.__doc__.startswith(rule.__doc__.rstrip())
        signature = inspect.signature(kind)
        assert list(signature.parameters)[:2] == ["params", "lr"]
        assert signature.parameters["lr"].default == rule.lr
        assert list(signature.parameters)[2:] == list(rule.hyperparameters)
        assert kind(parameters()).lr == rule.lr
    assert repr(optim.SGD(parameters())) == "SGD(4 parameters, t=0, lr=0.01, weight_decay=0.0)"


def test_an_optimizer_of_ones_own_is_one_line():
    class Plain(rules.Rule):
        lr = 0.5

        def update(self, theta, g, *, lr, t):
            return (theta - lr * g,)

    class Mine(optim.Optimizer, rule=Plain):
        pass

    p = Tensor(np.array([1.0]), requires_grad=True)
    optimizer = Mine([p])
    p.grad = Tensor(np.array([1.0]))
    optimizer.step()
    assert p.tolist() == [0.5]


@pytest.mark.parametrize("condition", [lambda t: t > 1, lambda t: t == 1, lambda t: t >= 1, lambda t: t - 1])
def test_a_rule_that_branches_on_values_is_refused_in_words(condition):
    class Branching(rules.Rule):
        lr = 0.5

        def update(self, theta, g, *, lr, t):
            return (theta - lr * g if condition(t) else theta,)

    class Mine(optim.Optimizer, rule=Branching):
        pass

    p = Tensor(np.array([1.0]), requires_grad=True)
    optimizer = Mine([p])
    with pytest.raises(UnsupportedError, match="cannot branch on the value of t"):
        optimizer.step()
    assert Branching()(1.0, 1.0, lr=0.1, t=5)  # called by hand it may


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_a_copy_has_parameters_and_state_of_its_own(again):
    params = parameters()
    optimizer = optim.Adam(params, lr=0.1)
    train(optimizer, params, 3)
    twins, twin = again((params, optimizer))
    train(optimizer, params, 3)
    train(twin, twins, 3)
    assert_equal(values(params), values(twins))
    assert not np.shares_memory(params[0].data, twins[0].data)
    assert np.shares_memory(twins[0].data, twins[1].data.base)


# numbers too small for the dtype


ADAPTIVE = [kind for kind in optim.Optimizer.__subclasses__() if "eps" in kind.rule.hyperparameters]


@pytest.mark.parametrize("kind", [k for k in optim.Optimizer.__subclasses__() if k.__module__.startswith("minidl")])
def test_half_precision_stands_still_without_a_gradient_or_says_what_to_do(kind):
    def step(**options):
        p = Tensor(np.ones(3, np.float16), requires_grad=True)
        optimizer = kind([p], **options)
        p.grad = Tensor(np.zeros(3, np.float16))
        optimizer.step()
        return p.numpy()

    decay = {"weight_decay": 0.0}
    if kind.rule.__name__ in ("Adam", "AdamW", "NAdam"):  # 1e-8 is 0 in float16
        with pytest.raises(
            OptionError, match=rf"{kind.__name__}: eps=1e-08 is lost in float16, .*: .*eps=0.0001, or make"
        ):
            step(**decay)
        decay["eps"] = 1e-4
    assert (step(**decay) == 1).all()


@pytest.mark.parametrize("kind", ADAPTIVE)
@pytest.mark.parametrize(
    ("dtype", "lost", "kept"), [("float16", 5e-8, 6e-8), ("float32", 1e-38, 1.2e-38), ("float64", 1e-308, 2.3e-308)]
)
def test_an_eps_that_the_dtype_cannot_hold_is_refused_wherever_it_comes_from(kind, dtype, lost, kept):
    p = Tensor(np.ones(3, dtype), requires_grad=True)
    with pytest.raises(OptionError, match=f"is lost in {dtype}"):
        kind([p], eps=lost)
    optimizer = kind([p], eps=kept)
    optimizer.groups[0]["eps"] = lost
    with pytest.raises(OptionError, match=f"is lost in {dtype}"):
        optimizer.step()
    optimizer.groups[0]["eps"] = lambda k: kept if k == 0 else lost
    p.grad = Tensor(np.zeros(3, dtype))
    optimizer.step()
    with pytest.raises(OptionError, match=f"step 2: eps=.* is lost in {dtype}"):
        optimizer.step()
    rule = kind.rule(eps=lost)
    with pytest.raises(OptionError, match=f"is lost in {dtype}"):
        rule(p.numpy(), p.numpy(), *rule.init(p.numpy()), lr=0.1, t=1)
    assert kind([p], eps=0).groups[0]["eps"] == 0  # as asked for


def test_a_group_may_be_empty():
    p = Tensor(np.ones(1), requires_grad=True)
    optimizer = optim.SGD([{"params": [p]}, {"params": [], "lr": 0.5}], lr=0.5)
    p.grad = Tensor(np.ones(1))
    optimizer.step()
    assert p.tolist() == [0.5]


def test_a_model_that_becomes_half_precision_is_looked_at_again():
    p = Tensor(np.ones(3, np.float32), requires_grad=True)
    optimizer = optim.Adam([p])
    p.data = p.data.astype(np.float16)
    with pytest.raises(OptionError, match="eps=1e-08 is lost in float16"):
        optimizer.step()


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
