"""Training: the loop, what it reports, and models in files."""

from .callbacks import Callback, Run
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
    "Run",
    "Target",
    "TensorBoard",
    "evaluate",
    "fit",
    "load",
    "predict",
    "save",
]
