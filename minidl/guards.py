"""Guards: a code and a line for mistakes that raise nothing by themselves; docs/guards.md describes them all.

A guard is a warning of the category `GuardWarning` whose message begins with its code, so Python's own filters turn
it off: ``warnings.filterwarnings("ignore", "MDL001")``, or ``python -W ignore:MDL001``. Here are those that watch over
loops written by hand, from inside what such a loop calls; those of `fit` are in train/guards.
"""

import sys
import warnings
import weakref
from collections.abc import Sequence
from typing import Any

from .autograd import Node, Op
from .backend import Array
from .errors import GuardWarning
from .recording import paused


def warn(code: str, text: str) -> None:
    """Issue guard `code` at the line of the user's that called into minidl."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "minidl":
        level, frame = level + 1, frame.f_back
    warnings.warn(f"{code}: {text} (docs/guards.md)", GuardWarning, stacklevel=level)


def warn_if_untracked_training(layer: Any) -> None:
    """MDL002, for a layer that is in training mode: under no_grad() nothing is being trained."""
    if paused():
        warn(
            "MDL002",
            f"{layer!r} is in training mode under no_grad(), where nothing is trained: if this is an evaluation, do it "
            f"inside `with model.mode(training=False):`, or call model.eval() before it and model.train() after it",
        )


def mark_evaluation(y: Any, layer: Any) -> Any:
    """`y`, the result of a `layer` in evaluation mode, marked so that a gradient that passes it is noted (MDL003)."""
    return _evaluated(y, layer) if not paused() and getattr(y, "requires_grad", False) else y


_passed: "weakref.WeakSet[Any]" = weakref.WeakSet()  # layers in evaluation mode that a gradient has passed since


@Op
def _evaluated(a: Array, layer: Any) -> Array:
    return a[...]


def _back_through(g: Any, layer: Any) -> Any:
    _passed.add(layer)
    return g


_evaluated.vjp(lambda g, y, a, layer: _back_through(g, layer))


class StepGuard:
    """Mistakes in a training loop that are visible from step(): MDL001 and MDL003."""

    def __init__(self) -> None:
        self._grad: Any = None  # of the first parameter that moved in the last step; weak, so as not to keep it
        self._changes = 0  # how often that gradient had been added to by then

    def forget(self) -> None:
        """The gradients have been made anew, not added to: where they are kept is then the same Tensor."""
        self._grad = None

    def look(self, parameters: Sequence[Node], active: Sequence[bool]) -> None:
        """MDL001 and MDL003, once the `active` ones among `parameters` have moved."""
        grad = parameters[active.index(True)].grad if True in active else None
        changes = grad._changes[0] if grad is not None and grad._changes else 0
        if grad is not None and self._grad is not None and grad is self._grad() and changes != self._changes:
            warn(
                "MDL001",
                "since the last step() a gradient was added to without being cleared, so this step used the sum of old "
                "and new ones: call optimizer.zero_grad() before backward()",
            )
        self._grad, self._changes = None if grad is None else weakref.ref(grad), changes
        if _passed:
            self._look_at_modes({id(p) for p in parameters if p.requires_grad})

    def _look_at_modes(self, moved: set[int]) -> None:
        for layer in list(_passed):
            own = [value for value in vars(layer).values() if isinstance(value, Node)]
            if not layer.training and (not own or any(id(p) in moved for p in own)):
                warn(
                    "MDL003",
                    f"this step trained {layer!r} in evaluation mode: call model.train() "
                    f"before training, and again after each evaluation",
                )
        _passed.clear()
