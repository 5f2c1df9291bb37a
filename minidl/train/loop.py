"""The training loop, and the evaluation of a model on a data set."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..autograd import recording
from ..backend import own_streams
from ..data import Dataset, Loader
from ..data.loader import BatchSize
from ..errors import OptionError
from ..hardware.denormals import flush_denormals
from ..hardware.threads import CORES, assisted, use_blas_threads
from ..nn import Module, softmax_cross_entropy
from .callbacks import Callback, Run
from .engines.choose import engine as make_engine
from .engines.nonfinite import ACTIONS, Action, watched
from .guards import Guards
from .guards.start import check_optimizer
from .history import History
from .metrics import Tally
from .progress import Progress, say
from .saving.checkpoints import Checkpoint
from .signals import SIGHUP, SIGINT, SIGTERM, interruptible, listening, obey, sheltered

LARGE = 1e9  # floating-point operations of one matrix product: some 10 ms on one core


def fit(
    model: Module,
    train: Dataset | Loader,
    *,
    optimizer: Any,
    loss: Callable[[Any, Any], Any] = softmax_cross_entropy,
    epochs: int,
    batch_size: BatchSize = 128,
    validation: Dataset | Loader | None = None,
    callbacks: Sequence[Callback | Callable[[Run], None]] = (),
    progress: bool = True,
    threads: int | None = None,
    compile: bool | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    resume: bool = False,
    on_nonfinite: Action = "stop",
    guards: bool = True,
) -> History:
    """Train `model` on `train`: for each batch, forward, loss, backward, update.

    `train` and `validation` are data sets, or Loaders for those who want their own batches. `optimizer` holds
    the model's parameters; ``loss(output, labels)`` returns the batch's mean. `batch_size` 1 is SGD, "full" is
    GD. `progress` prints a line per epoch, and on a terminal a bar. `threads` is how many may share the work;
    by default two, and as many as there are where products are large (threads.py). Returns the `History`;
    afterwards the model is in evaluation mode. Raises `OptionError` for a bad argument, before anything is trained.

    `compile`: where the model, the loss and the callbacks allow it, the step is written down once as a program and
    carried out without a graph (`minidl.compile`), to the same bits; where Numba is installed by machine code, which
    passes over zeros in the inputs (docs/compile.md tells when the last digits depend on that). False leaves it at the
    eager loop, True raises `OptionError` with the reason if there is no other.

    `checkpoint`, a folder or a `Checkpoint`, saves the run as it goes; with `resume` it goes on from what is there,
    bit for bit as if it had never been interrupted, or begins if there is nothing. `Checkpoint` tells the errors.
    Ctrl-C ends training between two updates; with `checkpoint` it saves first, and so do SIGTERM and SIGHUP.

    A loss or gradient that is infinite or NaN ends training before the update, with a `NonFiniteError` that names
    the op; `on_nonfinite` "skip" leaves such batches out and counts them, "continue" looks at nothing (faults.py).
    `guards` are warnings of likely mistakes, see docs/guards.md.
    """
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise OptionError(f"fit: epochs must be an integer of at least 0, got {epochs!r}")
    if not callable(loss):
        raise OptionError(
            f"fit: loss must be a function of output and labels such as nn.softmax_cross_entropy, got {loss!r}"
        )
    if not callable(getattr(optimizer, "step", None)):
        raise OptionError(f"fit: optimizer must be a minidl.optim optimizer over model.parameters(), got {optimizer!r}")
    loader = train if isinstance(train, Loader) else Loader(train, batch_size)
    if validation is not None and not isinstance(validation, Loader):
        Loader(validation, 1)  # what is wrong with it is said now, not after an epoch
    if validation is not None and not isinstance(validation, Loader):
        Loader(validation, "full")  # raises for what cannot be validated on, an empty set above all
    if on_nonfinite not in ACTIONS:
        raise OptionError(f"fit: on_nonfinite={on_nonfinite!r}: choose one of {', '.join(map(repr, ACTIONS))}")
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise OptionError(f"fit: threads must be an integer of at least 1, got {threads!r}")
    if resume and checkpoint is None:
        raise OptionError("fit: resume=True: tell it what to go on from, with checkpoint=, the run's folder")
    check_optimizer(model, optimizer)
    run = Run(model, optimizer, epochs, len(loader), validation, watched=bool(callbacks))
    watchers = [c if isinstance(c, Callback) else _after_epoch(c) for c in callbacks]
    watchers += [Progress()] if progress else []
    with ExitStack() as held:
        held.enter_context(listening(SIGINT, *((SIGTERM, SIGHUP) if checkpoint is not None else ())))
        held.enter_context(_unbroken(own_streams(), _computing(model, loader.batch_size, threads)))
        if checkpoint is not None:
            keeper = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)
            held.enter_context(keeper.attached(run, loader, watchers, resume))
            watchers = [*watchers, keeper]  # the last, so that what it saves holds what the others have done
        watchers = [*watchers, *([Guards(loader, loss)] if guards else [])]
        _train(run, loader, loss, validation, watchers, compile, on_nonfinite)
    return run.history


@contextmanager
def _unbroken(*blocks: AbstractContextManager[None]) -> Iterator[None]:
    """All these blocks as one, which no signal leaves half entered or half left."""
    with ExitStack() as held:
        with sheltered():
            for block in blocks:
                held.enter_context(block)
        try:
            yield
        finally:
            with sheltered():
                held.close()


@contextmanager
def _computing(model: Module, batch_size: int, threads: int | None = None) -> Iterator[None]:
    """Within the block this thread computes with so many threads (None: what is best), and denormals are zero.

    Large products are better left to OpenBLAS's own threads, where there are many.
    """
    most = 2 * batch_size * max((p.size for p in model.parameters()), default=0)
    large = (CORES > 2 or (threads or 1) > 2) and most >= LARGE
    with assisted(not large and threads != 1), use_blas_threads(threads if large else 1), flush_denormals():
        yield


def _train(
    run: Run,
    loader: Loader,
    loss: Callable[[Any, Any], Any],
    validation: Any,
    watchers: list[Callback],
    compiled: bool | None,
    on_nonfinite: Action,
) -> None:
    """All epochs of `run`."""
    for watcher in watchers:
        watcher.on_start(run)
    zeros = on_nonfinite != "continue"  # for 0 times infinity is not zero
    made = make_engine(run, loader, loss, watchers, compiled, zeros)
    engine = watched(run, made, loader, loss, watchers, on_nonfinite)
    if run.history.reason is not None and any(isinstance(w, Progress) for w in watchers):
        say(f"steps are made eagerly: {run.history.reason}")
    try:
        while _unfinished(run) or (run.epoch < run.epochs and run.stopped is None):
            start = time.perf_counter()
            row = _epoch(run, loader, engine, watchers)
            if validation is not None:
                row |= _validated(run, loss, watchers)
            row |= {"seconds": time.perf_counter() - start}
            run.history.rows.append(row | run.most_made())
            for watcher in watchers:
                watcher.on_epoch(run)
            obey()
    finally:
        for watcher in watchers:
            watcher.on_end(run)
        run.model.eval()


def _epoch(run: Run, loader: Loader, engine: Any, watchers: list[Callback]) -> dict[str, Any]:
    """One pass over the data, an update per batch; returns the epoch's row but for its seconds."""
    run.model.train()
    if not _unfinished(run):
        run.epoch, run.batch, run.order, run.tally = run.epoch + 1, 0, loader.order(), Tally()
        run.made.clear()
    while run.batch < run.steps and run.stopped is None:
        engine.advance(_next_look(run, watchers))
        for watcher in watchers:
            if watcher.overrides("on_pause"):
                watcher.on_pause(run)
        obey()
    run.settle()
    return {"epoch": run.epoch, "step": run.step, "lr": run.lr, **run.tally.means()}


def _next_look(run: Run, watchers: list[Callback]) -> int:
    """The batch of this epoch before which somebody wants to look again, or the epoch's end."""
    waits = [watcher.interval(run) for watcher in watchers if watcher.overrides("interval")]
    return min([run.steps, *[run.batch + steps for steps in waits if steps is not None]])


def _unfinished(run: Run) -> bool:
    """Whether `run` is in an epoch that began already: the one in which the checkpoint was taken that it is from."""
    return run.epoch > len(run.history)


def _validated(run: Run, loss: Callable[[Any, Any], Any], watchers: list[Callback]) -> dict[str, float]:
    """The validation set's part of the epoch's row. A signal does not wait for it: a resumed run makes it anew."""
    try:
        with run.optimizer.at_iterate(), interruptible():
            measured = evaluate(run.model, run.validation, loss=loss)
    except (KeyboardInterrupt, SystemExit):
        for watcher in watchers:
            watcher.on_pause(run)
        raise
    return {f"validation_{name}": value for name, value in measured.items()}


def evaluate(
    model: Module,
    data: Dataset | Loader,
    *,
    loss: Callable[[Any, Any], Any] = softmax_cross_entropy,
    batch_size: int = 1000,
) -> dict[str, float]:
    """The mean loss over `data` and, for integer labels, the share of samples classified right ("accuracy").

    The model is run in evaluation mode and left in the mode that it was in; nothing is recorded.
    """
    loader: Iterable[Any] = (
        data if isinstance(data, Loader) else Loader(data, min(batch_size, len(data)), shuffle=False)
    )
    modes = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    tally = Tally()
    try:
        with recording(False), _computing(model, batch_size):
            for x, y in loader:
                output = model(x)
                tally.add(loss(output, y), output, y)
    finally:
        for module, mode in modes:
            module.training = mode
    return tally.means()


def _after_epoch(function: Callable[[Run], None]) -> Callback:
    callback = Callback()
    vars(callback)["on_epoch"] = function
    return callback
