"""One step, shown and said: what the ledger keeps of it, and the sentences of `explain`."""
