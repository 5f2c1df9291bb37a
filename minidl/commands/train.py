"""The command ``minidl train``: a whole run, saved in a folder."""

import platform
import shlex
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import data, optim
from ..backend import Backend, use_backend
from ..backend import seed as start_seed
from ..data import Loader
from ..data.by_name import find_dataset
from ..data.loader import BatchSize
from ..errors import DataError, DeviceMemoryError, OptionError, WriteError
from ..nn import Module
from ..nn._mlp import mlp
from ..optim.by_name import find_rule
from ..system.terminal import printable, tell
from ..train.engines.nonfinite import Action
from ..train.find_lr import find_lr as tried_rates
from ..train.learning_curve import learning_curve
from ..train.loop import evaluate, fit
from ..train.progress import say
from ..train.saving.checkpoints import Checkpoint
from ..train.saving.model_file import save
from ..train.signals import SIGPIPE, deferring
from ..train.stopping import EarlyStopping
from .options import hyperparameters
from .ranks import again
from .run_config import CONFIG, Reader, read_config, write_config
from .run_folder import CHECKPOINTS, begin

MODEL = "model.safetensors"
AUGMENTED = {"shift": 2, "rotate": 10, "scale": 0.1, "elastic": 20}  # pixels, degrees, a share, and Simard's alpha


def train_run(
    dataset: str, layers: tuple[int, ...], activation: str, batch_norm: str, dropout: float, augment: bool,
    optimizer_name: str, lr: float | None, schedule: str, settings: str, weight_decay: float | None,
    ema: float | None, clip_norm: float | None, batch_size: BatchSize, accumulate: int, early_stopping: int | None,
    epochs: int, seed: int, validation: int, threads: int | None, backend: Backend, on_nonfinite: Action,
    guards: bool, quiet: bool, checkpoint_every: str, output: Path | None, find_lr: bool = False, *,
    resumed: bool = False, parallel: Any = None,
) -> None:  # fmt: skip
    """Execute ``minidl train``: its options, by name; `resumed`: go on with the run in the folder `output`.

    `parallel`: the communicator, if this process is one of several.
    """
    options = {k: v for k, v in locals().items() if k not in ("resumed", "find_lr", "parallel")}
    config = {k: str(v) if isinstance(v, Path) else v for k, v in options.items()}
    start = time.perf_counter()
    rule = find_rule(optimizer_name)
    use_backend(backend)
    start_seed(seed)
    train, test = find_dataset(dataset)
    if not len(train):
        raise DataError(f"--dataset {dataset}: {train.name} is empty: there is nothing to train on")
    if validation >= len(train):
        raise OptionError(f"--validation {validation}: the training set has only {len(train)} samples")
    if early_stopping and not validation:
        raise OptionError("--early-stopping needs samples to validate on: give --validation a number of them")
    train, held_out = train[: len(train) - validation], train[len(train) - validation :]
    if augment:
        train = train.with_transform(data.Augment(**AUGMENTED, shape=train.shape))
    model = mlp(train.inputs.shape[1], layers, len(train.classes), activation, batch_norm, dropout)
    loader = Loader(train, batch_size)
    steps = epochs * -(-len(loader) // accumulate)
    lr = rule.rule.lr if lr is None else lr
    rates: dict[str, Any] = {"constant": optim.schedules.constant(lr)}
    if steps:
        rates |= {"linear": optim.schedules.linear(lr, None, steps), "cosine": optim.schedules.cosine(lr, steps)}
    params = model.parameters() if weight_decay is None else optim.decay_groups(model, weight_decay)
    optimizer = rule(params, lr=rates[schedule] if steps else lr, ema=ema, **hyperparameters(settings))
    if find_lr:
        if parallel is not None:
            raise OptionError("--find-lr is for one process: leave out --ranks, or --parallel")
        show_rates(model, loader, optimizer, output)
        return
    make = partial(begin, output, dataset, _config_record(config, lr))
    folder = output if resumed and output else make() if parallel is None else Path(parallel.path_by_first(make))
    checkpoints = Checkpoint(folder / CHECKPOINTS, checkpoint_every)
    resume = again(parallel, f"minidl train --resume {shlex.quote(str(folder))}")
    if parallel is not None:
        parallel.note_remedy(resume)
    with _resume_hint(folder, resume, checkpoints), deferring(SIGPIPE):
        if not quiet:
            sizes = f"{len(train):,} samples to train on, {len(held_out):,} held out, {len(test):,} to test on"
            say(f"{train.name}: {sizes}")
            say(model.summary())
        history = fit(
            model, loader, optimizer=optimizer, epochs=epochs, validation=held_out if validation else None,
            callbacks=[EarlyStopping(early_stopping)] if early_stopping else [], progress=not quiet, threads=threads,
            checkpoint=checkpoints, resume=resumed, on_nonfinite=on_nonfinite, guards=guards, clip_norm=clip_norm,
            accumulate=accumulate, parallel=parallel,
        )  # fmt: skip
        if parallel is not None and parallel.rank:
            return  # rank 0 writes
        result = evaluate(model, test)
        history.save(folder / "history.jsonl")
        outcome = {"engine": [row.get("engine") for row in history.rows], "reason": history.reason}
        write_config(folder, _config_record(config, lr) | outcome)
        no_curve = learning_curve(history, folder / "curve.png") if epochs else "nothing was trained"
        notes = {"dataset": train.name, "classes": list(train.classes), "shape": list(train.shape), "test": result}
        save(folder / MODEL, model, **notes)  # the last file: where it is, the run is finished
    tell(f"{measured(result)}  ({time.perf_counter() - start:.1f} s in all)")
    files = [MODEL, "history.jsonl", CONFIG, *([] if no_curve else ["curve.png"]), f"{CHECKPOINTS}/"]
    tell(f"results in {printable(folder)}/:\n  {', '.join(files)}")
    if no_curve and epochs:
        tell(f"(no curve.png: {no_curve})")


def _config_record(config: dict[str, Any], lr: float) -> dict[str, Any]:
    """The content of config.json: the options, and the versions of what executed them."""
    versions = {"minidl": _version(), "numpy": np.__version__, "python": platform.python_version()}
    return {k.removesuffix("_name"): v for k, v in config.items()} | {"lr": lr, "versions": versions}


def resume_run(folder: Path, readers: Mapping[str, Reader], parallel: Any = None) -> None:
    """Execute ``minidl train --resume``: go on with the run in `folder`, with the options in its config.json.

    `readers` are the command line's options, see `read_config`. Raises `DataError` if that is no run's folder.
    """
    options = read_config(folder, readers)
    if (folder / MODEL).exists():
        tell(f"{printable(folder)}: this run is finished: nothing to do (its model: {printable(folder / MODEL)})")
        return
    options["optimizer_name"] = options.pop("optimizer")
    train_run(output=folder, resumed=True, parallel=parallel, **options)


@contextmanager
def _resume_hint(folder: Path, again: str, checkpoints: Checkpoint) -> Iterator[None]:
    """When the block ends early, print what is saved and how to resume; exit as Unix does: 128 + the signal."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        state = "nothing was saved yet" if checkpoints.saved is None else f"saved at step {checkpoints.saved}"
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more Ctrl-C would only cut off this message
        tell(f"\ninterrupted; {state}; to go on: {again}", error=True)
        raise SystemExit(130 if isinstance(stop, KeyboardInterrupt) else stop.code) from None
    except OSError as error:
        what = error if isinstance(error, WriteError) else f"{printable(error.filename or folder)}: {error.strerror}"
        raise WriteError(f"{what}; once that is fixed, to go on: {again}") from error
    except MemoryError as error:
        raise DeviceMemoryError(f"out of memory ({error}); with more of it, to go on: {again}") from error


def show_rates(model: Module, loader: Loader, optimizer: Any, output: Path | None) -> None:
    """Execute ``minidl train --find-lr``: print the loss for each rate, and draw it in the folder `output`, if any."""
    found = tried_rates(model, loader, optimizer=optimizer)
    shown = range(0, len(found.lrs), 4)
    top = max((found.smoothed[i] for i in shown), default=1.0)
    tell("learning rate    loss")
    for i in shown:
        tell(f"{found.lrs[i]:13.2e}  {found.smoothed[i]:6.3f}  {'#' * round(50 * found.smoothed[i] / top)}")
    if found.suggestion is None:
        tell("the loss has not fallen at any of these rates: there is none to suggest")
    else:
        tell(f"to begin with: --lr {found.suggestion:.1g}, a tenth of the rate at which the loss was lowest")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        found.plot().savefig(output / "learning_rates.png", dpi=120)
        tell(f"picture in {printable(output / 'learning_rates.png')}")


def measured(result: dict[str, float]) -> str:
    """The result of `evaluate` as a line to print."""
    return f"test loss {result['loss']:.4f}  test accuracy {result['accuracy']:.2%}"


def _version() -> str:
    from .. import __version__

    return __version__
