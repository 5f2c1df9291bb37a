"""Expressions as text, LaTeX and MathML: one walk over the Symbols, and for each notation how its pieces look.

The walk decides what needs brackets. Terms and factors keep the order in which the rule wrote them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ...optim.execution.plan import is_array
from ...optim.symbols import Symbol
from .gradient import Gradient
from .letters import Letter

# how tightly a piece holds together: where a part must hold tighter, it gets brackets
SUM, QUOTIENT, PRODUCT, TERM, POWER, ATOM = range(6)

Leaves = Mapping[Any, Letter | float]
HIDDEN = Letter("")  # of a factor that is 1, and not written
_I = Symbol("i", scalar=True)  # what the factors of a product are numbered by


class Printer(ABC):
    """Writes expressions in one notation; `digits` are the significant ones of a number, `point` is before decimals.

    As a lecture note writes them if `typeset`: η / √s · g without brackets, and θ + -α·g. `elementwise` then says
    whether a product of two arrays has a sign of its own, as in g ⊙ g, and `juxtaposed` whether others have none.
    """

    powers = True  # whether g·g is written as g²
    fractions = False  # whether a quotient stands upright, and so needs no brackets

    def __init__(
        self,
        digits: int,
        point: str = ".",
        *,
        typeset: bool = False,
        elementwise: bool = False,
        juxtaposed: bool = False,
    ) -> None:
        self.digits, self.point = digits, point
        self.typeset, self.elementwise, self.juxtaposed = typeset, elementwise, juxtaposed

    @property
    def separator(self) -> str:
        """What stands between arguments: a semicolon where decimals have a comma."""
        return "; " if self.point == "," else ", "

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
                text = self.negative(self._part(args[0], leaves, QUOTIENT if self.typeset else TERM))
                return (text, TERM) if first or self.typeset else (self.brackets(text), ATOM)
            case "sqrt":
                return self.root(*self._piece(args[0], leaves, True)), ATOM
            case Gradient() as gradient:
                return self.gradient(gradient.objective, self.write(args[0], leaves)), PRODUCT
        if hasattr(content.op, "factor"):  # a product over i = 1, 2, ...
            factor = self._piece(content.op.factor(_I, *args[1:]), {**leaves, _I: Letter("i")}, True)
            return self.product(self.write(args[0], leaves), *factor), TERM
        name = content.op if isinstance(content.op, str) else content.op.__name__
        return self.call(name, [self.write(part, leaves) for part in args]), ATOM

    def _part(self, x: Any, leaves: Leaves, tightness: int, first: bool = False) -> str:
        """The markup of `x`, in brackets if it holds together less tightly than `tightness`."""
        return self._held(x, leaves, tightness, first)[0]

    def _held(self, x: Any, leaves: Leaves, tightness: int, first: bool) -> tuple[str, int]:
        """The same, and how tightly it then holds together."""
        text, own = self._piece(x, leaves, first)
        return (text, own) if own >= tightness else (self.brackets(self.write(x, leaves)), ATOM)

    def _product(self, x: Any, leaves: Leaves, first: bool) -> tuple[str, int]:
        factors: list[Any] = []
        while isinstance(x, Symbol) and x.op == "multiply" and not (factors and x in leaves):
            x, last = x.args
            factors.append(last)
        factors = [f for f in (x, *reversed(factors)) if not (isinstance(f, Symbol) and leaves.get(f) is HIDDEN)]
        squares = self.powers and not self.elementwise
        groups = [list(same) for _, same in groupby(factors, id)] if squares else [[factor] for factor in factors]
        text, whole = "", POWER
        for i, (factor, *more) in enumerate(groups):
            outer = self.typeset and i in (0, len(groups) - 1)  # may be a quotient as it stands
            least = QUOTIENT if outer else TERM if text else PRODUCT
            alone = self._held(factor, leaves, least, first and not text)
            part, own = (self._power(factor, 1 + len(more), leaves), POWER) if more else alone
            if text:
                arrays = self.elementwise and is_array(factor) and any(is_array(other) for other, *_ in groups[:i])
                sign = "⊙" if arrays else "" if self.juxtaposed else " * " if whole == QUOTIENT else "*"
                part, own = self.infix(sign, text, part), min(whole, own, PRODUCT)
            text, whole = part, own
        return text, whole

    def _power(self, base: Any, exponent: Any, leaves: Leaves) -> str:
        return self.power(self._part(base, leaves, ATOM, True), *self._piece(exponent, leaves, True))

    def _number(self, x: float, first: bool) -> tuple[str, int]:
        plain = f"{x:.{self.digits}g}".replace(".", self.point)
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

    def gradient(self, objective: str, at: str) -> str:
        """The gradient of a function `at` a point."""
        return self.call(f"∇{objective}", [at])

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
    def product(self, last: str, factor: str, tightness: int) -> str:
        """The product of a factor for i = 1, 2, ..., `last`; and how tightly the factor holds together."""

    @abstractmethod
    def call(self, name: str, args: Sequence[str]) -> str:
        """A function of some arguments."""

    @abstractmethod
    def brackets(self, text: str) -> str:
        """Something in brackets."""
