"""From a rule's equation to the calls that carry it out over flat vectors."""
