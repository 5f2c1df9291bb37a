"""Teaching: what an optimizer did, shown (`ledger`) and explained (`explain`). Not imported by ``import minidl``."""

from ._ledger.entry import Entry
from ._ledger.explain import explain
from ._ledger.ledger import Ledger, ledger

__all__ = ["Entry", "Ledger", "explain", "ledger"]
