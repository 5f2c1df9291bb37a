"""Training: the loop, what it reports, and models in files."""

from .callbacks import Callback, Run
from .find_lr import LearningRates, find_lr
from .history import History
from .loop import evaluate, fit
from .predicting import predict
from .saving.checkpoints import Checkpoint
from .saving.model_file import load, save
from .stopping import EarlyStopping, GradientNorm, Target
from .tensorboard import TensorBoard

__all__ = [
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "GradientNorm",
    "History",
    "LearningRates",
    "Run",
    "Target",
    "TensorBoard",
    "evaluate",
    "find_lr",
    "fit",
    "load",
    "predict",
    "save",
]
