"""Every kernel for CuPy, on the GPU: against its composition there, and the rules against NumPy's."""

import numpy as np
import pytest
from kernel_cases import CASES, LARGER, results
from rule_cases import VARIANTS, names, vectors

import minidl
from minidl import Tensor, ops
from minidl.backend import tf32, to_backend
from minidl.optim.execution.blocked import executor
from minidl.optim.execution.cuda import CudaExecutor

pytestmark = pytest.mark.gpu
RNG = np.random.default_rng(0)


def there(array):
    return to_backend(array, "cupy")


@pytest.mark.parametrize("name", [*CASES, *LARGER])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_kernel_agrees_with_its_composition(name, dtype):
    op, arrays, extra, options = {**CASES, **LARGER}[name]
    assert "cupy" in op.kernels
    extra = tuple(there(e) if isinstance(e, np.ndarray) else e for e in extra)

    def moved(function):
        return lambda *inputs, **options: function(*[t.to("cupy") for t in inputs[: len(arrays)]], *extra, **options)

    fused = results(moved(op), arrays, (), options, dtype)
    composed = results(moved(op.forward), arrays, (), options, dtype)
    tolerance = 1e-10 if dtype == np.float64 else 5e-4
    for a, b in zip(fused, composed, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("rows", [1, 33, 5000])
@pytest.mark.parametrize("width", [1, 10, 33, 2000])
def test_kernels_of_many_blocks(rows, width):
    x, weight, bias = (RNG.standard_normal(s) for s in ((rows, 7), (7, width), (width,)))
    found = []
    for backend in ("numpy", "cupy"):
        tensors = [Tensor(a, requires_grad=True, backend=backend) for a in (x, weight, bias)]
        y = ops.dense(*tensors, activation="tanh")
        y = ops.batch_norm(y, tensors[2] * 2, tensors[2]) if rows > 1 else y
        labels = to_backend(np.arange(rows) % width, backend)
        loss = minidl.nn.softmax_cross_entropy(y, labels)
        found.append([t.numpy() for t in (loss, *minidl.gradients(loss, tensors))])
    for here, gpu in zip(*found, strict=True):
        np.testing.assert_allclose(gpu, here, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("wrong", [3, -1, 1 << 40])
def test_a_wrong_label_never_trains_unseen(wrong):
    logits = Tensor(RNG.standard_normal((3, 3)), requires_grad=True, backend="cupy")
    losses = minidl.nn.softmax_cross_entropy(logits, there(np.array([0, wrong, 2])), reduction="none")
    assert np.isnan(losses.numpy()).tolist() == [False, True, False]
    assert np.isnan(minidl.gradients(losses.sum(), [logits])[0].numpy()[1]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", VARIANTS, ids=names)
def test_a_rule_does_on_the_gpu_what_it_does_on_numpy(rule, dtype):
    here = vectors(rule, 100_003, dtype)
    far = [there(v) for v in here]
    on_numpy, on_gpu = executor(rule, here), executor(rule, far)
    assert isinstance(on_gpu, CudaExecutor)
    for t, runs in enumerate([((0, 100_003),), ((5, 30_000), (60_000, 100_001))], start=1):
        on_numpy.step(rule, 0.1 / t, t, runs)
        on_gpu.step(rule, 0.1 / t, t, runs)
        for name, mine, theirs in zip(("theta", "g", *rule.state), far, here, strict=True):
            np.testing.assert_array_equal(mine.get(), theirs, err_msg=name)


def test_tf32_is_off_until_it_is_asked_for():
    a, b = (RNG.standard_normal((512, 512)).astype(np.float32) for _ in range(2))
    exact = a.astype(np.float64) @ b

    def error():
        return np.abs((there(a) @ there(b)).get() - exact).max() / np.abs(exact).max()

    assert error() < 1e-5
    tf32(True)
    try:
        assert 1e-5 < error() < 1e-2
    finally:
        tf32(False)
    assert error() < 1e-5
