"""Where a watcher looks on, or steps in: at each call of an op, each gradient formula, each write of minidl's own.

There is one watcher at a time, `minidl.debug`'s. While there is none, each of these moments costs one truth test.
"""

from collections.abc import Callable, Sequence
from typing import Any

watcher: "Watcher | None" = None  # who watches now; read once at each moment, as another thread may set it


class Watcher:
    """What happens at each moment if a watcher does not change it. A subclass overrides the ones that it watches."""

    def evaluate(self, op: Any, values: list[Any]) -> tuple[Any, Any]:
        """An op's forward on plain arguments: the result, and what its `pullback` should find again."""
        return op.evaluate(values)

    def record(self, node: Any, args: Sequence[Any], saved: Any) -> None:
        """`node` has just been recorded, with its op's arguments and what a kernel saved."""

    def pullback(self, op: Any, g: Any, y: Any, args: Sequence[Any], wanted: list[int], saved: Any) -> Any:
        """An op's gradient formulas: see `Op.pullback`."""
        return op.pullback(g, y, args, wanted, saved)

    def backward(self, run: Callable[[], None], output: Any) -> None:
        """All of ``output.backward()``."""
        run()

    def forward(self, module: Any, run: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """A module's ``forward(*args, **options)``."""
        return run(*args, **options)

    def write(self, run: Callable[..., Any], *args: Any) -> Any:
        """A write into the array of a Tensor, to be noted by its version counter."""
        return run(*args)

    def draw(self, run: Callable[..., Any], *args: Any) -> Any:
        """Random numbers for a layer."""
        return run(*args)

    def check(self, run: Callable[..., Any], *args: Any) -> None:
        """A look at the numbers that raises if they are wrong, and changes nothing."""
        run(*args)


def write(run: Callable[..., Any], *args: Any) -> Any:
    """``run(*args)``, which writes into the array of a Tensor, in sight of the watcher."""
    current = watcher
    return run(*args) if current is None else current.write(run, *args)


def draw(run: Callable[..., Any], *args: Any) -> Any:
    """``run(*args)``, which draws random numbers, in sight of the watcher."""
    current = watcher
    return run(*args) if current is None else current.draw(run, *args)


def check(run: Callable[..., Any], *args: Any) -> None:
    """``run(*args)``, which raises if numbers are wrong, in sight of the watcher."""
    current = watcher
    if current is None:
        run(*args)
    else:
        current.check(run, *args)
