"""Teaching: what an optimizer did (`ledger`, `explain`), and why a gradient is what it is (`graph`, `receipt`).

Not imported by ``import minidl``.
"""

from ._backprop.graph import Graph, graph
from ._backprop.receipt import Receipt, receipt
from ._ledger.entry import Entry
from ._ledger.explain import explain
from ._ledger.ledger import Ledger, ledger

__all__ = ["Entry", "Graph", "Ledger", "Receipt", "explain", "graph", "ledger", "receipt"]
