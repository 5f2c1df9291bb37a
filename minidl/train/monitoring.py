"""Which of two numbers is the better one: for callbacks that watch a metric."""

from typing import Literal, TypeAlias

from ..errors import OptionError
from .callbacks import Run

Mode: TypeAlias = Literal["min", "max"]
_MODES: dict[str, Mode] = {
    "loss": "min",
    "accuracy": "max",
    "exact_match": "max",
    "mean_absolute_error": "min",
    "r2": "max",
}


def sign_of(where: str, metric: str, mode: Mode | None) -> int:
    """1 for a metric of which less is better, -1 for one of which more is.

    Raises `OptionError`, which begins with `where`, if that is not known.
    """
    if mode not in (None, "min", "max"):
        raise OptionError(f"{where}: mode={mode!r}: choose 'min', for what is to fall, or 'max'")
    mode = mode or _MODES.get(str(metric).removeprefix("validation_"))
    if mode is None:
        names = ", ".join(map(repr, _MODES))
        raise OptionError(
            f"{where}: unknown metric {metric!r}: choose one of {names}, or such with 'validation_' before it; of a "
            f"metric of your own say what is better, mode='min' or mode='max'"
        )
    return 1 if mode == "min" else -1


def value_of(where: str, metric: str, run: Run) -> float:
    """The metric of the epoch that has just ended. Raises `OptionError` if this training does not measure it."""
    row = run.history[-1]
    if metric not in row:
        raise OptionError(f"{where}: this training measures no {metric}, only {', '.join(row)}")
    return float(row[metric])


def check_validation(where: str, metric: str, run: Run) -> None:
    """Raise `OptionError` for a metric of validation if there is none."""
    if metric.startswith("validation") and run.validation is None:
        raise OptionError(f"{where} watches the validation set: give fit one, as validation=")
