"""Teaching: what an optimizer did (`ledger`, `explain`), why a gradient is what it is (`graph`,
`receipt`), and a training that goes back (`Timeline`).

Not imported by ``import minidl``.
"""

from ._backprop.graph import Graph, graph
from ._backprop.receipt import Receipt, receipt
from ._check.verdict import Verdict, check
from ._flow import Flow, flow
from ._ledger.entry import Entry
from ._ledger.explain import explain
from ._ledger.ledger import Ledger, ledger
from ._race import Race, race
from ._timeline import Timeline

__all__ = [
    "Entry",
    "Flow",
    "Graph",
    "Ledger",
    "Race",
    "Receipt",
    "Timeline",
    "Verdict",
    "check",
    "explain",
    "flow",
    "graph",
    "ledger",
    "race",
    "receipt",
]
