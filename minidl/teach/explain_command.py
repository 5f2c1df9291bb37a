"""The command ``minidl explain``: a few steps of a real training, one of them explained, or all in a table."""

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..backend import seed as start_seed
from ..display.figures import style
from ..errors import OptionError
from ..optim.by_name import find_rule, setting
from ..system.terminal import tell
from ..train import fit
from ._ledger.entry import Entry
from ._ledger.explain import explain
from ._ledger.ledger import Ledger, ledger
from ._ledger.sentences import Decimal, Language
from .functions import CURVATURES, START, bowl
from .gradient_command import enough_digits, gradient_run
from .notation.letters import Alphabet
from .notation.notes import Note, convention

_BATCH = 128
_STEPS = 10  # if none are asked for


def explain_run(
    problem: str, optimizer_name: str, lr: float | None, settings: tuple[str, ...], steps: int | None, at: int | None,
    first: int | None, last: int | None, picture: Path | None, element: str | None, gradient: str | None,
    note: Note | None, letters: Alphabet, language: Language, decimal: str | None, notation: str, seed: int,
) -> None:  # fmt: skip
    """Execute ``minidl explain``: its options, by name."""
    kind = find_rule(optimizer_name)
    given = {**dict(map(setting, settings)), **({} if lr is None else {"lr": lr})}
    hyperparameters = given if note is None else convention(kind.rule, note) | given
    steps = steps or max(at or 0, last or 0) or max(_STEPS, first or 0)
    _check({"--at": at, "--from": first, "--to": last}, steps, picture)
    if note is not None and letters not in ("code", note):
        raise OptionError(f"--note {note} --letters {letters}: a note has its own letters; give one of them")
    start_seed(seed)
    at = steps if at is None else at
    asked = _elements(gradient)
    if asked is not None:
        gradient_run(problem, kind, hyperparameters, at, asked[0], _BATCH, language)
        return
    trained = _descent if problem == "note-a" else _training
    with np.errstate(over="ignore", invalid="ignore"):  # a training that diverges can be explained too
        book = trained(kind, hyperparameters, steps, element)
    sign: dict[str | None, Decimal | None] = {None: None, "point": ".", "comma": ","}
    shown: dict[str, Any] = {"letters": letters, "note": note, "language": language, "decimal": sign[decimal]}
    if picture is not None:
        _draw(book, picture, first or 1, last or steps, shown)
    if first is not None or last is not None:
        tell(book.table(first or 1, last or steps, **shown))
    else:
        _show(book.at(at), shown, notation, problem)


def _check(asked: dict[str, int | None], steps: int, picture: Path | None) -> None:
    """Raise `OptionError` for steps that there are not, and a picture in no format."""
    first, last = asked["--from"], asked["--to"]
    if first is not None and last is not None and first > last:
        raise OptionError(f"--from {first} --to {last}: the first step comes after the last")
    for name, step in asked.items():
        if step is not None and step > steps:
            raise OptionError(f"{name} {step}: there are only {steps} steps (--steps)")
    if picture is not None and picture.suffix not in (".svg", ".png"):
        raise OptionError(f"--picture {picture}: call it something.svg or something.png")


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
    """At least `steps` batches of MNIST through a small network."""
    model = nn.Sequential(nn.Dense(784, 32), nn.ReLU(), nn.Dense(32, 10))
    optimizer = kind(model.parameters(), **hyperparameters)
    book = ledger(elements=_elements(element))
    digits, epochs = enough_digits(steps, _BATCH)
    fit(
        model, digits, optimizer=optimizer, epochs=epochs, batch_size=_BATCH, callbacks=[book], progress=False,
        on_nonfinite="continue", guards=False,
    )  # fmt: skip
    return book


def _show(entry: Entry, shown: dict[str, Any], notation: str, problem: str) -> None:
    markup = {"letters": shown["letters"], "note": shown["note"], "decimal": shown["decimal"] or "."}
    if notation == "latex":
        tell(entry.latex(**markup))
    elif notation == "mathml":
        tell(entry.mathml(**markup))
    else:
        from rich.console import Console

        Console(highlight=False, soft_wrap=True).print(entry.rich(**shown))
        curvature = (
            dict(zip(("x[0]", "x[1]"), CURVATURES, strict=True)).get(entry.where) if problem == "note-a" else None
        )
        tell("\n" + explain(entry, **shown, curvature=curvature))


def _draw(book: Ledger, path: Path, first: int, last: int, shown: dict[str, Any]) -> None:
    """Draw the steps into a file."""
    figure = book.plot(first, last, **{name: value for name, value in shown.items() if name != "decimal"})
    with style():
        try:
            figure.savefig(path, dpi=200, **({"metadata": {"Date": None}} if path.suffix == ".svg" else {}))
        except OSError as error:
            raise OptionError(f"--picture {path}: {error.strerror}") from error


def _elements(element: str | None) -> list[tuple[str, tuple[int, ...]]] | None:
    """``layers.0.weight:350,7`` as a ledger wants it."""
    if element is None:
        return None
    name, _, index = element.partition(":")
    try:
        return [(name, tuple(int(number) for number in index.split(",")))]
    except ValueError as error:
        raise OptionError(f"{element!r}: write PARAMETER:INDEX, such as {name}:0 or {name}:3,7") from error
