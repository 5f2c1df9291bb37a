"""Multilayer perceptrons as scikit-learn's estimators, for its pipelines, searches and metrics (extra ``sklearn``).

Parameters and attributes have scikit-learn's names where they mean what they mean there.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from . import nn, train
from .backend import own_streams, restore_rng, rng_state, seed
from .checks import checked_integer
from .data import Dataset
from .errors import LabelError, OptionError
from .nn._mlp import ACTIVATIONS, mlp
from .ops import log_softmax, softmax
from .optim.by_name import find_rule
from .system.extras import missing_extra

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise missing_extra("minidl.sklearn needs scikit-learn", "sklearn", "sklearn", error) from error

__all__ = ["MLPClassifier", "MLPRegressor"]

_BY_NAME = {name: name for name in ACTIVATIONS} | {"logistic": "sigmoid"}  # which is scikit-learn's name


class _MLP(BaseEstimator):
    """What the two estimators share: all but what belongs to a sample."""

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        activation: str = "relu",
        *,
        optimizer: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        dropout: float = 0.0,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.dropout = dropout
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Train on `X`, (n, features), and `y`, at most `max_iter` times over; returns self.

        Begins anew, but with ``warm_start=True``, which goes on from the weights of the fit before.
        """
        again = self.warm_start and hasattr(self, "model_")
        X, y = self._checked(X, y, again)
        if not again:
            self._begin(X)
        epochs = checked_integer(self.max_iter, "max_iter", 1)
        samples, validation = (X, y), None
        if self.early_stopping:
            X, X_held_out, y, y_held_out = train_test_split(
                X, y, test_size=self.validation_fraction, random_state=self._random, stratify=self._strata(y)
            )
            samples, validation = (X, y), self._dataset(X_held_out, y_held_out)
            stop: train.Callback = train.EarlyStopping(self.n_iter_no_change, self.tol)
        else:
            stop = _Converged(self.tol, self.n_iter_no_change)
        self._optimizer = self._fresh_optimizer(len(samples[0]))
        if self._train(*samples, epochs=epochs, validation=validation, callbacks=[stop]) == epochs:
            warnings.warn(
                f"{type(self).__name__}: the loss was still falling after max_iter={epochs} epochs",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _pass(self, X: np.ndarray, y: np.ndarray, again: bool) -> Self:
        """One more epoch, with the optimizer of the one before."""
        if not again:
            self._begin(X)
        if self._optimizer is None:
            self._optimizer = self._fresh_optimizer(len(X))
        self._train(X, y, epochs=1)
        return self

    def _begin(self, X: np.ndarray) -> None:
        """A new model, and nothing learnt."""
        if self.activation not in _BY_NAME:
            raise OptionError(f"activation={self.activation!r}: choose one of {', '.join(_BY_NAME)}")
        self._random = check_random_state(self.random_state)
        self._optimizer = None
        hidden = [checked_integer(size, "hidden_layer_sizes", 1) for size in np.atleast_1d(self.hidden_layer_sizes)]
        with self._seeded():
            model = mlp(X.shape[1], hidden, self.n_outputs_, _BY_NAME[self.activation], dropout=self.dropout)
        self.model_, self.n_iter_ = model.eval(), 0
        self.loss_curve_: list[float] = []

    def _fresh_optimizer(self, samples: int) -> Any:
        """An optimizer over the model, which adds alpha/batch_size times a weight to its gradient, as scikit-learn."""
        named = list(self.model_.named_parameters())
        decay = self.alpha / self._batch(samples)
        weights = {"params": [p for name, p in named if name.endswith("weight")], "weight_decay": decay}
        others = {"params": [p for name, p in named if not name.endswith("weight")], "weight_decay": 0.0}
        return find_rule(self.optimizer)([weights, others], lr=self.learning_rate_init)

    def _batch(self, samples: int) -> int:
        """How many samples an update is made of."""
        size = 200 if self.batch_size == "auto" else checked_integer(self.batch_size, "batch_size", 1)
        return min(size, samples)

    def _train(self, X: np.ndarray, y: np.ndarray, **options: Any) -> int:
        """`train.fit`, its history added to what was before; returns how many epochs there were."""
        with self._seeded():
            self.history_ = train.fit(
                self.model_,
                self._dataset(X, y),
                optimizer=self._optimizer,
                loss=self._loss,
                batch_size=self._batch(len(X)),
                progress=bool(self.verbose),
                **options,
            )
        self.loss_curve_ += self.history_["loss"]
        self.loss_ = self.loss_curve_[-1]
        self.n_iter_ += len(self.history_)
        return len(self.history_)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """A block that draws from minidl's streams as `random_state` has it, and leaves them as they were."""
        with own_streams():
            before = rng_state()
            seed(int(self._random.randint(2**31)))
            try:
                yield
            finally:
                restore_rng(before)

    def _outputs(self, X: Any) -> np.ndarray:
        """What the model gives, (n, n_outputs_): in float64, so that a sample's do not depend on those beside it."""
        check_is_fitted(self, "model_")
        return train.predict(self.model_, validate_data(self, X, dtype=np.float64, reset=False))

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, (in, out)."""
        return [p.numpy() for name, p in self.model_.named_parameters() if name.endswith("weight")]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The bias of each layer."""
        return [p.numpy() for name, p in self.model_.named_parameters() if name.endswith("bias")]


class MLPClassifier(ClassifierMixin, _MLP):
    """A classifier with softmax outputs, trained by `train.fit`: in compiled steps, in machine code with ``fast``.

    It trains in float32 and predicts in float64, and takes numbers as they are: scale them (StandardScaler; pixels by
    1/255).

    Args:
        hidden_layer_sizes: of the layers between inputs and outputs; () for logistic regression.
        activation: "relu", "leaky_relu", "tanh", or "logistic" (also called "sigmoid").
        optimizer: a name in `minidl.optim`, in any case, with its defaults: "adam", "momentum", "nadam", ...
        alpha: weights (not biases) are drawn to zero: alpha/batch_size times a weight is added to its gradient.
        batch_size: samples for an update, "auto" for 200; all there are, if they are fewer.
        learning_rate_init: of the optimizer; a number, or a schedule of `minidl.optim.schedules`.
        dropout: the share of each hidden layer that is dropped in training.
        max_iter: epochs at most; a ConvergenceWarning tells that they were all used.
        tol: training ends once the loss has not fallen by so much for
        n_iter_no_change: epochs in a row.
        early_stopping: watch the loss (not the score) on samples that are held out, instead of the training's, and
            keep the weights of the best epoch.
        validation_fraction: the share that is held out for it, of each class if there are enough samples.
        warm_start: `fit` goes on from where the last one ended.
        random_state: of initial weights, order, dropout and held-out samples: an integer, a RandomState, or None for
            NumPy's own. minidl's streams (`minidl.seed`) stay as they are.
        verbose: show `fit`'s progress.

    Attributes:
        classes_: the labels, sorted.
        model_: the trained `nn.Sequential`, for `minidl.save`, `minidl.export` and the rest of minidl.
        history_: the `History` of the last fit.
        loss_curve_: the loss of each epoch in all fits and passes that led here.
        loss_: the last of them.
        n_iter_: their number.

    Raises:
        ValueError: in `fit`, for parameters and samples outside what is allowed (minidl's own errors are ValueErrors).
    """

    _loss = staticmethod(nn.softmax_cross_entropy)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train one more epoch, on these samples; `classes`, all there will ever be, are told in the first call."""
        again = hasattr(self, "model_")
        if not again and classes is None:
            raise OptionError("partial_fit: tell all classes in the first call: classes=numpy.unique(labels)")
        return self._pass(*self._checked(X, y, again, classes), again)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest label of each sample, (n,)."""
        likeliest = self._outputs(X).argmax(axis=1)
        return self.classes_[likeliest]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (n, classes), in the order of `classes_`."""
        return softmax(self._outputs(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`, finite where that is zero in floating point."""
        return log_softmax(self._outputs(X))

    def _checked(self, X: Any, y: Any, again: bool, classes: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """`X` as float32 and `y` as numbers of classes."""
        X, y = validate_data(self, X, y, dtype=np.float32, reset=not again)
        check_classification_targets(y)
        if not again:
            self.classes_ = np.unique(y if classes is None else classes)
            self.n_outputs_ = len(self.classes_)
        if self.n_outputs_ < 2:
            raise LabelError(f"MLPClassifier: all samples are of one class, {self.classes_}: nothing can be learnt")
        unknown = y[~np.isin(y, self.classes_)]
        if len(unknown):
            raise LabelError(f"MLPClassifier: {unknown[:1]} is not among the classes it began with: {self.classes_}")
        return X, np.searchsorted(self.classes_, y)

    def _dataset(self, X: np.ndarray, y: np.ndarray) -> Dataset:
        return Dataset(X, y, name=type(self).__name__, classes=list(self.classes_))

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """What the held-out samples have the same shares of as the rest: the classes, if there are enough of each."""
        _, counts = np.unique(y, return_counts=True)
        return y if counts.min() > 1 and self.validation_fraction * len(y) >= len(counts) else None


class MLPRegressor(RegressorMixin, _MLP):
    """A regression by the squared error, trained by `train.fit`; parameters and attributes are `MLPClassifier`'s.

    ``loss_curve_`` holds mean squared errors (scikit-learn's own: half of them). Targets may be (n,) or (n, outputs),
    and are taken as they are: far from zero they take long to learn (TransformedTargetRegressor).
    """

    _loss = staticmethod(nn.mean_squared_error)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Train one more epoch, on these samples."""
        again = hasattr(self, "model_")
        return self._pass(*self._checked(X, y, again), again)

    def predict(self, X: Any) -> np.ndarray:
        """What is expected of each sample, (n,), or (n, outputs) for more than one."""
        y = self._outputs(X)
        return y.ravel() if self.n_outputs_ == 1 else y

    def _checked(self, X: Any, y: Any, again: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, dtype=np.float32, multi_output=True, y_numeric=True, reset=not again)
        if not again:
            self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        return X, y.astype(np.float32)

    def _dataset(self, X: np.ndarray, y: np.ndarray) -> Dataset:
        return Dataset(X, y, name=type(self).__name__)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return None


class _Converged(train.Callback):
    """Ends training once the training's loss has not fallen by `tol` for so many epochs, as scikit-learn does."""

    def __init__(self, tol: float, epochs: int) -> None:
        self.tol, self.epochs = tol, epochs
        self.best, self.waited = math.inf, 0

    def on_epoch(self, run: train.Run) -> None:
        """Compare the epoch's loss with the best one so far."""
        loss = run.history[-1]["loss"]
        self.waited = 0 if loss < self.best - self.tol else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited >= self.epochs:
            run.stop(f"the loss has not fallen by {self.tol:g} for {self.waited} epochs")
