"""Training: the loop, what it reports, and models in files."""

from .callbacks import Callback, Run
from .checkpoint import load, save
from .history import History
from .loop import evaluate, fit
from .stopping import EarlyStopping, GradientNorm, Target

__all__ = ["Callback", "EarlyStopping", "GradientNorm", "History", "Run", "Target", "evaluate", "fit", "load", "save"]
