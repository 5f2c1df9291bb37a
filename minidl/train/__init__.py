"""Training: the loop, what it reports, and models in files."""

from .callbacks import Callback, Run
from .checkpoint import load, save
from .history import History
from .loop import evaluate, fit
from .run_checkpoint import Checkpoint
from .stopping import EarlyStopping, GradientNorm, Target

__all__ = [
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "GradientNorm",
    "History",
    "Run",
    "Target",
    "evaluate",
    "fit",
    "load",
    "save",
]
