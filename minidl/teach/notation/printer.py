"""Expressions as text, LaTeX and MathML: one walk over the Symbols, and for each notation how its pieces look.

The walk decides what needs brackets. Terms and factors keep the order in which the rule wrote them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ...optim.symbols import Symbol
from .letters import Letter

# how tightly a piece holds together: where a part must hold tighter, it gets brackets
SUM, QUOTIENT, PRODUCT, TERM, POWER, ATOM = range(6)

Leaves = Mapping[Any, Letter | float]


class Printer(ABC):
    """Writes expressions in one notation; `digits` are the significant ones of a number."""

    powers = True  # whether g·g is written as g²
    fractions = False  # whether a quotient stands upright, and so needs no brackets

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def write(self, x: Any, leaves: Leaves) -> str:
        """The markup of `x`, in which every Symbol that is in `leaves` becomes that letter or number."""
        return self._piece(x, leaves, True)[0]

    def value(self, x: float) -> str:
        """The markup of a number that stands alone."""
        return self._number(x, True)[0]

    def _piece(self, x: Any, leaves: Leaves, first: bool) -> tuple[str, int]:
        """The markup of `x` and how tightly it holds together; `first`: nothing stands to its left."""
        content = leaves.get(x, x) if isinstance(x, Symbol) else x
        if isinstance(content, Letter):
            return self.letter(content), ATOM
        if not isinstance(content, Symbol):
            return self._number(content, first)
        args = content.args
        match content.op:
            case "add" | "subtract" as op:
                left, right = self._part(args[0], leaves, SUM, first), self._part(args[1], leaves, QUOTIENT)
                return self.infix("+" if op == "add" else "-", left, right), SUM
            case "multiply":
                return self._product(content, leaves, first)
            case "divide" if self.fractions:
                return self.fraction(self.write(args[0], leaves), self.write(args[1], leaves)), TERM
            case "divide":
                left, right = self._part(args[0], leaves, QUOTIENT, first), self._part(args[1], leaves, TERM)
                return self.infix("/", left, right), QUOTIENT
            case "power":
                return self._power(args[0], args[1], leaves), POWER
            case "negative":
                text = self.negative(self._part(args[0], leaves, TERM))
                return (text, TERM) if first else (self.brackets(text), ATOM)
            case "sqrt":
                return self.root(*self._piece(args[0], leaves, True)), ATOM
        name = content.op if isinstance(content.op, str) else content.op.__name__
        return self.call(name, [self.write(part, leaves) for part in args]), ATOM

    def _part(self, x: Any, leaves: Leaves, tightness: int, first: bool = False) -> str:
        """The markup of `x`, in brackets if it holds together less tightly than `tightness`."""
        text, own = self._piece(x, leaves, first)
        return text if own >= tightness else self.brackets(self.write(x, leaves))

    def _product(self, x: Any, leaves: Leaves, first: bool) -> tuple[str, int]:
        factors: list[Any] = []
        while isinstance(x, Symbol) and x.op == "multiply" and not (factors and x in leaves):
            x, last = x.args
            factors.append(last)
        factors = [x, *reversed(factors)]
        groups = [list(same) for _, same in groupby(factors, id)] if self.powers else [[factor] for factor in factors]
        text = ""
        for factor, *more in groups:
            tightness, start = (TERM, False) if text else (PRODUCT, first)
            part = self._power(factor, 1 + len(more), leaves) if more else self._part(factor, leaves, tightness, start)
            text = self.infix("*", text, part) if text else part
        return text, POWER if len(groups) == 1 else PRODUCT

    def _power(self, base: Any, exponent: Any, leaves: Leaves) -> str:
        return self.power(self._part(base, leaves, ATOM, True), *self._piece(exponent, leaves, True))

    def _number(self, x: float, first: bool) -> tuple[str, int]:
        plain = f"{x:.{self.digits}g}"
        text, tightness = self.number(plain.removeprefix("-"))
        if plain[0] != "-":
            return text, tightness
        text = self.negative(text)
        return (text, min(tightness, TERM)) if first else (self.brackets(text), ATOM)

    def number(self, text: str) -> tuple[str, int]:
        """A number without a sign, as Python formats it, and how tightly it holds together."""
        if "e" not in text:
            return text, ATOM
        mantissa, exponent = text.split("e")
        return self.scientific(mantissa, int(exponent))

    def fraction(self, over: str, under: str) -> str:
        """An upright fraction, in a notation that has `fractions`."""
        raise NotImplementedError

    @abstractmethod
    def letter(self, letter: Letter) -> str:
        """A name."""

    @abstractmethod
    def scientific(self, mantissa: str, exponent: int) -> tuple[str, int]:
        """A number with a power of ten, and how tightly it holds together."""

    @abstractmethod
    def infix(self, sign: str, left: str, right: str) -> str:
        """Two parts with one of + - * / between them."""

    @abstractmethod
    def negative(self, text: str) -> str:
        """A minus before something."""

    @abstractmethod
    def power(self, base: str, exponent: str, tightness: int) -> str:
        """A power, and how tightly its exponent holds together."""

    @abstractmethod
    def root(self, text: str, tightness: int) -> str:
        """The square root of something, and how tightly that holds together."""

    @abstractmethod
    def call(self, name: str, args: Sequence[str]) -> str:
        """A function of some arguments."""

    @abstractmethod
    def brackets(self, text: str) -> str:
        """Something in brackets."""
