"""Early stopping (note B 1.1): callbacks that end a `fit` before its last epoch.

Note B stops at "some criterion of convergence, for example that the loss no longer falls", or simply after
some epochs. The latter is `fit`'s `epochs`; the rest is here::

    fit(model, train, ..., epochs=100, validation=test, callbacks=[EarlyStopping(patience=5), GradientNorm(1e-3)])
"""

import math
from contextlib import nullcontext
from typing import Any

from ..backend import array_module
from ..checks import checked_integer
from ..errors import OptionError
from .callbacks import Callback, Run
from .monitoring import Mode, check_validation, sign_of, value_of


class EarlyStopping(Callback):
    """Stops once the validation loss, or another metric, has not become better for `patience` epochs in a row.

        it has become better if   loss < best - min_delta   (accuracy > best + min_delta)

    A number that is not finite is no better.

    Args:
        patience: epochs to wait, at least 1.
        min_delta: by how much it has to be better than the best one so far, at least 0.
        restore_best: however training ends, put the parameters and running statistics of the best epoch into the
            model, in place; the optimizer stays as it is. Needs one copy of the model.
        monitor: the metric: "validation_loss", "validation_accuracy", "loss", ..., or one of `fit`'s ``metrics=``.
        mode: "min" or "max", which way is better, for a metric of one's own; minidl's are known.

    Raises:
        OptionError: an argument is not allowed; from `fit`, before anything is trained, if it has no `validation`.

    Source: Prechelt 1998; note B 1.1.
    """

    def __init__(
        self,
        patience: int = 5,
        min_delta: float = 0.0,
        restore_best: bool = True,
        *,
        monitor: str = "validation_loss",
        mode: Mode | None = None,
    ) -> None:
        self.patience = checked_integer(patience, "EarlyStopping: patience (in epochs)", 1)
        self.min_delta = _finite_number("EarlyStopping", "min_delta", min_delta, least=0.0)
        self.restore_best = restore_best
        self.monitor, self._sign = monitor, sign_of("EarlyStopping", monitor, mode)

    def on_start(self, run: Run) -> None:
        """Begin anew: an earlier `fit` with this callback does not count."""
        check_validation("EarlyStopping", self.monitor, run)
        self.best, self.best_epoch, self.waited = self._sign * math.inf, 0, 0
        self._state: dict[str, Any] | None = None

    def on_epoch(self, run: Run) -> None:
        """Compare the epoch's metric with the best one so far."""
        value = value_of("EarlyStopping", self.monitor, run)
        if math.isfinite(value) and self._sign * value < self._sign * self.best - self.min_delta:
            self.best, self.best_epoch, self.waited = value, run.epoch, 0
            # What was validated: the averages of the weights, if the optimizer has such.
            with run.optimizer.averaged() if run.optimizer.averages else nullcontext():
                self._state = run.model.state_dict() if self.restore_best else None
            return
        self.waited += 1
        if self.waited >= self.patience:
            best = f"{self.best:.4g} in epoch {self.best_epoch}" if self.best_epoch else "none"
            moved = "fallen" if self._sign > 0 else "risen"
            run.stop(f"the {self.monitor.replace('_', ' ')} has not {moved} for {self.waited} epochs (best: {best})")

    def state_dict(self) -> dict[str, Any]:
        """The best value so far, the model that had it, and the wait."""
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited, "state": self._state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.best, self.best_epoch, self.waited = state["best"], state["best_epoch"], state["waited"]
        self._state = state["state"]

    def on_end(self, run: Run) -> None:
        """Restore the best epoch's values, unless that was the last."""
        if self._state is not None and self.best_epoch != run.epoch:
            run.model.load_state_dict(self._state)
        self._state = None


class GradientNorm(Callback):
    """Stops once the gradient is nearly zero, as it is at a minimum (and at a saddle point, and on a plateau).

        ‖g‖ = √(Σ g²) < threshold            over all parameters that have a gradient

    g is the gradient of a mini-batch: its norm goes on jumping where that of the whole set would be zero. Steps are
    made eagerly, and on a GPU each step waits for the norm.

    Args:
        threshold: of the norm, a finite number above 0.

    Raises:
        OptionError: the threshold is not allowed.

    Source: note B 1.1.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = _finite_number("GradientNorm", "threshold", threshold, above=0.0)

    def on_step(self, run: Run) -> None:
        """Compare the norm of the gradient that the update has just used."""
        gradients = [p.grad.data for p in run.model.parameters() if p.grad is not None]
        if not gradients:
            return  # nothing has arrived, which is not the same as zero
        total = sum(array_module(g).sum(g * g) for g in gradients)
        norm = math.sqrt(total.item())
        if norm < self.threshold:
            run.stop(f"the gradient's norm {norm:.4g} is below {self.threshold:g}")


class Target(Callback):
    """Stops at the end of the first epoch that reaches `value`: ``Target("validation_accuracy", 0.98)``.

    Args:
        metric: "loss", "accuracy", "validation_loss", "validation_accuracy", ..., or one of `fit`'s ``metrics=``.
        value: a finite number; an accuracy is reached from below, a loss from above.
        mode: "min" or "max", which way is better, for a metric of one's own; minidl's are known.

    Raises:
        OptionError: another metric or value; from `fit`, before anything is trained, for a validation metric if it has
            no `validation`; after the first epoch if it cannot measure the metric (the accuracy of a regression).
    """

    def __init__(self, metric: str, value: float, mode: Mode | None = None) -> None:
        self._sign = sign_of("Target", metric, mode)
        self.metric, self.value = metric, _finite_number("Target", "value", value)

    def on_start(self, run: Run) -> None:
        """Check that there is a validation set if the metric needs one."""
        check_validation(f"Target({self.metric!r})", self.metric, run)

    def on_epoch(self, run: Run) -> None:
        """Compare the epoch's metric with the target."""
        reached = value_of("Target", self.metric, run)
        if self._sign * reached <= self._sign * self.value:
            run.stop(f"{self.metric.replace('_', ' ')} {reached:.4g} has reached {self.value:g}")


def _finite_number(where: str, name: str, value: Any, least: float = -math.inf, above: float = -math.inf) -> float:
    """`value` as a float, if it is a finite number of at least `least` and above `above`. Raises `OptionError`."""
    number = not isinstance(value, bool) and isinstance(value, int | float)
    if not (number and math.isfinite(value) and value >= least and value > above):
        bound = f" >= {least:g}" if least > -math.inf else f" > {above:g}" if above > -math.inf else ""
        raise OptionError(f"{where}: {name}={value!r}: {name} must be a finite number{bound}")
    return float(value)
