"""The command ``minidl explain --gradient``: why one element of a gradient is what it is, in a real training."""

from typing import Any

import numpy as np

from .. import data, nn
from ..errors import OptionError
from ..system.terminal import tell
from ..train import fit
from ._backprop.receipt import Receipt, receipt
from ._ledger.sentences import Language
from .functions import START, bowl

Element = tuple[str, tuple[int, ...]]


def gradient_run(
    problem: str,
    kind: Any,
    hyperparameters: dict[str, Any],
    step: int,
    element: Element,
    batch: int,
    language: Language,
) -> None:
    """Train up to the step of that number, and print the receipt of the gradient that it uses."""
    asked = _descent if problem == "note-a" else _training
    with np.errstate(over="ignore", invalid="ignore"):  # as in a training that diverges
        tell(asked(kind, hyperparameters, step, element, batch).text(language=language))


def _descent(kind: Any, hyperparameters: dict[str, Any], step: int, element: Element, batch: int) -> Receipt:
    """In a descent down note A's function, in float64."""
    x = nn.Parameter(list(START), dtype="float64")
    optimizer = kind([x], **hyperparameters)
    for _ in range(step - 1):
        optimizer.zero_grad()
        bowl(x).backward()
        optimizer.step()
    return receipt(bowl(x), *element, {"x": x})


def enough_digits(steps: int, batch: int) -> tuple[data.Dataset, int]:
    """As many of MNIST's digits as `steps` batches want, and how often all have to be gone through for that."""
    digits = data.mnist()[0][: steps * batch]
    return digits, -(-steps // -(-len(digits) // batch))


def _training(kind: Any, hyperparameters: dict[str, Any], step: int, element: Element, batch: int) -> Receipt:
    """In a training on MNIST: the loss is asked while `fit` has it in hand."""
    model = nn.Sequential(nn.Dense(784, 32), nn.ReLU(), nn.Dense(32, 10))
    digits, epochs = enough_digits(step, batch)
    found: list[Receipt] = []
    calls = 0

    def loss(output: Any, labels: Any) -> Any:
        nonlocal calls
        calls += 1
        value = nn.softmax_cross_entropy(output, labels)
        if calls == step:
            found.append(receipt(value, *element, model))
        return value

    fit(
        model, digits, loss=loss, optimizer=kind(model.parameters(), **hyperparameters), epochs=epochs,
        batch_size=batch, progress=False, on_nonfinite="continue", guards=False, compile=False,
    )  # fmt: skip
    if not found:
        raise OptionError(f"step {step} was not reached")
    return found[0]
