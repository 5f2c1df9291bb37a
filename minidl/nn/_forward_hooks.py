"""Forward hooks: functions that see what goes into a layer, and what comes out of it."""

from collections.abc import Callable
from typing import Any, Self

from ..errors import OptionError
from ..overrides import HOOKS


class Hook:
    """A function that is called after a module's ``forward``, until `remove`, or the end of a ``with`` block."""

    def __init__(self, module: Any, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise OptionError(f"register_forward_hook: expected a function of (module, args, output), got {function!r}")
        self.module, self.function = module, function
        vars(module)[HOOKS] = [*hooks_of(module), self]

    def remove(self) -> None:
        """Take it away; once it is, nothing happens."""
        left = [hook for hook in hooks_of(self.module) if hook is not self]
        if left:
            vars(self.module)[HOOKS] = left
        else:
            vars(self.module).pop(HOOKS, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def hooks_of(module: Any) -> list[Hook]:
    """The hooks of `module`, the oldest first."""
    found: list[Hook] = vars(module).get(HOOKS, [])
    return found


def through_hooks(module: Any, args: tuple[Any, ...], output: Any) -> Any:
    """`output`, what `module` made of `args`, or what its hooks make of that."""
    for hook in hooks_of(module):
        replaced = hook.function(module, args, output)
        output = output if replaced is None else replaced
    return output
