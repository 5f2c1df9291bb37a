"""A list of layers."""

from collections.abc import Iterable, Iterator
from reprlib import recursive_repr
from typing import Any, Self

from ..errors import OptionError
from ._module import Module, members_of, shown


class ModuleList(Module):
    """Layers that a ``forward`` of your own calls one by one. Indexing, ``len`` and iteration see them.

        class Deep(nn.Module):
            def __init__(self):
                self.blocks = nn.ModuleList(nn.Dense(64, 64) for _ in range(8))

            def forward(self, x):
                for block in self.blocks:
                    x = x + minidl.tanh(block(x))
                return x

    A plain list of layers as an attribute is found as well. `Sequential` calls its layers itself.

    Args:
        layers: each a Module, or any function of one Tensor. One that is given twice is shared, not copied.

    Raises:
        OptionError: for something that cannot be called.
    """

    def __init__(self, layers: Iterable[Any] = ()) -> None:
        self.layers: list[Any] = []
        self.extend(layers)

    def append(self, layer: Any) -> Self:
        """Add a layer at the end; an optimizer that was made before does not hold its parameters."""
        return self.extend([layer])

    def extend(self, layers: Iterable[Any]) -> Self:
        """Add several layers at the end."""
        new = list(layers)
        for i, layer in enumerate(new, len(self.layers)):
            if not callable(layer) or isinstance(layer, type):
                hint = f": write {layer.__name__}()" if isinstance(layer, type) else ""
                raise OptionError(f"{type(self).__name__}: layer {i} is not a layer or function but {layer!r}{hint}")
        self.layers += new
        return self

    @recursive_repr()
    def __repr__(self) -> str:
        others = [(n, m) for n, m in members_of(self, Module) if m is not self and not n.startswith("layers.")]
        return shown(self, [*[(f"layers.{i}", layer) for i, layer in enumerate(self.layers)], *others])

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return ModuleList(self.layers[index]) if isinstance(index, slice) else self.layers[index]
