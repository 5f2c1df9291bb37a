"""One optimizer step, shown and explained: the ledger's entries, and the sentences of `explain`."""
