"""Teaching: what an optimizer did, shown (`ledger`) and said (`explain`). Not imported by ``import minidl``."""

from ._ledger.explain import explain
from ._ledger.ledger import ledger

__all__ = ["explain", "ledger"]
