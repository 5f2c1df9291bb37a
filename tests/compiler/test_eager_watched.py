"""Machine code in a user's own loop: infinities, changes on the way, threads, forks, errors, and when it is loaded."""

import itertools
import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from own_loops import both, everything, network, train, trained, uses_machine_code

import minidl
from minidl import nn, ops, optim
from minidl.data import Loader
from minidl.hardware.arithmetic import computing
from minidl.machine_code import Wanted


@pytest.mark.slow
@pytest.mark.parametrize("place", ["pixel", "weight behind a zero", "weight", "gradient"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38])
def test_infinity_and_nan_spread_as_ever(digits, choose, place, value):
    """Zero times infinity is NaN: where such a number stands no zero is passed over."""

    def run():
        model = network(128)
        weight = model.layers[0].weight
        optimizer = optim.SGD(model.parameters(), lr=1e-3)

        def change(model, step):
            if step == 25 and place == "weight":
                weight.data[400, 3] = value
            if step == 25 and place == "weight behind a zero":
                weight.data[0, 3] = value  # the first pixel of each picture is zero
            if step == 25 and place == "gradient":
                weight.grad.data[300, 5] = value

        def prepare(x):
            if place == "pixel" and optimizer.t == 25:
                x[3, 200] = value
            return x

        losses = train(digits, model, optimizer, change=change, prepare=prepare)
        return everything(losses, model, optimizer)

    with np.errstate(all="ignore"):
        alone, fast = both(choose, run)
    assert str(alone[0]) == str(fast[0])  # NaN is no NaN's equal
    assert [np.isnan(np.frombuffer(a, np.float32)).tobytes() for a in alone[1]] == [
        np.isnan(np.frombuffer(a, np.float32)).tobytes() for a in fast[1]
    ]


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_infinite_gradient_reaches_weights_behind_zeros_as_ever(digits, choose, value):
    def run():
        model, share = network(128), np.ones((32, 1), np.float32)
        for x, _ in [*Loader(digits, 32)][:18]:
            model.zero_grad()
            (model(x) * share).sum().backward()
            share[5] = value  # from the second batch on
        return [np.isnan(p.grad.data).tobytes() for p in model.parameters()]

    with np.errstate(all="ignore"):
        alone, fast = both(choose, run)
    assert alone == fast


def test_a_batch_is_read_when_its_product_is_made(digits, choose):
    """Two forward passes before their backward passes, and a batch that was written to in between."""

    def run():
        model, found = network(128), []
        batches = [x for x, _ in Loader(digits, 32, shuffle=False)][:15]
        for x, other in itertools.pairwise(batches):
            first, second = model(x).sum(), (model(other) ** 2).sum()
            x[:, :300] = 0.5
            first.backward()
            second.backward()
            found += [p.grad.data.tobytes() for p in model.parameters()]
            model.zero_grad()
        return found

    alone, fast = both(choose, run)
    assert alone == fast


def test_a_compiled_step_called_one_by_one_makes_the_same_updates(digits, choose):
    """With a second thread, each of which makes its half of the last gradient and of the update."""

    def run():
        model = network(256, batch_norm=True)
        optimizer = optim.Adam(model.parameters(), lr=1e-3)
        step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
        with computing(2):
            losses = [float(step(x, y)) for _ in range(4) for x, y in Loader(digits, 200)]
        assert step.reason is None
        return everything(losses, model, optimizer)

    alone, fast = both(choose, run)
    assert alone == fast


def test_machine_code_may_come_in_the_middle_of_a_training(digits, choose):
    def run(switch):
        model = network(128, batch_norm=True)
        optimizer = optim.Adam(model.parameters())

        def change(model, step):
            if step in (11, 25) and switch:
                choose(step == 11)
                optimizer.vectors.groups[0].executor._loop = Wanted("update_loop", *loop)

        loop = ()
        optimizer.vectors.prepare()
        executor = optimizer.vectors.groups[0].executor
        loop = optimizer.rule.__name__, executor.plan, executor.vectors, executor._scalars
        return everything(train(digits, model, optimizer, change=change), model, optimizer)

    choose(False)
    alone = run(switch=False)
    assert run(switch=True) == alone


def test_a_training_in_each_of_two_threads_is_as_if_it_were_alone(digits, choose):
    choose(True)
    batches = [x for x, _ in Loader(digits, 32, shuffle=False)] * 4

    def model():  # nothing in it draws random numbers, which threads would share
        return nn.Sequential(*[layer for layer in network(128, True).layers if not isinstance(layer, nn.Dropout)])

    def run(model, into):
        optimizer, losses = optim.Adam(model.parameters(), lr=1e-3), []
        for x in batches:
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        into.append(everything(losses, model, optimizer))

    found = []
    run(model(), found)
    threads = [threading.Thread(target=run, args=(model(), found)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == found[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_goes_on_with_the_same_bits(digits, choose):
    choose(True)
    before = trained(digits)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put(trained(digits)))
    child.start()
    found = queue.get(timeout=60)
    child.join()
    assert found == before == trained(digits)


def test_a_floating_point_error_that_is_to_raise_raises(digits, choose):
    """NumPy's own calls are made then: machine code would know of no error."""
    choose(True)
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    train(digits, model, optimizer, epochs=1)
    assert uses_machine_code(optimizer) == [True]
    model.parameters()[0].grad = minidl.Tensor(np.full((784, 64), 1e38, np.float32))
    optimizer.lr = 1e3
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        optimizer.step()


def test_what_watches_ops_and_kernels_sees_all_of_them(digits, choose, monkeypatch):
    choose(True)
    seen = []
    for op in (ops.dense, ops.batch_norm):
        pair = op.kernels["numpy"]

        def forward(*args, pair=pair, op=op):
            seen.append(op.name)
            return pair[0](*args)

        def backward(*args, pair=pair, op=op):
            seen.append(f"{op.name} back")
            return pair[1](*args)

        monkeypatch.setitem(op.kernels, "numpy", (forward, backward))
    model = network(128, batch_norm=True)
    train(digits, model, optim.SGD(model.parameters(), lr=0.1), epochs=1)
    steps = 19
    assert {name: seen.count(name) for name in seen} == {
        "dense": 3 * steps, "dense back": 3 * steps, "batch_norm": steps, "batch_norm back": steps}  # fmt: skip
    with minidl.debug(), pytest.raises(minidl.errors.NonFiniteError, match="dense, forward, in layers.0"):
        model(np.full((4, 784), 3e38, np.float32))


SCRIPT = """
import sys, time
{first}
from minidl import machine_code, nn, optim
from minidl.data import Loader, mnist
data = mnist()[0][:3200]
model = nn.Sequential(nn.Dense(784, 128), nn.ReLU(), nn.Dense(128, 10))
optimizer = optim.SGD(model.parameters(), lr=0.1)
step = 0
while {goes_on}:
    for x, y in Loader(data, 32):
        optimizer.zero_grad()
        nn.softmax_cross_entropy(model(x), y).backward()
        optimizer.step()
        step += 1
        if not ({goes_on}):
            break
print([name in sys.modules for name in ("numba", "llvmlite", "minidl.compiler")])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "goes_on", "expected"),
    [
        ("", "step < 3", [False, False, False]),
        ("", "machine_code._spent < 0.3", [False, True, True]),
        ("sys.modules['minidl.compiler'] = None", "machine_code._spent < 0.3", [False, False, True]),
        ("sys.modules['minidl.kernels'] = None", "machine_code._spent < 0.3", None),
    ],
    ids=["a few steps", "many", "no compiler", "no kernels"],
)
def test_machine_code_is_loaded_once_a_loop_is_long_enough(first, goes_on, expected):
    """And no more than that: Numba stays where it is. Without the compiler NumPy goes on."""
    script = SCRIPT.format(first=first, goes_on=goes_on)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if expected is not None:
        assert done.stdout.strip() == str(expected)
