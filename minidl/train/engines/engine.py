"""What an engine is."""

from typing import Protocol


class Engine(Protocol):
    """What makes the steps of a run. It reads weights, state and counts where they are when it is called."""

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""
