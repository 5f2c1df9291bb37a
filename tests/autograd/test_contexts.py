"""no_grad, debug and use_backend: blocks that may be used again, nested, and put before any kind of function."""

import asyncio
import threading

import numpy as np
import pytest

import minidl
from minidl import Tensor, backend
from minidl.errors import NonFiniteError


def recorded():
    """Whether what is computed here, now, is recorded."""
    x = Tensor(2.0, requires_grad=True)
    return (x * x).requires_grad


@pytest.mark.parametrize("decorate", [minidl.no_grad(), minidl.no_grad], ids=["called", "bare"])
def test_no_grad_holds_for_the_body_of_every_kind_of_function(decorate):
    @decorate
    def function(a, *, b):
        return a, b, recorded()

    @decorate
    def generator(a):
        got = yield a, recorded()
        yield got, recorded()
        return recorded()

    @decorate
    async def coroutine(a):
        await asyncio.sleep(0)
        return a, recorded()

    @decorate
    async def stream(a):
        got = yield a, recorded()
        await asyncio.sleep(0)
        yield got, recorded()

    assert function(1, b=2) == (1, 2, False)
    steps = generator(3)
    assert next(steps) == (3, False)
    assert recorded()  # between the steps others record as ever
    assert steps.send(4) == (4, False)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value is False

    async def main():
        assert await coroutine(5) == (5, False)
        found = stream(6)
        assert await anext(found) == (6, False)
        assert recorded()
        assert await found.asend(7) == (7, False)
        assert [left async for left in found] == []

    asyncio.run(main())
    assert recorded()
    assert function.__name__ == "function"


def test_errors_and_an_early_end_reach_a_decorated_generator():
    seen = []

    @minidl.no_grad()
    def generator():
        try:
            yield 1
        except ValueError:
            seen.append(recorded())
        try:
            yield 2
        finally:
            seen.append(recorded())

    steps = generator()
    next(steps)
    assert steps.throw(ValueError()) == 2
    steps.close()
    assert seen == [False, False]
    assert recorded()


def test_errors_and_an_early_end_reach_a_decorated_asynchronous_generator():
    seen = []

    @minidl.no_grad()
    async def stream():
        try:
            yield 1
        except ValueError:
            seen.append(recorded())
        try:
            yield 2
        finally:
            seen.append(recorded())

    async def main():
        steps = stream()
        await anext(steps)
        assert await steps.athrow(ValueError()) == 2
        await steps.aclose()

    asyncio.run(main())
    assert seen == [False, False]


def test_one_no_grad_may_be_used_again_nested_and_by_several_threads():
    block = minidl.no_grad()
    for _ in range(2):
        with block:
            with block:
                assert not recorded()
            assert not recorded()
        assert recorded()
    seen = []
    with block:
        thread = threading.Thread(target=lambda: seen.append(recorded()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_blocks_that_end_in_another_order_than_they_began_leave_recording_on():
    def suspended():
        with minidl.no_grad():
            yield

    first, second = suspended(), suspended()
    next(first), next(second)
    first.close(), second.close()
    assert recorded()


def test_no_grad_in_one_task_leaves_the_others_recording():
    async def pausing(entered, leave):
        with minidl.no_grad():
            entered.set()
            await leave.wait()
            return recorded()

    async def main():
        entered, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(pausing(entered, leave))
        await entered.wait()
        assert recorded()
        leave.set()
        assert not await task

    asyncio.run(main())


def test_a_gradient_function_records_within_no_grad_and_no_further():
    with minidl.no_grad():
        assert minidl.grad(lambda x: x * x)(3.0).item() == 6.0
        assert minidl.grad(lambda x: x * recorded())(3.0).item() == 1.0
        assert not recorded()


# debug and use_backend


@pytest.mark.parametrize("decorate", [minidl.debug(), minidl.debug], ids=["called", "bare"])
def test_debug_watches_the_body_of_a_generator_and_nothing_between(decorate):
    @decorate
    def logarithms(values):
        for value in values:
            yield minidl.log(Tensor(value))

    steps = logarithms([1.0, 0.0])
    next(steps)
    with np.errstate(divide="ignore"):
        assert minidl.log(Tensor(0.0)).item() == -np.inf
    with pytest.raises(NonFiniteError):
        next(steps)


def test_one_debug_block_may_be_used_again_and_nested():
    block = minidl.debug()
    for _ in range(2):
        with block, block, pytest.raises(NonFiniteError):
            minidl.log(Tensor(0.0))
        with np.errstate(divide="ignore"):
            minidl.log(Tensor(0.0))


@pytest.fixture
def two_backends(monkeypatch):
    monkeypatch.setattr(backend, "module_of", lambda name: np)
    return backend.current_backend


def test_use_backend_sets_blocks_set_back_and_may_be_used_again(two_backends):
    with minidl.use_backend("other") as block:
        assert two_backends() == "other"
        with block:
            assert two_backends() == "other"
        assert two_backends() == "other"
    assert two_backends() == "numpy"
    with block:
        assert two_backends() == "other"
    assert two_backends() == "numpy"
    minidl.use_backend("other")
    assert two_backends() == "other"
    minidl.use_backend("numpy")


def test_use_backend_decorates_without_setting_anything_outside(two_backends):
    @minidl.use_backend("other")
    def function():
        return two_backends()

    @minidl.use_backend("other")
    def generator():
        yield two_backends()
        yield two_backends()

    assert two_backends() == "numpy"
    assert [function(), function()] == ["other", "other"]
    for seen in generator():
        assert (seen, two_backends()) == ("other", "numpy")
    assert two_backends() == "numpy"
