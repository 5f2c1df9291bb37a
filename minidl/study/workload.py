"""The trainings of `minidl sweep`: a multilayer perceptron, a rule, and settings of both."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from .. import optim
from ..backend import seed as start_seed
from ..data import Dataset, Loader
from ..data.by_name import find_dataset
from ..errors import OptionError
from ..nn._mlp import mlp
from ..optim.by_name import find_rule
from ..train.loop import fit

# The settings of a trial that are no hyperparameters of its rule.
FIXED = "optimizer", "lr", "dataset", "layers", "batch_size", "epochs", "schedule", "samples", "validation"


@cache
def split_data(name: str, validation: int, samples: int | None) -> tuple[Dataset, Dataset]:
    """What to train on, at most `samples`, and what to validate on, the last `validation` of the training set.

    The test set is not looked at. Raises `DataError`, `OptionError`.
    """
    train, _ = find_dataset(name)
    left = len(train) - validation
    if left < 1 or (samples is not None and samples > left):
        raise OptionError(f"{train.name} has {len(train)} samples: that leaves {left} to train on beside {validation}")
    return train[: left if samples is None else samples], train[left:]


def hyperparameters(config: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the rule."""
    return {name: value for name, value in config.items() if name not in FIXED}


def check(config: Mapping[str, Any]) -> None:
    """Raise `OptionError` for settings that no trial could have, `DataError` if there are no data."""
    find_rule(config["optimizer"]).rule(**hyperparameters(config))
    split_data(config["dataset"], config["validation"], config["samples"])


def train_mlp(config: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train as `config` says; what was measured on the validation data after the last epoch, and after each."""
    train, validation = split_data(config["dataset"], config["validation"], config["samples"])
    start_seed(seed)
    model = mlp(train.inputs.shape[1], config["layers"], len(train.classes))
    loader = Loader(train, config["batch_size"])
    lr, steps = config["lr"], config["epochs"] * len(loader)
    falling = {"linear": optim.schedules.linear(lr, None, steps), "cosine": optim.schedules.cosine(lr, steps)}
    optimizer = find_rule(config["optimizer"])(
        model.parameters(), lr=falling.get(config["schedule"], lr), **hyperparameters(config)
    )
    history = fit(
        model, loader, optimizer=optimizer, epochs=config["epochs"], validation=validation, progress=False,
        guards=False, threads=1,
    )  # fmt: skip
    last = history[-1]
    return {
        "validation_loss": last["validation_loss"],
        "validation_accuracy": last["validation_accuracy"],
        "loss": last["loss"],
        "validation_losses": history["validation_loss"],
    }
