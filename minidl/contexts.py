"""Context managers that can be entered again, also within themselves, and that decorate every kind of function."""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


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
