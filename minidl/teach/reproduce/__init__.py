"""The two lecture notes, run: every number, figure, equation and claim in them is a row, made again by minidl.

registry.py says what a row is; passages.toml holds the notes' own words; run.py and report.py make and show
the rows, which the other modules hold.
"""

from importlib import import_module

from .registry import ROWS, Check, Result, Row
from .run import listing, reproduce

__all__ = ["ROWS", "Check", "Result", "Row", "listing", "reproduce"]

_ON_NOTE_A = "numbers descents memory adaptive batches comparisons"
_ON_NOTE_B = "momentum learning_rates initialisation batchnorm keras protocols"
for module in f"{_ON_NOTE_A} {_ON_NOTE_B} stability errata errata_training disagreements".split():
    import_module(f".{module}", __name__)  # each enters its rows into ROWS
