"""MathML in which every letter and number tells which symbol it stands for, so that a page can light both together."""

from typing import Any

from ...optim.symbols import Symbol
from .formats import MathML
from .gradient import Gradient
from .printer import HIDDEN, Leaves


class Tagged(MathML):
    """MathML; each symbol is within ``<mrow data-symbol="...">``, by its number in `numbers`, which it adds to.

    By the symbol, not by its name: v before a step and v after it are two.
    """

    def __init__(self, numbers: dict[Any, int], *options: Any, **more: Any) -> None:
        super().__init__(*options, **more)
        self._numbers = numbers

    def number_of(self, x: Any) -> int:
        """The number of a symbol, or of a number that stands where one could."""
        while isinstance(x, Symbol) and isinstance(x.op, Gradient):
            x = x.args[1]  # ∇f(x) is g
        return self._numbers.setdefault(x, len(self._numbers))

    def tag(self, x: Any, text: str) -> str:
        """`text`, which stands for the symbol `x`, with its number."""
        return f'<mrow data-symbol="{self.number_of(x)}">{text}</mrow>'

    def _piece(self, x: Any, leaves: Leaves, first: bool) -> tuple[str, int]:
        text, tightness = super()._piece(x, leaves, first)
        shown = isinstance(x, Symbol) and (isinstance(x.op, Gradient) or leaves.get(x, HIDDEN) is not HIDDEN)
        return (self.tag(x, text), tightness) if shown else (text, tightness)
