"""Rules run on symbols, planned, and carried out in place: the same results as the rule itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases import VARIANTS, names, vectors
from strict import StrictArray

from minidl import ops
from minidl.errors import UnsupportedError
from minidl.optim.execution import blocked
from minidl.optim.execution.blocked import BlockedExecutor, PlainExecutor, executor
from minidl.optim.execution.plan import Plan, Scalars, gathered
from minidl.optim.flat import aligned
from minidl.optim.rule import Rule
from minidl.optim.rules import SGD, AdaDelta, Adam, AdamW, Momentum, NAdam, Nesterov, RMSProp
from minidl.optim.symbols import Symbol, equation, scalar_function


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 15, 16, 17, 100])
@pytest.mark.parametrize("rule", VARIANTS, ids=names)
def test_the_blocked_program_does_what_the_rule_says(rule, size, dtype, monkeypatch):
    monkeypatch.setattr(blocked, "BLOCK", 16)
    ours = vectors(rule, size, dtype)
    theta, g, *state = [v.copy() for v in ours]
    program = executor(rule, ours)
    assert isinstance(program, BlockedExecutor)
    stretches = [((0, size),), ((0, size // 3), (size // 2, size)), ((size // 4, size // 2),), ()]
    for t in range(1, 9):
        runs = tuple((a, b) for a, b in stretches[t % 4] if a < b)
        lr = 0.1 / t
        for a, b in runs:
            old = [x[a:b] for x in (theta, g, *state)]
            for x, new in zip((theta, *state), rule(*old, lr=lr, t=t), strict=True):
                x[a:b] = new
        before = g.copy()
        program.step(rule, lr, t, runs)
        np.testing.assert_array_equal(ours[1], before)
        tolerance = 1e-13 if dtype == "float64" else 3e-6
        for name, x, want in zip(("theta", *rule.state), (ours[0], *ours[2:]), (theta, *state), strict=True):
            np.testing.assert_allclose(x, want, rtol=tolerance, atol=tolerance, err_msg=name)
        ours[1][:] = g[:] = np.cos(g + t)


@pytest.mark.parametrize("rule", VARIANTS, ids=names)
def test_few_temporaries_and_the_gradient_left_alone(rule):
    plan = Plan(equation(rule))
    assert plan.buffers <= 2
    assert all(operation.result != ("vector", 1) for operation in plan.operations)


@pytest.mark.parametrize(
    ("rule", "operations", "buffers"),
    [
        (SGD(), 2, 1),
        (Momentum(form="velocity"), 4, 1),
        (Nesterov(), 6, 2),  # lr * g, which occurs twice, once
        (RMSProp(), 9, 1),
        (AdaDelta(), 16, 2),
        (Adam(), 13, 1),
        (NAdam(), 16, 2),
    ],
    ids=names,
)
def test_no_operation_is_done_twice(rule, operations, buffers):
    plan = Plan(equation(rule))
    assert (len(plan.operations), plan.buffers) == (operations, buffers)


def test_the_bias_correction_joins_the_learning_rate():
    assert repr(Plan(equation(Adam())).scalars[-1]) == "lr * (1 / (1 - beta1 ** t))"


def test_one_trace_serves_every_step_and_every_number(monkeypatch):
    rule = NAdam(weight_decay=0.1)
    ours = vectors(rule, 50, "float64")
    theta, g, *state = [v.copy() for v in ours]
    program = BlockedExecutor(rule, ours)
    monkeypatch.setattr(blocked, "equation", None)
    for t, changed in enumerate((rule, NAdam(weight_decay=0.2, beta1=0.5, eps=0.1, momentum_decay=1)), 1):
        theta, *state = changed(theta, g, *state, lr=0.3 * t, t=t)
        program.step(changed, 0.3 * t, t, ((0, 50),))
    for x, want in zip((ours[0], *ours[2:]), (theta, *state), strict=True):
        np.testing.assert_allclose(x, want, rtol=1e-13)


def test_scalars_are_worked_out_in_float64_for_float32_vectors():
    """1 - 0.999999**t is 1e-06 in float64; in float32 the correction of the first step would be 5 % off."""
    rule = Adam(beta1=0.999999, beta2=0.999999)
    ours = vectors(rule, 3, "float32")
    ours[0][:], ours[1][:], ours[2][:], ours[3][:] = 0, 1, 0, 0
    BlockedExecutor(rule, ours).step(rule, 1.0, 1, ((0, 3),))
    np.testing.assert_allclose(ours[0], -1, rtol=1e-6)


def test_vectors_start_at_a_multiple_of_64_bytes():
    for size in (1, 3, 1000):
        for dtype in ("float16", "float32", "float64"):
            vector = aligned(size, dtype)
            assert vector.ctypes.data % 64 == 0
            assert (vector.shape, vector.dtype) == ((size,), dtype)


def test_sets_of_gradients_that_never_repeat_do_not_pile_up():
    rule = SGD()
    program = BlockedExecutor(rule, vectors(rule, 100, "float32"))
    for stop in range(1, 100):
        program.step(rule, 0.1, 1, ((0, stop),))
    assert len(program._calls) <= 8


@pytest.mark.parametrize("rule", VARIANTS, ids=names)
def test_elsewhere_the_rule_is_called_as_it_stands(rule):
    ours = vectors(rule, 20, "float64")
    strict = [StrictArray(v.copy()) for v in ours]
    program = executor(rule, strict)
    assert isinstance(program, PlainExecutor)
    for t in (1, 2):
        program.step(rule, 0.1, t, ((0, 7), (9, 20)))
        BlockedExecutor(rule, ours).step(rule, 0.1, t, ((0, 7), (9, 20)))
    for x, y in zip(strict, ours, strict=True):
        np.testing.assert_allclose(x.get(), y, rtol=1e-12)


# Equations that no rule of ours has.

LEAVES = st.sampled_from(["theta", "g", "a", "b", "lr", "t", 0.5, 2])


@st.composite
def expressions(draw, depth=4):
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(LEAVES)
    operation = draw(
        st.sampled_from(["add", "subtract", "multiply", "divide", "maximum", "sqrt", "negative", "square"])
    )
    parts = [draw(expressions(depth=depth - 1)) for _ in range(1 if operation in ("sqrt", "negative", "square") else 2)]
    return operation, *parts


def worked_out(expression, given):
    if not isinstance(expression, tuple):
        return given.get(expression, expression)
    operation, *parts = expression
    parts = [worked_out(part, given) for part in parts]
    if operation == "divide":  # by something above zero
        return parts[0] / (1 + parts[1] * parts[1])
    if operation == "sqrt":
        return ops.sqrt(1 + parts[0] * parts[0])
    if operation == "square":
        return parts[0] * parts[0]
    if operation == "negative":
        return -parts[0]
    if operation == "maximum":
        return ops.maximum(parts[0] + 0 * given["theta"], parts[1])
    return getattr(ops, operation)(*parts) if operation != "add" else parts[0] + parts[1]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.tuples(expressions(), expressions(), expressions()))
def test_any_elementwise_rule_is_carried_out_right(wanted):
    class Drawn(Rule):
        lr = 0.1
        state = ("a", "b")

        def update(self, theta, g, a, b, *, lr, t):
            given = {"theta": theta, "g": g, "a": a, "b": b, "lr": lr, "t": t}
            return tuple(worked_out(expression, given) for expression in wanted)

    ours = vectors(Drawn(), 20, "float64")
    expected = Drawn()(*[v.copy() for v in ours], lr=0.3, t=2)
    before = ours[1].copy()
    BlockedExecutor(Drawn(), ours).step(Drawn(), 0.3, 2, ((0, 20),))
    np.testing.assert_array_equal(ours[1], before)
    for x, want in zip((ours[0], *ours[2:]), expected, strict=True):
        np.testing.assert_allclose(x, np.broadcast_to(want, 20), rtol=1e-10, atol=1e-10)


def test_outputs_that_change_places_or_stay():
    class Swap(Rule):
        lr = 0.1
        state = ("a", "b", "c", "d")

        def update(self, theta, g, a, b, c, d, *, lr, t):
            return theta, b, a, theta + a, theta + a

    assert all(operation.result != ("vector", 0) for operation in Plan(equation(Swap())).operations)
    ours = vectors(Swap(), 5, "float64")
    theta, _, a, b, _, _ = [v.copy() for v in ours]
    BlockedExecutor(Swap(), ours).step(Swap(), 0.1, 1, ((0, 5),))
    for x, want in zip(ours, (theta, None, b, a, theta + a, theta + a), strict=True):
        if want is not None:
            np.testing.assert_array_equal(x, want)


# Symbols.


def test_a_rule_prints_as_its_equation_in_the_order_in_which_it_was_written():
    assert repr(equation(SGD()).outputs[0]) == "theta - lr * g"
    assert repr(equation(AdamW()).outputs[1]) == "beta1 * v + (1 - beta1) * g"
    theta, v = equation(Momentum(form="velocity", weight_decay=0.1)).outputs
    assert repr(v) == "beta * v - lr * (g + weight_decay * theta)"
    assert repr(theta) == "theta + (beta * v - lr * (g + weight_decay * theta))"
    assert "sqrt(s_max" not in repr(equation(Adam(amsgrad=True)).outputs[0])
    assert repr(equation(Adam(amsgrad=True)).outputs[3]) == "maximum(s_max, beta2 * s + (1 - beta2) * g * g)"
    assert "damping(t, momentum_decay)" in repr(equation(NAdam()).outputs[0])


def test_a_printed_equation_is_python_again():
    x, y, z = (Symbol(name) for name in "xyz")
    for expression in (
        x - (y - z),
        x - y - z,
        (x - y) * z,
        x / (y * z),
        x / y * z,
        -(x + y) * z,
        (-x) ** 2,
        -(x**2),
        x ** (y**z),
        (x**y) ** z,
        2 - x + -0.5 * y,
        (-2) ** x,
        x - (-y),
    ):
        assert eval(repr(expression), {"x": x, "y": y, "z": z}) is expression, repr(expression)
        values = {"x": 1.3, "y": 0.7, "z": 2.1}
        symbols = [Symbol(n, scalar=True) for n in "xyz"]
        scalar = eval(repr(expression), dict(zip("xyz", symbols, strict=True)))
        assert Scalars([scalar])(values) == [eval(repr(expression), values)]


def test_equal_expressions_are_one():
    x, lr = Symbol("x"), Symbol("lr", scalar=True)
    assert x * lr + 1 is x * lr + 1
    assert x * lr is not lr * x
    assert Symbol("x") is not Symbol("x", scalar=True)


def test_scalar_factors_are_gathered_and_nothing_else_changes():
    x, y = Symbol("x"), Symbol("y")
    a, b = Symbol("a", scalar=True), Symbol("b", scalar=True)
    for expression, expected in [
        (a * (x / b), "x * (a * (1 / b))"),
        ((a * x) * (b * y), "x * y * (a * b)"),
        ((a * x) / (b * y), "x / y * (a / b)"),
        (a / x * y, "a / x * y"),
        (a * x + b * y, "x * a + y * b"),
        (x - y, "x - y"),
        (a + b, "a + b"),
    ]:
        assert repr(gathered([expression])[0]) == expected


def test_symbols_meet_numpys_functions_and_scalars():
    x, lr = Symbol("x"), Symbol("lr", scalar=True)
    assert repr(np.sqrt(x)) == repr(ops.sqrt(x)) == "sqrt(x)"
    assert repr(np.float64(2) * x) == "2.0 * x"
    assert repr(ops.maximum(x, 0.5)) == "maximum(x, 0.5)"
    assert (lr * 2).scalar
    assert not (lr * x).scalar
    assert Scalars([np.sqrt(lr), 3])({"lr": 4.0}) == [2.0, 3]


def test_what_symbols_cannot_do_is_refused_in_words():
    x = Symbol("x")
    with pytest.raises(UnsupportedError, match="cannot branch on the value of x"):
        bool(x)
    with pytest.raises(UnsupportedError, match="cannot use mean: it may only use NumPy's elementwise functions"):
        x.__array_namespace__().mean(x)
    with pytest.raises(UnsupportedError, match=r"cannot use numpy.add.reduce"):
        np.add.reduce(x)
    with pytest.raises(UnsupportedError, match="cannot mix its symbols with ndarray"):
        x + np.ones(3)


def test_a_scalar_function_is_recorded_whole():
    @scalar_function
    def triple(t):
        return 3 * t

    t = Symbol("t", scalar=True)
    assert triple(2) == 6
    assert repr(triple(t) + 1) == "triple(t) + 1"
    assert Scalars([triple(t) + 1])({"t": 5}) == [16]


def test_nesterovs_plan_reads_the_velocity_only_while_it_is_there():
    rule = Nesterov()
    ours = vectors(rule, 4, "float64")
    theta, g, v = [x.copy() for x in ours]
    BlockedExecutor(rule, ours).step(rule, 0.1, 1, ((0, 4),))
    new = 0.9 * v - 0.1 * g
    np.testing.assert_allclose(ours[2], new, rtol=1e-14)
    np.testing.assert_allclose(ours[0], theta + 0.9 * new - 0.1 * g, rtol=1e-14)
