"""Context managers that can be entered again, also within themselves, and that decorate every kind of function."""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V")


class Reusable:
    """Base of those: a subclass defines ``__enter__`` and ``__exit__``, and keeps nothing between them that could mix.

    As a decorator it holds for the whole body: that of a generator or coroutine runs in steps, so it is entered at
    each step and left at each ``yield`` or ``await``, where other code runs.
    """

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *error: Any) -> None:
        raise NotImplementedError

    def __call__(self, function: F) -> F:
        wrapped: Any
        if inspect.isasyncgenfunction(function):

            def wrapped(*args: Any, **options: Any) -> Any:
                return _async_steps(self, function(*args, **options))

        elif inspect.iscoroutinefunction(function):

            async def wrapped(*args: Any, **options: Any) -> Any:
                return await _steps(self, function(*args, **options))

        elif inspect.isgeneratorfunction(function):

            def wrapped(*args: Any, **options: Any) -> Any:
                return (yield from _steps(self, function(*args, **options)))

        else:

            def wrapped(*args: Any, **options: Any) -> Any:
                with self:
                    return function(*args, **options)

        return functools.wraps(function)(wrapped)  # type: ignore[return-value]  # called as `function` is


class Switch(Reusable, Generic[V]):
    """A setting of the process, in `now`: made, it sets it from here on; used in a ``with``, for the block.

    As a decorator it holds for the function's body. The same object may be used again, and within itself.
    """

    now: ClassVar[Any]

    def __init__(self, value: V) -> None:
        self._value = value
        self._set = True  # by this call, which the first block then undoes as well
        self._previous = [self._exchange(value)]

    def __enter__(self) -> Self:
        if self._set and type(self).now == self._value:
            self._set = False
        else:
            self._previous.append(self._exchange(self._value))
        return self

    def __exit__(self, *error: Any) -> None:
        self._exchange(self._previous.pop())

    def __call__(self, function: F) -> F:
        if self._set and type(self).now == self._value:
            self._set = False
            self._exchange(self._previous.pop())
        return super().__call__(function)

    def _exchange(self, value: V) -> V:
        """Set `value`; the one before."""
        before: V = type(self).now
        type(self).now = value
        return before


@types.coroutine
def _steps(context: Reusable, source: Any) -> Any:
    """``yield from source``, a generator or coroutine, with `context` entered for each of its steps."""
    step: Callable[[], Any] = functools.partial(source.send, None)
    while True:
        try:
            with context:
                value = step()
        except StopIteration as end:
            return end.value
        # Here other code runs, outside the context. What comes back goes into the next step, and so does the end:
        # the body's own clean-up is a step as well.
        try:
            sent = yield value
        except GeneratorExit:
            with context:
                source.close()
            raise
        except BaseException as error:
            step = functools.partial(source.throw, error)
        else:
            step = functools.partial(source.send, sent)


async def _async_steps(context: Reusable, source: Any) -> Any:
    """The same for an asynchronous generator."""
    step = source.asend(None)
    while True:
        try:
            value = await _steps(context, step)
        except StopAsyncIteration:
            return
        try:
            sent = yield value
        except GeneratorExit:
            await _steps(context, source.aclose())
            raise
        except BaseException as error:
            step = source.athrow(error)
        else:
            step = source.asend(sent)
