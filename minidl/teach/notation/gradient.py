"""∇J(θ) in an expression: an operation that says where the gradient was taken, and whose value is what arrived."""

from dataclasses import dataclass
from typing import Any

from ...optim.symbols import Symbol, apply


@dataclass(frozen=True)
class Gradient:
    """The gradient of the function called `objective`, as the operation of a Symbol: of the point, and of g."""

    objective: str

    @property
    def __name__(self) -> str:
        return f"∇{self.objective}"

    def __call__(self, at: Any, g: Any) -> Any:
        return g

    def taken(self, at: Symbol, g: Symbol) -> Symbol:
        """The Symbol for it: `at` a point, `g` being what it is."""
        return apply(self, at, g)
