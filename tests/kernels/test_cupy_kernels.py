"""The kernels for CuPy where there is no GPU: their CUDA source runs on the CPU, and is pinned to the compositions."""

from functools import partial

import numpy as np
import pytest
from cuda_on_cpu import COMPILER, launch, serve
from kernel_cases import CASES, LARGER, sized
from rule_cases import VARIANTS, names, vectors
from strict import StrictArray

import minidl
from minidl import backend, ops
from minidl.autograd import wrap
from minidl.backend import to_numpy
from minidl.kernels import cupy_gemm, cupy_nn
from minidl.kernels.cupy_sources import ACTIVATIONS, INTEGERS
from minidl.optim.execution.blocked import BlockedExecutor, PlainExecutor, executor
from minidl.optim.execution.cuda import CudaExecutor
from minidl.optim.flat import aligned
from minidl.optim.rule import Rule

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs g++ to run CUDA source on the CPU")
RNG = np.random.default_rng(0)
KERNELS = (ops.dense, ops.softmax_cross_entropy, ops.batch_norm)


@pytest.fixture(autouse=True)
def launches(monkeypatch):
    """CuPy's kernels serve the stand-in for CuPy; the list of the launches made."""
    made = []

    def launch_and_note(source, name, *args):
        made.append(name)
        launch(source, name, *args)

    serve(monkeypatch, launch_and_note)
    for op in KERNELS:
        monkeypatch.setitem(op.kernels, "strict", op.kernels["cupy"])
    return made


def leaves(arrays, dtype, home):
    tensors = [wrap(home(np.asarray(a, dtype))) for a in arrays]
    for tensor in tensors:
        tensor.requires_grad = True
    return tensors


def results(function, arrays, extra, options, dtype, home):
    """Value and gradients; the gradient that arrives is a strided view."""
    inputs = leaves(arrays, dtype, home)
    y = function(*inputs, *[home(e) if isinstance(e, np.ndarray) else e for e in extra], **options)
    cotangent = np.asarray(np.random.default_rng(1).standard_normal((*y.shape, 2)).astype(dtype)[..., 0])
    return [y, *minidl.gradients(y, inputs, wrap(home(cotangent)))]


def assert_pinned(case, dtype, tolerance):
    op, arrays, extra, options = case
    fused = results(op, arrays, extra, options, dtype, StrictArray)
    composed = results(op.forward, arrays, extra, options, dtype, np.asarray)
    for mine, theirs in zip(fused, composed, strict=True):
        assert isinstance(mine.data, StrictArray)
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=tolerance, atol=tolerance)


# --- each kernel against its composition -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", CASES)
def test_a_kernel_agrees_with_its_composition(name, launches):
    assert_pinned(CASES[name], np.float64, 1e-11)
    assert launches or (name.startswith("dense None") and "bias" not in name)


@pytest.mark.parametrize("op", KERNELS, ids=lambda op: op.name)
def test_float32_too(op):
    assert_pinned(next(case for case in CASES.values() if case[0] is op), np.float32, 1e-5)


@pytest.mark.parametrize("name", LARGER)
def test_sizes_that_take_more_than_one_block(name):
    assert_pinned(LARGER[name], np.float64, 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 5])
@pytest.mark.parametrize("name", LARGER)
def test_the_order_of_threads_and_blocks_changes_no_bit(name, order, monkeypatch):
    """So no thread reads what another one writes without a barrier between the two."""
    op, arrays, extra, options = LARGER[name]
    straight = results(op, arrays, extra, options, np.float32, StrictArray)
    serve(monkeypatch, partial(launch, order=order))
    for mine, theirs in zip(results(op, arrays, extra, options, np.float32, StrictArray), straight, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.slow
@pytest.mark.parametrize("kind", INTEGERS)
def test_labels_of_every_integer_type(kind):
    labels = np.array([0, 2, 1, 1, 0]).astype(kind)
    assert_pinned((ops.softmax_cross_entropy, (sized(5, 3),), (labels,), {}), np.float64, 1e-11)


def test_logits_of_any_size_give_a_finite_loss():
    logits = np.array([[1e4, -1e4, 0], [-1e38, 1e38, 0]], np.float32)
    y, g = results(
        ops.softmax_cross_entropy, (logits,), (np.array([1, 0]),), {"reduction": "none"}, np.float32, StrictArray
    )
    np.testing.assert_allclose(y.numpy(), [2e4, 2e38])
    rows = np.abs(g.numpy())
    np.testing.assert_allclose(rows / rows.max(axis=1, keepdims=True), [[1, 1, 0], [1, 1, 0]])


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a])
def test_nan_stays_nan_through_every_activation(activation):
    x = wrap(StrictArray(np.array([[np.nan, 1.0]])))
    weight, bias = StrictArray(np.eye(2)), StrictArray(np.zeros(2))
    assert np.isnan(ops.dense(x, weight, bias, activation=activation).numpy()[0]).all()


def test_what_kernels_are_not_written_for_goes_through_the_composition(launches):
    x, w, b = RNG.standard_normal((4, 3)), RNG.standard_normal((3, 2)), RNG.standard_normal(2)
    assert_pinned((ops.dense, (x, w, b), (), {"activation": "relu"}), np.float16, 1e-2)
    assert_pinned((ops.batch_norm, (x, x[0], x[1]), (), {}), np.float16, 1e-2)
    assert_pinned((ops.softmax_cross_entropy, (x,), (np.array([0, 1, 2, 0]),), {}), np.float16, 1e-2)
    mixed = ops.dense(wrap(StrictArray(x)), StrictArray(w.astype(np.float32)), StrictArray(b))
    assert mixed.dtype == np.float64
    assert not launches


def test_an_unknown_activation_is_told_as_everywhere():
    with pytest.raises(minidl.errors.OptionError, match="unknown activation 'rellu'"):
        ops.dense(StrictArray(np.eye(2)), StrictArray(np.eye(2)), None, activation="rellu")


def test_second_order_goes_through_the_composition():
    (x,) = leaves([RNG.standard_normal((4, 3))], np.float64, StrictArray)
    w, b = StrictArray(RNG.standard_normal((3, 2))), StrictArray(RNG.standard_normal(2))
    (first,) = minidl.gradients(ops.dense(x, w, b, activation="tanh").sum(), [x], create_graph=True)
    (second,) = minidl.gradients((first * first).sum(), [x])
    (here,) = leaves([to_numpy(x)], np.float64, np.asarray)
    (first,) = minidl.gradients(
        ops.dense(here, to_numpy(w), to_numpy(b), activation="tanh").sum(), [here], create_graph=True
    )
    np.testing.assert_allclose(second.numpy(), minidl.gradients((first * first).sum(), [here])[0].numpy(), rtol=1e-10)


def test_a_step_is_a_handful_of_launches(launches):
    """And a loss that is read nowhere waits for nothing: the stand-in raises at whatever would."""
    x, labels = StrictArray(RNG.standard_normal((6, 5)).astype(np.float32)), StrictArray(np.array([0, 1, 2, 0, 1, 2]))
    parameters = leaves([sized(5, 4), sized(4), sized(4, 3), sized(3)], np.float32, StrictArray)
    optimizer = minidl.optim.Adam(parameters)
    for _ in range(2):
        launches.clear()
        optimizer.zero_grad()
        hidden = ops.dense(x, *parameters[:2], activation="relu")
        minidl.nn.softmax_cross_entropy(ops.dense(hidden, *parameters[2:]), labels).backward()
        optimizer.step()
    assert launches == [
        "narrow_forward", "narrow_forward", "softmax_cross_entropy_total", "narrow_back", "column_sums",
        "dense_backward", "update",
    ]  # fmt: skip


# --- batch normalisation --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [3.3, 1000.1, 12345.678])
@pytest.mark.parametrize("rows", [100, pytest.param(6000, marks=pytest.mark.slow)])
def test_a_constant_column_is_normalised_to_beta(value, rows):
    x, gamma, beta = (StrictArray(np.full(s, v, np.float32)) for s, v in (((rows, 3), value), (3, 2.0), (3, 0.25)))
    np.testing.assert_array_equal(ops.batch_norm(x, gamma, beta).get(), np.full((rows, 3), 0.25))


@pytest.mark.parametrize("rows", [2, 33, 70])
@pytest.mark.parametrize("offset", [0, 1000])
def test_the_running_statistics_follow_as_on_numpy(rows, offset, launches, monkeypatch):
    monkeypatch.setitem(backend.registry, ("follow", "strict"), cupy_nn.follow)
    x = (offset + sized(rows, 40)).astype(np.float32)
    here, there = minidl.nn.BatchNorm(40, momentum=0.7), minidl.nn.BatchNorm(40, momentum=0.7)
    for tensor in there._state().values():
        tensor.data = StrictArray(tensor.data)
    for _ in range(2):
        here(x)
        there(StrictArray(x))
    assert launches == ["batch_norm_forward", "batch_norm_follow"] * 2
    for name, value in here.state_dict().items():
        np.testing.assert_allclose(there.state_dict()[name], value, rtol=1e-5, atol=1e-6)


# --- what an epoch counts --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rows", [3, 1500])
def test_losses_and_hits_of_a_batch_are_added_up(rows):
    outputs = RNG.standard_normal((rows, 4)).astype(np.float32)
    outputs[0, 2:] = np.nan
    outputs[1] = 1.0
    labels = RNG.integers(0, 4, rows)
    labels[:2] = 2, 0  # the first of what is not a number, or of equals, is the answer, as for NumPy
    losses, hits, step, last = (StrictArray(np.array(v)) for v in (10.0, 7, 4, 0.0))
    cupy_nn.tally(*map(StrictArray, (outputs, labels, np.array(0.5, np.float32))), last, losses, hits, step, 1)
    assert hits.item() == 7 + np.count_nonzero(outputs.argmax(axis=1) == labels)
    assert (last.item(), losses.item(), step.item()) == (0.5, 10 + rows * 0.5, 5)


@pytest.mark.parametrize("rows", [3, 1500])
def test_hits_are_counted_as_by_argmax(rows):
    outputs, labels = RNG.standard_normal((rows, 4)), RNG.integers(0, 4, rows)
    outputs[0] = np.nan
    hits = cupy_nn.count_hits(StrictArray(outputs), StrictArray(labels))
    assert hits.item() == np.count_nonzero(outputs.argmax(axis=1) == labels)
    assert cupy_nn.count_hits(StrictArray(outputs.astype(np.float16)), StrictArray(labels)) is None


# --- labels ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("wrong", [3, -1, 1 << 40])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_wrong_label_never_trains_unseen(wrong, reduction, dtype):
    (logits,) = leaves([sized(3, 3)], dtype, StrictArray)
    labels = StrictArray(np.array([0, wrong, 2]))
    loss = minidl.nn.softmax_cross_entropy(logits, labels, reduction=reduction)
    assert np.isnan(loss.numpy()).sum() == 1
    if reduction == "none":
        assert np.isfinite(loss.numpy()[[0, 2]]).all()
    assert np.isnan(minidl.gradients(loss.sum(), [logits])[0].numpy()[1]).all()


# --- the optimizers --------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("rule", VARIANTS, ids=names)
def test_the_generated_kernel_does_what_the_rule_does_on_numpy(rule):
    """Bit for bit: the operations are the same ones in the same order."""
    here = vectors(rule, 700, "float32")
    there = [StrictArray(v.copy()) for v in here]
    on_numpy, on_gpu = executor(rule, here), executor(rule, there)
    assert isinstance(on_numpy, BlockedExecutor)
    assert isinstance(on_gpu, CudaExecutor)
    for t, runs in enumerate([((0, 700),), ((3, 300), (600, 700)), ()], start=1):
        on_numpy.step(rule, 0.1 / t, t, runs)
        on_gpu.step(rule, 0.1 / t, t, runs)
        for name, mine, theirs in zip(("theta", "g", *rule.state), there, here, strict=True):
            np.testing.assert_array_equal(mine.get(), theirs, err_msg=name)


@pytest.mark.parametrize("rule", VARIANTS[::7], ids=names)
def test_from_a_table_in_the_gpus_memory_it_does_the_same(rule):
    given = vectors(rule, 300, "float64")
    handed, read = ([StrictArray(v.copy()) for v in given] for _ in range(2))
    one, other = executor(rule, handed), executor(rule, read)
    table = StrictArray(np.array([other.numbers(rule, 0.1 / t, t) for t in (1, 2, 3)]))
    for t in (1, 2, 3):
        one.step(rule, 0.1 / t, t, ((0, 100), (150, 300)))
        other.step_from_table(((0, 100), (150, 300)), table, StrictArray(np.array(t - 1)))
    for mine, theirs in zip(read, handed, strict=True):
        np.testing.assert_array_equal(mine.get(), theirs.get())


def test_more_elements_than_threads_are_updated_once_each():
    rule = minidl.optim.rules.Momentum()
    size = 3_000
    here = vectors(rule, size, "float32")
    there = [StrictArray(v.copy()) for v in here]
    executor(rule, here).step(rule, 0.1, 1, ((0, size),))
    fused = executor(rule, there)
    fused._launch = lambda source, name, blocks, *rest: launch(source, name, (3,), *rest)
    fused.step(rule, 0.1, 1, ((0, size),))
    np.testing.assert_array_equal(there[0].get(), here[0])


class Wild(Rule):
    """A rule of a user's own."""

    lr = 0.1

    def update(self, theta, g, *, lr, t):
        return (theta - lr * self.function(g),)


EVERY_FORM = "square reciprocal absolute sign sqrt exp expm1 log log1p sin cos tan tanh negative positive".split()


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY_FORM)
def test_a_users_own_rule_may_use_any_function_that_has_a_form(name):
    kind = type("Wild", (Wild,), {"function": lambda self, g: getattr(np, name)(g)})
    points = np.array([0.5, 1.0, 1.7])
    theta, g = StrictArray(np.zeros(3)), StrictArray(points)
    executor(kind(), [theta, g]).step(kind(), 1.0, 1, ((0, 3),))
    np.testing.assert_allclose(theta.get(), -getattr(np, name)(points), rtol=1e-14)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_the_larger_and_the_smaller_keep_nan(name):
    kind = type("Wild", (Wild,), {"function": lambda self, g: getattr(np, name)(g, 1.0 + 0 * g)})
    points = np.array([0.5, 1.0, 1.7, np.nan])
    theta, g = StrictArray(np.zeros(4)), StrictArray(points)
    executor(kind(), [theta, g]).step(kind(), 1.0, 1, ((0, 4),))
    np.testing.assert_array_equal(theta.get(), -getattr(np, name)(points, 1))


def test_a_rule_without_a_form_and_float16_are_carried_out_whole():
    kind = type("Wild", (Wild,), {"function": lambda self, g: np.arctanh(g)})
    assert isinstance(executor(kind(), [StrictArray(np.zeros(3))] * 2), PlainExecutor)
    halves = [StrictArray(aligned(3, np.float16)) for _ in range(2)]
    assert isinstance(executor(minidl.optim.rules.SGD(), halves), PlainExecutor)


# --- batches ---------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("labels", ["uint8", "int64"])
def test_a_batch_is_cut_out_and_scaled_as_on_numpy(dtype, labels):
    inputs = (RNG.random((50, 37)) * 255).astype(dtype)
    numbers = RNG.integers(0, 10, 50).astype(labels)
    order = RNG.permutation(50)
    for step, stride, rows in ((0, 12, 12), (3, 12, 12), (4, 12, 2)):
        x = StrictArray(np.empty((rows, 37), np.float32 if dtype == "uint8" else dtype))
        y = StrictArray(np.empty(rows, labels))
        arrays = (StrictArray(a) for a in (inputs, numbers, order, np.array(step)))
        cupy_nn.gather(*arrays, stride, x, y)
        chosen = order[step * stride :][:rows]
        expected = inputs[chosen] * np.float32(1 / 255) if dtype == "uint8" else inputs[chosen]
        np.testing.assert_array_equal(x.get(), expected)
        np.testing.assert_array_equal(y.get(), numbers[chosen])


# --- matrix products while a graph is recorded -----------------------------------------------------------------------
def column_first(m, transposed, stride, rows, columns):
    """The matrix that cuBLAS sees at `m`'s memory, read columns first, (rows, columns) after the transposition."""
    held = (columns, rows) if transposed else (rows, columns)
    flat = m.ravel(order="K")
    seen = np.stack([flat[i * stride : i * stride + held[0]] for i in range(held[1])], axis=1)
    return seen.T if transposed else seen


@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sizes", [(4, 3, 5), (1, 3, 5), (4, 1, 5), (4, 3, 1), (1, 1, 1)])
@pytest.mark.parametrize("strided", [False, True])
def test_cublas_is_asked_for_the_right_product(sizes, turned, strided):
    m, k, n = sizes
    a = RNG.standard_normal((k, m)).T if turned[0] else RNG.standard_normal((m, k))
    b = RNG.standard_normal((n, k)).T if turned[1] else RNG.standard_normal((k, n))
    if strided:
        a, b = np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2], np.repeat(np.repeat(b, 2, 0), 2, 1)[::2, ::2]
    first, second, transposed, (rows, columns, inner), (lda, ldb, ldc) = cupy_gemm.arranged(a, b)
    left = column_first(second, transposed[0], lda, rows, inner)
    right = column_first(first, transposed[1], ldb, inner, columns)
    result = (left @ right).ravel(order="F")  # columns first, ldc apart: which is row by row
    assert ldc == rows == n
    np.testing.assert_allclose(result.reshape(m, n), a @ b, rtol=1e-12)
