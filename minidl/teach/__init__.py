"""Teaching: what an optimizer did, shown (`ledger`) and said (`explain`). Not imported by ``import minidl``."""

from .explain import explain
from .ledger import ledger

__all__ = ["explain", "ledger"]
