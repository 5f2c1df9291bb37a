"""The compiled training step: the same numbers as the eager one, for whatever network users put together."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minidl
from minidl import nn, optim
from minidl.compiler import Step
from minidl.data import Dataset, Loader, mnist
from minidl.errors import GuardWarning, LabelError
from minidl.hardware.arithmetic import computing
from minidl.hardware.threads import use_blas_threads
from minidl.train import Callback, fit


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:2000]


def network(hidden, activations, norms, rate=0.0, bias=True, classes=10):
    layers, width = [], 784
    for size, activation, norm in zip(hidden, activations, norms, strict=True):
        layers.append(nn.Dense(width, size, bias=bias))
        layers += [nn.BatchNorm(size)] if norm == "before" else []
        layers += [activation()]
        layers += [nn.BatchNorm(size)] if norm == "after" else []
        layers += [nn.Dropout(rate)] if rate else []
        width = size
    return nn.Sequential(nn.Flatten(), nn.Sequential(*layers), nn.Dense(width, classes))


RULES = {
    "SGD": lambda p: optim.SGD(p, lr=0.05),
    "SGD decayed": lambda p: optim.SGD(p, lr=0.05, weight_decay=1e-3),
    "Momentum": lambda p: optim.Momentum(p, lr=optim.schedules.cosine(0.05, 40)),
    "Nesterov": lambda p: optim.Nesterov(p, lr=0.02),
    "AdaGrad": lambda p: optim.AdaGrad(p, initial_accumulator=0.1),
    "RMSProp": lambda p: optim.RMSProp(p),
    "RMSPropNesterov": lambda p: optim.RMSPropNesterov(p),
    "AdaDelta": lambda p: optim.AdaDelta(p),
    "Adam": lambda p: optim.Adam(p),
    "AMSGrad": lambda p: optim.Adam(p, amsgrad=True, eps_mode="hat"),
    "NAdam": lambda p: optim.NAdam(p),
    "AdamW": lambda p: optim.AdamW(p, lr=optim.schedules.warmup(5, optim.schedules.constant(1e-3))),
}


def eager_step(step, x, y):
    """What a compiled step does, written as a loop of one's own."""
    with use_blas_threads(1):
        step.optimizer.zero_grad()
        loss = step.loss(step.model(x), y)
        loss.backward()
        step.optimizer.step()
    return loss.data


def trained(engine, data, make, rule, batch_size, steps=12):
    """The losses, weights and optimizer state after so many steps, by one of the three ways to make them."""
    minidl.seed(1)
    model = make()
    optimizer = RULES[rule](model.parameters())
    step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
    order = np.random.default_rng(0).integers(0, len(data), steps * batch_size)
    labels = data.labels.astype(np.int64)
    losses = []
    with use_blas_threads(1):
        if engine == "machine":
            machine = step.bound(batch_size, data.inputs, labels).native(data.inputs, labels)
            with computing(1):  # as a run does, which makes them in several calls
                for start in range(0, steps, 5):
                    losses += machine.run(order[start * batch_size :], min(5, steps - start))[0].tolist()
        else:
            for rows in order.reshape(steps, batch_size):
                x = np.multiply(data.inputs[rows], np.float32(1 / 255), dtype=np.float32)
                make_step = step if engine == "replay" else partial(eager_step, step)
                losses.append(float(make_step(x, labels[rows])))
            assert engine == "eager" or step.reason is None
    return losses, model.state_dict() | {f"state {k}": v.copy() for k, v in optimizer.state.items()}


def assert_same_bits(one, other):
    assert one[0] == other[0]
    for name, value in one[1].items():
        np.testing.assert_array_equal(value, other[1][name], err_msg=name)


def engines():
    try:
        import numba  # noqa: F401
    except ImportError:
        return ["replay"]
    return ["replay", "machine"]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    hidden=st.lists(st.integers(2, 40), max_size=3),
    activations=st.lists(st.sampled_from([nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid]), min_size=3, max_size=3),
    norms=st.lists(st.sampled_from(["none", "before", "after"]), min_size=3, max_size=3),
    rate=st.sampled_from([0.0, 0.3]),
    bias=st.booleans(),
    batch_size=st.sampled_from([1, 2, 5, 32]),
    rule=st.sampled_from(sorted(RULES)),
)
@example([3], [nn.Sigmoid] * 3, ["after"] * 3, 0.0, False, 2, "Momentum")  # whose velocity becomes denormal
def test_a_compiled_step_is_the_eager_step_bit_for_bit(
    digits, hidden, activations, norms, rate, bias, batch_size, rule
):
    norms = ["none"] * 3 if batch_size == 1 else norms
    count = len(hidden)

    def make():
        return network(hidden, activations[:count], norms[:count], rate, bias)

    eager = trained("eager", digits, make, rule, batch_size)
    for engine in engines():
        assert_same_bits(trained(engine, digits, make, rule, batch_size), eager)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_runs_compiled(digits, rule):
    def make():
        return network([16], [nn.ReLU], ["none"])

    for batch_size in (1, 8):
        eager = trained("eager", digits, make, rule, batch_size)
        for engine in engines():
            assert_same_bits(trained(engine, digits, make, rule, batch_size), eager)


def compiled_ahead(kind):
    """Have the interpreter and the loop of this optimizer compiled."""
    from minidl.compiler.native.cache.background import compile_now
    from minidl.compiler.native.executor import needed

    compile_now(needed(kind(nn.Dense(2, 2).parameters())))


def fitted(data, compiled, **options):
    minidl.seed(3)
    model = network([24], [nn.ReLU], ["before"], rate=0.1)
    optimizer = optim.Adam(model.parameters(), lr=optim.schedules.cosine(2e-3, 200))
    history = fit(model, data, optimizer=optimizer, epochs=2, progress=False, compile=compiled, **options)
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "engine")} for row in history.rows]
    return rows, model.state_dict(), optimizer.state_dict()


@pytest.mark.parametrize("loaded", [False, True])
def test_fit_gives_the_same_bits_with_and_without_compiling(digits, loaded):
    if loaded:
        pytest.importorskip("numba")
        compiled_ahead(optim.Adam)
    data, validation = digits[:1030], digits[1030:1200]  # a remainder batch of 6
    eager = fitted(data, False, batch_size=32, validation=validation)
    compiled = fitted(data, True, batch_size=32, validation=validation)
    assert eager[0] == compiled[0]
    for name, value in eager[1].items():
        np.testing.assert_array_equal(value, compiled[1][name])
    np.testing.assert_array_equal(eager[2]["state"]["v"], compiled[2]["state"]["v"])
    assert eager[2]["t"] == compiled[2]["t"] == 66


def test_a_frozen_layer_stays_and_its_gradient_is_not_computed(digits):
    model = network([16, 8], [nn.ReLU, nn.Tanh], ["none", "none"])
    first = model.parameters()[0]
    first.requires_grad = False
    before = first.numpy().copy()
    step = minidl.compile(model, nn.softmax_cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    step(digits.inputs[:4].astype(np.float32), digits.labels[:4])
    np.testing.assert_array_equal(first.numpy(), before)
    assert "d_layers.1.layers.0.weight" not in str(step.program).split("without dead code")[1]
    first.requires_grad = True  # seen at the next step
    step(digits.inputs[:4].astype(np.float32), digits.labels[:4])
    assert not np.array_equal(first.numpy(), before)


def test_a_changed_shape_mode_or_weight_is_noticed(digits):
    model = network([16], [nn.ReLU], ["before"])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
    x, y = digits.inputs[:9].astype(np.float32) / 255, digits.labels[:9]
    for size in (9, 4):
        expected = nn.softmax_cross_entropy(model(x[:size]), y[:size]).item()
        assert step(x[:size], y[:size]) == pytest.approx(expected, rel=1e-6)
    model.eval()
    with pytest.warns(GuardWarning, match="MDL003"):
        step(x, y)
    assert "evaluation mode" in step.reason
    model.train()
    before = step(x, y)
    assert step.reason is None
    for p in model.parameters():
        p.data = p.data * 0  # replaced behind the step's back
    assert step(x, y) == pytest.approx(np.log(10), rel=1e-6) != before


def test_a_layer_of_ones_own_is_recorded(digits):
    class Mine(nn.Module):
        def forward(self, x):
            return x * 2

    model = nn.Sequential(nn.Dense(784, 10), Mine())
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
    for k in range(4):
        assert np.isfinite(step(digits.inputs[4 * k : 4 * k + 4].astype(np.float32) / 255, digits.labels[:4]))
    assert step.reason is None
    assert "multiply" in str(step.program)


def test_gradients_are_left_behind_as_the_eager_step_leaves_them(digits):
    x, y = digits.inputs[:8].astype(np.float32) / 255, digits.labels[:8]
    found = []
    for eagerly in (True, False):
        minidl.seed(0)
        model = network([12], [nn.Tanh], ["none"])
        step = minidl.compile(model, nn.softmax_cross_entropy, optim.SGD(model.parameters()))
        (partial(eager_step, step) if eagerly else step)(x, y)
        found.append([p.grad.numpy().copy() for p in model.parameters()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_wrong_labels_are_refused_before_anything_moves(digits):
    model = network([12], [nn.ReLU], ["none"], classes=5)
    optimizer = optim.SGD(model.parameters())
    before = model.state_dict()
    step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
    with pytest.raises(LabelError, match=r"outside 0\.\.4"):
        step(digits.inputs[:50].astype(np.float32), digits.labels[:50])
    with pytest.raises(LabelError, match=r"outside 0\.\.4"):
        fit(model, digits, optimizer=optimizer, epochs=1, progress=False)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_the_program_can_be_read_after_each_pass(digits):
    model = network([16], [nn.ReLU], ["none"])
    step = minidl.compile(model, nn.softmax_cross_entropy, optim.Adam(model.parameters()))
    step(digits.inputs[:32].astype(np.float32), digits.labels[:32])
    shown = str(step.program)
    for part in ("lowered:", "without dead code:", "fused:", "placed:", "bias_activate", "flop", "work buffers"):
        assert part in shown
    dense = 2 * 32 * 784 * 16
    assert f"{dense:,} flop" in shown
    assert step.program.memory < sum(b.bytes for b in step.program.buffers("work"))  # buffers share places


def test_a_callback_that_wants_every_step_gets_it(digits):
    class Norms(Callback):
        seen = 0

        def on_step(self, run):
            assert all(p.grad is not None for p in run.model.parameters())
            self.seen += 1

    model = network([8], [nn.ReLU], ["none"])
    norms = Norms()
    fit(
        model,
        digits[:128],
        optimizer=optim.SGD(model.parameters()),
        epochs=1,
        batch_size=16,
        callbacks=[norms],
        progress=False,
    )
    assert norms.seen == 8


def test_a_loader_of_floats_trains_compiled_too(digits):
    data = Dataset(digits.inputs[:200].astype(np.float32) / 255, digits.labels[:200])
    results = []
    for compiled in (False, True):
        minidl.seed(0)
        model = network([8], [nn.ReLU], ["none"])
        loader = Loader(data, 20, shuffle=False)
        fit(model, loader, optimizer=optim.SGD(model.parameters()), epochs=2, progress=False, compile=compiled)
        results.append(model.state_dict())
    for name in results[0]:
        np.testing.assert_array_equal(results[0][name], results[1][name])


def test_float64_models_are_replayed(digits):
    results = []
    for eagerly in (True, False):
        minidl.seed(0)
        model = nn.Sequential(nn.Dense(784, 6), nn.Sigmoid(), nn.Dense(6, 10))
        for p in model.parameters():
            p.data = p.data.astype(np.float64)
        step = Step(model, nn.softmax_cross_entropy, optim.SGD(model.parameters()))
        x = digits.inputs[:8] / 255
        results.append(((partial(eager_step, step) if eagerly else step)(x, digits.labels[:8]), model.state_dict()))
        assert eagerly or step.reason is None
    assert results[0][0] == results[1][0]


@pytest.mark.slow
def test_the_first_run_compiles_beside_training_and_the_next_finds_it_done(tmp_path):
    pytest.importorskip("numba")
    program = (
        "import sys\n"
        "from minidl import nn, optim\n"
        "from minidl.compiler.native.cache import background\n"
        "from minidl.compiler.native.executor import needed\n"
        "p = nn.Dense(2, 2).parameters()\n"
        "files = needed(optim.Nesterov(p))\n"
        "seen = [background.ready(files, 1.0), len(background._compiling), background.ready(files, 60.0)]\n"
        "for process in set(background._compiling.values()): process.wait()\n"
        "print(*seen, background.ready(files, 0.0), 'numba' in sys.modules)"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    seen = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert seen == ["False 0 False True False\n", "True 0 True True False\n"]


def test_denormal_state_is_flushed_and_the_setting_put_back():
    from minidl.hardware.denormals import _library, flush_denormals

    if _library() is None:
        pytest.skip("this processor or system has no switch for denormals that is known here")
    tiny, half = np.full(4, 1e-39, np.float32), np.float32(0.5)
    with flush_denormals():
        assert not (tiny * half).any()
    assert (tiny * half).all()
