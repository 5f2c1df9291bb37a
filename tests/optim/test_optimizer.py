"""The optimizer: what moves, what does not, where the look-ahead is, and what is refused when one is made."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from optimizer_steps import assert_equal, parameters, put_gradients, train, values
from rule_cases import EVERY, OPTIMIZERS
from strict import StrictArray

import minidl
from minidl import Tensor, nn, optim
from minidl.errors import (
    DTypeError,
    GradientError,
    MixedBackendError,
    OptionError,
    StateError,
    UnsupportedError,
)
from minidl.optim import rules

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
