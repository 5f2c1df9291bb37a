"""The two lecture notes, run: every number, figure, equation and claim in them is a row, made again by minidl.

registry.py says what a row is; passages.toml holds the notes' own words; command.py and report.py make and show
the rows, which the modules in rows/ hold.
"""

from importlib import import_module

from .command import listing, reproduce
from .registry import ROWS, Check, Result, Row

__all__ = ["ROWS", "Check", "Result", "Row", "listing", "reproduce"]

_ON_NOTE_A = (
    "printed_numbers descent_pictures averages adaptive_rules rare_feature minibatches comparisons generalisation"
)
_ON_NOTE_B = "momentum learning_rates initialisation batch_norm keras_equivalents tuning_protocols three_networks"
_SAID_BY_B = "batch_norm_effects starts_and_scales"
_ON_BOTH = "stability errata_optimizers errata_adaptive errata_batches errata_words disagreements"
for module in f"{_ON_NOTE_A} {_ON_NOTE_B} {_SAID_BY_B} {_ON_BOTH}".split():
    import_module(f".rows.{module}", __name__)  # each enters its rows into ROWS
