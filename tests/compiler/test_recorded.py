"""A compiled step of one's own model and loss: recorded from two batches, then replayed, with the eager step's numbers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import nn, optim
from minidl.errors import LabelError
from minidl.hardware.threads import use_blas_threads
from tests.support.drawn_models import (
    BATCH,
    LOSSES,
    PLANS,
    WIDTH,
    Drawn,
    batches_of,
    classes,
    drawn_plan,
    numbers,
)
from tests.support.recorded_steps import assert_equal, both


@settings(max_examples=60, deadline=None)
@given(plan=PLANS, loss=st.sampled_from(sorted(LOSSES)))
def test_a_model_of_ones_own_is_trained_to_the_bits_of_the_eager_loop(plan, loss):
    function, target = LOSSES[loss]
    compiled, eager = both(lambda: Drawn(plan), function, batches_of(target))
    assert_equal(compiled, eager)
    assert compiled[3].reason is None


def test_machine_code_trains_models_of_ones_own_to_the_same_bits(at_once):
    """Of sixty drawn models all are recorded, and eight in ten need no call of Python in a step."""
    rng, without_python = np.random.default_rng(5), 0
    for _ in range(60):
        plan, (function, target) = drawn_plan(rng), LOSSES[str(rng.choice(sorted(LOSSES)))]
        compiled, eager = both(lambda plan=plan: Drawn(plan), function, batches_of(target))
        assert_equal(compiled, eager)
        assert compiled[3].reason is None
        assert compiled[3].recorded.engine == "machine code"
        (replay,) = compiled[3].recorded.replays()
        without_python += replay.python_calls == 0
    assert without_python >= 48


@pytest.mark.parametrize("batch", [1, 2, 64])
@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam])
def test_a_residual_network_with_squared_errors_is_compiled(at_once, batch, rule):
    class Residual(nn.Module):
        def __init__(self):
            self.a, self.b, self.c = nn.Dense(30, 20), nn.Dense(20, 20), nn.Dense(20, 1)

        def forward(self, x):
            h = minidl.tanh(self.a(x))
            return self.c(h + minidl.tanh(self.b(h)))

    rng = np.random.default_rng(0)
    data = [
        (rng.standard_normal((batch, 30)).astype("f"), rng.standard_normal((batch, 1)).astype("f")) for _ in "12345"
    ]
    compiled, eager = both(Residual, nn.mean_squared_error, data, rule)
    assert compiled[3].recorded.engine == "machine code"
    np.testing.assert_allclose(compiled[0], eager[0], rtol=1e-5)
    for name, array in compiled[1].items():
        np.testing.assert_allclose(array, eager[1][name], rtol=1e-4, atol=1e-6, err_msg=name)


def regression(batch=BATCH, count=6):
    rng = np.random.default_rng(3)
    return [(rng.standard_normal((batch, WIDTH)).astype("f"), rng.standard_normal((batch, WIDTH)).astype("f"))
            for _ in range(count)]  # fmt: skip


def step_of(model, loss=nn.mean_squared_error):
    return minidl.compile(model, loss, optim.SGD(model.parameters(), lr=0.01))


def made(step, batches):
    return [float(step(x, y)) for x, y in batches]


class Scaled(nn.Module):
    def __init__(self):
        self.dense, self.scale = nn.Dense(WIDTH, WIDTH), 1.0

    def forward(self, x):
        return self.dense(x) * self.scale


def test_two_inputs_and_a_batch_in_tuples():
    class Two(nn.Module):
        def __init__(self):
            self.left, self.right = nn.Dense(WIDTH, 4), nn.Dense(WIDTH, 4)

        def forward(self, pair):
            a, b = pair
            return self.left(a) * minidl.sigmoid(self.right(b))

    rng = np.random.default_rng(0)
    batches = [((numbers(rng), numbers(rng)), (numbers(rng)[:, :4], numbers(rng)[:, :1])) for _ in range(5)]
    compiled, eager = both(Two, lambda output, y: ((output - y[0]) ** 2 * abs(y[1])).mean(), batches)
    assert compiled[3].reason is None
    assert_equal(compiled, eager)


def test_each_shape_of_a_batch_is_recorded_for_itself():
    batches = regression(12, 4) + regression(5, 4) + regression(12, 2)
    compiled, eager = both(Scaled, nn.mean_squared_error, batches)
    assert compiled[3].reason is None
    assert_equal(compiled, eager)


def test_what_is_changed_on_the_model_between_two_steps_counts_from_there_on():
    def trained_with_changes(compiled):
        minidl.seed(0)
        model = Scaled()
        step = step_of(model)
        losses = []
        for k, (x, y) in enumerate(regression(count=12)):
            if k == 4:
                model.scale = 0.5
            if k == 7:
                model.dense.weight = nn.Parameter(model.dense.weight.numpy() * 2)
                step.optimizer = optim.SGD(model.parameters(), lr=0.01)
                step = step_of(model)
            if k == 10:
                model.dense.bias.requires_grad = False
            with use_blas_threads(1):
                if compiled:
                    losses.append(float(step(x, y)))
                    continue
                step.optimizer.zero_grad()
                value = nn.mean_squared_error(model(x), y)
                value.backward()
                step.optimizer.step()
                losses.append(float(value))
        return losses, {name: array.tobytes() for name, array in model.state_dict().items()}

    assert trained_with_changes(True) == trained_with_changes(False)


STRENGTH = 0.1


def penalised(output, y):
    return nn.mean_squared_error(output, y) + STRENGTH * (output * output).mean()


def test_what_is_changed_outside_the_model_counts_as_well(monkeypatch):
    """A global of the loss, and a variable of the function that it was made in."""
    weight = 1.0

    def loss(output, y):
        return weight * penalised(output, y)

    model = Scaled()
    step = step_of(model, loss)
    made(step, regression())
    assert step.reason is None
    x, y = regression()[0]
    for strength, factor in ((10.0, 1.0), (10.0, 3.0), (0.5, 3.0)):
        monkeypatch.setitem(globals(), "STRENGTH", strength)
        weight = factor
        expected = float(loss(model(x), y))
        assert float(step(x, y)) == pytest.approx(expected, rel=1e-6)


def counting(output, y, calls=[]):  # noqa: B006 (that is what is tested)
    calls.append(1)
    return nn.mean_squared_error(output, y)


class Stateful(Scaled):
    def forward(self, x):
        self.scale = self.scale * 0.9
        return super().forward(x)


class Noisy(Scaled):
    def forward(self, x):
        return super().forward(x) + np.random.standard_normal(x.shape).astype("f")


class Looking(Scaled):
    def forward(self, x):
        y = super().forward(x)
        return y * 2 if float(y.sum()) > 0 else y


class Masked(Scaled):
    def forward(self, x):
        y = super().forward(x)
        return y[y.data[:, 0] > 0]


@pytest.mark.parametrize(
    ("make", "loss", "reason"),
    [
        (Scaled, counting, "changes a default of counting"),
        (Stateful, nn.mean_squared_error, "changes the model.scale"),
        (Noisy, nn.mean_squared_error, "random numbers that are not minidl's"),
        (Looking, nn.mean_squared_error, "its numbers are read or written in Python, by float"),
        (Masked, lambda output, y: (output * output).mean(), "the numbers decide about the shape"),
        (Scaled, lambda output, y: (output - np.eye(WIDTH, dtype="f")[y.argmax(1)]).var(), "outside minidl's ops"),
    ],
)
def test_what_a_replay_would_not_do_keeps_the_steps_eager_and_is_named(make, loss, reason):
    model = make()
    step = step_of(model, loss)
    made(step, regression())
    assert reason in step.reason
    if loss is counting:
        assert len(counting.__defaults__[0]) == 6  # each step has called it


def test_python_in_a_layer_runs_while_it_is_recorded_and_no_more(capsys):
    """As docs/compile.md says: what has no effect on the numbers is not repeated."""

    class Told(nn.Module):
        def __init__(self):
            self.dense = nn.Dense(WIDTH, WIDTH)

        def forward(self, x):
            print("called")
            return self.dense(x)

    step = step_of(Told())
    made(step, regression(count=8))
    assert step.reason is None
    assert capsys.readouterr().out == "called\n" * 2


def test_an_error_in_a_recorded_step_is_the_user_s_own_and_leaves_all_as_it_was():
    model = nn.Sequential(nn.Dense(WIDTH, WIDTH), nn.BatchNorm(WIDTH), nn.Dropout(0.5))

    def fails(output, y):
        raise RuntimeError("no loss today")

    step = step_of(model, fails)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no loss today"):
            step(*regression()[0])
    step.recorded.loss = step.loss = nn.mean_squared_error
    assert np.isfinite(made(step, regression())).all()


def test_wrong_labels_are_found_in_replayed_steps_too():
    model = nn.Sequential(Scaled())
    step = step_of(model, nn.softmax_cross_entropy)
    rng = np.random.default_rng(0)
    for _ in range(4):
        step(numbers(rng), classes(rng))
    assert step.reason is None
    with pytest.raises(LabelError, match="label 99 at index 3"):
        step(numbers(rng), np.array([0, 1, 2, 99] * 3))


def test_two_threads_record_their_steps_at_the_same_time():
    """Whichever comes second makes that step eagerly, and records a later one."""

    def steps():
        minidl.seed(0)
        return [step_of(Scaled()), step_of(Scaled())]

    def train(step):
        return [made(step, regression(size, 4)) for size in range(2, 22)]

    expected = [train(step) for step in steps()]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(train, steps())) == expected


def test_debug_that_begins_in_another_thread_spoils_no_recording():
    """Its watcher takes the place of the one that records, which is noticed."""

    def enters_debug(output, y):
        if armed:
            armed.pop()
            thread = threading.Thread(target=watch)
            thread.start()
            begun.wait()
        return nn.mean_squared_error(output, y)

    def watch():
        with minidl.debug():
            begun.set()
            ended.wait()

    armed, begun, ended = [1], threading.Event(), threading.Event()
    minidl.seed(0)
    step, batches = step_of(Scaled(), enters_debug), regression(count=8)
    losses = made(step, batches[:1])
    ended.set()
    losses += made(step, batches[1:])
    minidl.seed(0)
    assert losses == made(step_of(Scaled()), batches)


def test_predictions_in_another_thread_do_not_disturb_a_recording():
    model, other = Scaled(), Scaled()
    step, stop = step_of(model), threading.Event()
    x, expected = regression()[0][0], other(regression()[0][0]).numpy()
    wrong = []

    def predict():
        while not stop.is_set():
            if not np.array_equal(other(x).numpy(), expected):
                wrong.append(1)

    thread = threading.Thread(target=predict)
    thread.start()
    try:
        for size in range(2, 30):
            made(step, regression(size, 3))
    finally:
        stop.set()
        thread.join()
    assert not wrong
    assert step.reason is None
