"""The command ``minidl explain``: a few steps of a real training, one of them shown and explained."""

from typing import Any

import numpy as np

from .. import data, nn
from ..backend import seed as start_seed
from ..errors import OptionError
from ..optim.by_name import find_rule, setting
from ..system.terminal import tell
from ..train import fit
from ._ledger.entry import Entry
from ._ledger.explain import explain
from ._ledger.ledger import Ledger, ledger
from ._ledger.sentences import Language
from .functions import START, bowl
from .gradient_command import gradient_run
from .notation.letters import Alphabet

_BATCH = 128


def explain_run(
    problem: str, optimizer_name: str, lr: float | None, settings: tuple[str, ...], steps: int, at: int | None,
    element: str | None, gradient: str | None, letters: Alphabet, language: Language, notation: str, seed: int,
) -> None:  # fmt: skip
    """Execute ``minidl explain``: its options, by name."""
    kind = find_rule(optimizer_name)
    hyperparameters = {**dict(map(setting, settings)), **({} if lr is None else {"lr": lr})}
    at = steps if at is None else at
    if at > steps:
        raise OptionError(f"--at {at}: there are only {steps} steps (--steps)")
    start_seed(seed)
    asked = _elements(gradient)
    if asked is not None:
        gradient_run(problem, kind, hyperparameters, at, asked[0], _BATCH, language)
        return
    trained = _descent if problem == "note-a" else _training
    with np.errstate(over="ignore", invalid="ignore"):  # a training that diverges can be explained too
        book = trained(kind, hyperparameters, steps, element)
    _show(book.at(at), letters, language, notation)


def _descent(kind: Any, hyperparameters: dict[str, Any], steps: int, element: str | None) -> Ledger:
    """`steps` steps down note A's function, in float64."""
    x = nn.Parameter(list(START), dtype="float64")
    optimizer = kind([x], **hyperparameters)
    book = ledger(optimizer, _elements(element), names={"x": x})
    for _ in range(steps):
        optimizer.zero_grad()
        bowl(x).backward()
        optimizer.step()
    return book


def _training(kind: Any, hyperparameters: dict[str, Any], steps: int, element: str | None) -> Ledger:
    """`steps` batches of MNIST through a small network."""
    model = nn.Sequential(nn.Dense(784, 32), nn.ReLU(), nn.Dense(32, 10))
    optimizer = kind(model.parameters(), **hyperparameters)
    book = ledger(elements=_elements(element))
    train = data.mnist()[0][: steps * _BATCH]
    fit(
        model, train, optimizer=optimizer, epochs=1, batch_size=_BATCH, callbacks=[book], progress=False,
        on_nonfinite="continue", guards=False,
    )  # fmt: skip
    return book


def _show(entry: Entry, letters: Alphabet, language: Language, notation: str) -> None:
    if notation == "latex":
        tell(entry.latex(letters))
    elif notation == "mathml":
        tell(entry.mathml(letters))
    else:
        from rich.console import Console

        Console(highlight=False, soft_wrap=True).print(entry.rich(letters))
        tell("\n" + explain(entry, language, letters))


def _elements(element: str | None) -> list[tuple[str, tuple[int, ...]]] | None:
    """``layers.0.weight:350,7`` as a ledger wants it."""
    if element is None:
        return None
    name, _, index = element.partition(":")
    try:
        return [(name, tuple(int(number) for number in index.split(",")))]
    except ValueError as error:
        raise OptionError(f"{element!r}: write PARAMETER:INDEX, such as {name}:0 or {name}:3,7") from error
