"""Training: the loop, what it reports, and models in files."""

from .callbacks import Callback, Run
from .find_lr import LearningRates, find_lr
from .history import History
from .judging import Report, classification_report, confusion_matrix, top_k_accuracy
from .last import last_history
from .live_curve import LiveCurve
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
    "LiveCurve",
    "Report",
    "Run",
    "Target",
    "TensorBoard",
    "classification_report",
    "confusion_matrix",
    "evaluate",
    "find_lr",
    "fit",
    "last_history",
    "load",
    "predict",
    "save",
    "top_k_accuracy",
]
