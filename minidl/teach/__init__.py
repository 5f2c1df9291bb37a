"""Teaching: what an optimizer did, shown (`ledger`) and said (`explain`). Not imported by ``import minidl``."""

from .entry import Entry
from .explain import explain
from .ledger import Ledger, ledger

__all__ = ["Entry", "Ledger", "explain", "ledger"]
