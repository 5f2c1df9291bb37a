"""The training loop, and the evaluation of a model on a data set.

`fit` in pseudo-code::

    check the arguments; restore the checkpoint to resume from; choose the engine that makes the steps
    for each epoch:
        for each block of batches, up to the next one before which a callback asks for a pause:
            engine:     forward, loss, backward, update for each batch     engines/
            callbacks:  on_pause                                           the progress bar, checkpoints, guards
            stop here if a signal asks for it                              signals.py
        evaluate the model on the validation set; add the epoch's row to the history
        callbacks: on_epoch                                                early stopping, checkpoints
    callbacks: on_end; leave the model in evaluation mode
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Never

from ..autograd import recording
from ..backend import own_streams
from ..checks import checked_integer
from ..data import Loader
from ..data.loader import BatchSize
from ..elsewhere import unexpected
from ..errors import OptionError
from ..hardware.arithmetic import computes, computing
from ..hardware.thread_limit import limit
from ..hardware.threads import CORES
from ..nn import Module, softmax_cross_entropy
from ..nn._lazy import has_shape
from ..nn._module import in_mode
from ..optim.by_name import find_rule
from .among_ranks import agree, communicator, join, threads_each, together
from .callbacks import Callback, Run
from .clipping import Clipping
from .engines.accumulation import widened
from .engines.choose import choose_engine
from .engines.nonfinite import ACTIONS, Action, with_nonfinite_checks
from .given import ClassWeight, check_streamed, evaluation_data, training_data, untransformed
from .guards import Guards
from .guards.start import check_optimizer
from .history import History
from .last import keeping_history
from .losses import Loss, find_loss, for_batches, unweighted
from .metrics import Metrics, RunningMetrics, checked_metrics
from .progress import Progress, say
from .saving.checkpoints import Checkpoint
from .signals import SIGHUP, SIGINT, SIGTERM, deferring, immediate, raise_if_pending, sheltered
from .stepping import begin_epoch, finished_row, in_mid_epoch

LARGE = 1e9  # floating-point operations of one matrix product: some 10 ms on one core


def fit(
    model: Module,
    train: Any,
    targets: Any = None,
    *,
    optimizer: Any = "adam",
    loss: Loss | str = softmax_cross_entropy,
    epochs: int,
    batch_size: BatchSize | None = None,
    validation: Any = None,
    metrics: Metrics | None = None,
    sample_weight: Any = None,
    class_weight: ClassWeight | None = None,
    label_smoothing: float = 0.0,
    callbacks: Sequence[Callback | Callable[[Run], None]] = (),
    progress: bool = True,
    threads: int | None = None,
    compile: bool | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    resume: bool = False,
    on_nonfinite: Action = "stop",
    guards: bool = True,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    accumulate: int = 1,
    parallel: Any = None,
    **unknown: Never,
) -> History:
    """Train `model` on `train`: for each batch, forward, loss, backward, update.

    Args:
        model: trained in place; in evaluation mode afterwards.
        train: the training set: a `Dataset` (whose transform makes other inputs for each epoch), a `Loader` for those
            who want their own batches, or the inputs alone, with `targets`. Or batches (x, y) or (x, y, sample_weight)
            that are made as they are needed: a generator function, or whatever can be iterated over again, such as a
            list. They are taken in their order, and without `checkpoint`.
        targets: what belongs to inputs that are an array: (N,) integers, strings or booleans for classes, (N, C) soft
            or one-hot labels, or floating targets; see `Dataset`. Where the loss is minidl's own, they are converted to
            what it takes.
        optimizer: over the model's parameters; or the name of one of `minidl.optim`, in any case, for one with its
            defaults, made anew.
        loss: a function of the model's output and the labels that returns the batch's mean; or its name,
            "cross_entropy", "mse", "mae", "bce_with_logits", or that of the function in full.
        epochs: passes over `train`, at least 0.
        batch_size: samples for an update; 1 is SGD, "full" is gradient descent. 128 if not given, or all there are if
            they are fewer. A `Loader` has its own.
        validation: evaluated after each epoch: a `Dataset`, a `Loader`, inputs and targets (and weights) in a tuple,
            the share of the training set that is set aside for it, see `Dataset.split`, or batches as for `train`.
        metrics: functions of output and targets, two arrays, that give a batch's mean, by the names that they are to
            have in the history: ``{"rmse": rmse}``. An epoch's is the mean over the samples. They are measured on the
            validation set, and on the training batches where those are not made by a compiled program of known layers,
            which keeps no outputs; without a validation set no step is made by such a one.
        sample_weight: (N,) numbers of at least 0 beside `targets`: a batch's loss is Σ weight · loss / B, see
            `nn.softmax_cross_entropy`. A loss of one's own is called with ``sample_weight=``. Other metrics know no
            weights.
        class_weight: {class: weight}, the others having 1, or "balanced", N / (C · samples of the class), as in
            scikit-learn: weights of the training samples, times those that they have.
        label_smoothing: of `nn.softmax_cross_entropy`; in validation as well.
        callbacks: called in this order; a plain function of a `Run` is called after each epoch.
        progress: print a line per epoch, and on a terminal show a bar.
        threads: how many may share the work; None for what `minidl.threads` or the environment says, else two, or as
            many as there are if products are large.
        compile: None executes the step as a compiled program (`minidl.compile`) where it consists of minidl's layers
            and losses, to the same bits: as machine code if Numba is installed, which skips zeros in the inputs
            (docs/compile.md tells when the last digits depend on that). False: the eager loop. True: no other way,
            and models and losses of your own are recorded as well (docs/compile.md, "Recorded steps").
        checkpoint: a folder, or a `Checkpoint`: save the run as it goes.
        resume: go on from what is in `checkpoint`, bit for bit as if the run had never been interrupted; begin if
            there is nothing.
        on_nonfinite: what to do about a batch whose loss or gradient is infinite or NaN: "stop" raises before the
            update, "skip" leaves the batch out and counts it, "continue" does not look.
        guards: warn of likely mistakes, see docs/guards.md.
        clip_norm: scale the gradients of each step so that their common norm is at most this, `optim.clip_grad_norm`,
            after the callbacks' on_gradients and just before the update.
        clip_value: limit each of their elements first, `optim.clip_grad_value`.
        accumulate: batches for an update, which takes the mean of their gradients as one batch of all their samples
            would (but for BatchNorm, which sees one batch at a time). The last batches of an epoch, if they are fewer,
            make an update too. Steps, schedules and `Run.batch` count updates.
        parallel: `minidl.parallel.world()`: the processes that mpiexec has started train this one model together, each
            on its share of every batch (docs/parallel.md). False: each trains by itself.
        **unknown: what other libraries call some of these is told minidl's name for it.

    Returns:
        The `History`, with a row of numbers for each epoch.

    Raises:
        OptionError: a bad argument, before anything is trained; for ``compile=True`` if the step cannot be compiled.
        ShapeError, LabelError: data and model do not fit.
        NonFiniteError: a loss or gradient is not finite; it names the op, and model and optimizer are as before.
        WriteError, DataError, StateError: the checkpoint folder cannot be used, see `Checkpoint`.
        TrainingInterrupted: Ctrl-C (it is a ``KeyboardInterrupt``), between two updates, after saving to `checkpoint`.
            The model is in evaluation mode; the error's `history`, also `last_history`, has the epochs so far. SIGTERM
            and SIGHUP end a run with a `checkpoint` in the same way, by ``SystemExit``.
    """
    for name in unknown:
        raise unexpected("fit", name)
    comm = communicator(parallel)
    epochs = checked_integer(epochs, "fit: epochs", 0)
    loss = find_loss("fit", loss, label_smoothing)
    measures = checked_metrics("fit", metrics)
    loader, validation = training_data(train, targets, validation, loss, batch_size, sample_weight, class_weight)
    check_streamed(loader, validation, epochs, checkpoint)
    loss = for_batches("fit", loss, loader)
    if on_nonfinite not in ACTIONS:
        raise OptionError(f"fit: on_nonfinite={on_nonfinite!r}: choose one of {', '.join(map(repr, ACTIONS))}")
    if threads is not None:
        threads = checked_integer(threads, "fit: threads", 1)
    if resume and checkpoint is None:
        raise OptionError("fit: resume=True: tell it what to go on from, with checkpoint=, the run's folder")
    if not has_shape(model):  # the data's tells how many inputs a Dense(n) has
        with in_mode(model, training=False), recording(False):
            model(loader.sample(1)[0])
    if isinstance(optimizer, str):
        optimizer = find_rule(optimizer)(model.parameters())
    if not callable(getattr(optimizer, "step", None)):
        raise OptionError(
            f"fit: optimizer must be a name such as 'adam', or a minidl.optim optimizer over model.parameters(), got "
            f"{optimizer!r}"
        )
    check_optimizer(model, optimizer)
    accumulate = checked_integer(accumulate, "fit: accumulate", 1)
    updates = loader if accumulate == 1 else widened(loader, accumulate)

    # Between two blocks of steps only code of the user's may look at gradients.
    run = Run(model, optimizer, epochs, len(updates), validation, measures, keep_gradients=bool(callbacks))
    run.micro_batch = loader.batch_size if accumulate > 1 else None
    watchers = [c if isinstance(c, Callback) else _after_epoch(c) for c in callbacks]
    if clip_norm is not None or clip_value is not None:
        watchers.append(Clipping(clip_norm, clip_value))
    if progress and (comm is None or comm.rank == 0):
        watchers.append(Progress())
    # Without a checkpoint nothing is to be saved, and SIGTERM ends the process at once, as it always does.
    signals = [SIGINT] if checkpoint is None else [SIGINT, SIGTERM, SIGHUP]
    with keeping_history(run), ExitStack() as stack:
        if comm is not None:
            stack.enter_context(together(comm))
            threads = threads_each(comm, threads)
        stack.enter_context(deferring(*signals))
        arithmetic = computing(threads, _by_openblas(model, loader.batch_size, threads))
        stack.enter_context(_unbroken(own_streams(), arithmetic))
        if comm is not None:
            clip = {"clip_norm": clip_norm, "clip_value": clip_value}
            updates = join(run, updates, comm, epochs=epochs, on_nonfinite=on_nonfinite, accumulate=accumulate, **clip)
        if checkpoint is not None:
            checkpoints = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)
            run.keep_gradients |= type(checkpoints) is not Checkpoint  # a subclass may look at them
            stack.enter_context(checkpoints.attached(run, loader, watchers, resume))
            watchers.append(checkpoints)  # after the user's, so that it saves what those have changed
        if guards:
            watchers.append(Guards(loader, loss))
        _train(run, updates, loss, watchers, compile, on_nonfinite)
    return run.history


def _after_epoch(function: Callable[[Run], None]) -> Callback:
    """A callback that calls `function` after each epoch."""
    callback = Callback()
    vars(callback)["on_epoch"] = function
    return callback


@contextmanager
def _unbroken(*blocks: AbstractContextManager[None]) -> Iterator[None]:
    """All these blocks as one, which no signal leaves half entered or half left."""
    with ExitStack() as stack:
        with sheltered():
            for block in blocks:
                stack.enter_context(block)
        try:
            yield
        finally:
            with sheltered():
                stack.close()


def _by_openblas(model: Module, batch_size: int, threads: int | None) -> bool:
    """Whether `fit` leaves products to OpenBLAS's own threads: if they are large and there are many."""
    largest = max((p.size for p in model.parameters()), default=0)
    flops = 2 * batch_size * largest  # a product and a sum for each sample and each weight
    many = CORES > 2 or (threads or limit() or 1) > 2
    return many and flops >= LARGE


def _train(
    run: Run,
    loader: Loader,
    loss: Callable[[Any, Any], Any],
    watchers: list[Callback],
    compiled: bool | None,
    on_nonfinite: Action,
) -> None:
    """All epochs of `run`."""
    # Callbacks first: they restore a checkpoint, or change the model, and the engine is chosen for what is there then.
    for watcher in watchers:
        watcher.on_start(run)
    skip_zeros = on_nonfinite != "continue"  # 0 times infinity is not zero, so somebody has to look
    chosen = choose_engine(run, loader, loss, watchers, compiled, skip_zeros)
    engine = with_nonfinite_checks(run, chosen, loader, loss, watchers, on_nonfinite)
    if run.history.reason is not None and any(isinstance(w, Progress) for w in watchers):
        say(f"steps are made eagerly: {run.history.reason}")
    try:
        # A resumed run first ends the epoch in which its checkpoint was saved, also if it had been stopped there.
        while in_mid_epoch(run) or (run.epoch < run.epochs and run.stopped is None):
            start = time.perf_counter()
            row = _train_epoch(run, loader, engine, watchers)
            if run.validation is not None:
                row |= _validate(run, loss, watchers)
            row["seconds"] = time.perf_counter() - start
            if run.steps_by_engine:
                row["engine"] = run.main_engine()
            run.history.rows.append(row)
            agree(run)
            for watcher in watchers:
                watcher.on_epoch(run)
            agree(run)
            raise_if_pending()  # after the callbacks, among which a checkpoint has just been saved
        run.optimizer.take_averages()
    finally:
        for watcher in watchers:
            watcher.on_end(run)
        run.model.eval()


def _train_epoch(run: Run, loader: Loader, engine: Any, watchers: list[Callback]) -> dict[str, Any]:
    """One pass over the data, an update per batch; returns the training's part of the epoch's row."""
    begin_epoch(run, loader)
    # The engine comes back early if it takes long, so that callbacks, and signals, get their turn.
    while run.batch < run.steps and run.stopped is None:
        last = _next_pause(run, watchers)
        engine.advance(last if run.ranks is None else run.ranks.next_block(run, last))
        if run.ranks is not None:
            run.ranks.end_block(run)
        for watcher in watchers:
            watcher.on_pause(run)
        agree(run)
        raise_if_pending()
    run.verify()  # before its numbers go into the history
    return finished_row(run)


def _next_pause(run: Run, watchers: list[Callback]) -> int:
    """The number of the batch up to which the engine may go: a callback asks for a pause there, or the epoch ends."""
    next_pause = run.steps
    for watcher in watchers:
        updates = watcher.interval(run)
        if updates is not None:  # at least 1: training must go on
            next_pause = min(next_pause, run.batch + max(updates, 1))
    return next_pause


def _validate(run: Run, loss: Callable[[Any, Any], Any], watchers: list[Callback]) -> dict[str, float]:
    """The validation's part of the epoch's row. A signal does not wait for it: a resumed run validates again."""
    loss = unweighted(loss)
    try:
        if run.ranks is None:
            with run.optimizer.averaged(), immediate():
                measured = evaluate(run.model, run.validation, loss=loss, metrics=run.measures)
        else:  # all go through it together, so a signal does wait
            loader = evaluation_data(run.validation, None, loss, 1000)
            own_share = partial(_measure, run.model, for_batches("evaluate", loss, loader), run.measures)
            with run.optimizer.averaged():
                measured = run.ranks.validated(run, loader, own_share).means()
    except (KeyboardInterrupt, SystemExit):  # a pause like any other: a checkpoint is saved there
        for watcher in watchers:
            watcher.on_pause(run)
        raise
    return {f"validation_{name}": value for name, value in measured.items()}


def evaluate(
    model: Module,
    data: Any,
    targets: Any = None,
    *,
    loss: Loss | str = softmax_cross_entropy,
    batch_size: int = 1000,
    metrics: Metrics | None = None,
) -> dict[str, float]:
    """Measure `model` on `data`, in evaluation mode and without recording a graph.

    Args:
        model: left in the mode that it was in.
        data: a data set, a `Loader` for those who want their own batches, inputs with `targets`, or batches (x, y), as
            for `fit`.
        targets: what belongs to inputs that are an array, as for `fit`; strings need a `Dataset` with the classes that
            training had.
        loss: a function of the model's output and the labels that returns the batch's mean, or its name, as for `fit`.
        batch_size: samples for each forward pass; it changes nothing but speed and memory.
        metrics: functions by name, as for `fit`.

    Returns:
        "loss", the mean over the samples; for integer labels "accuracy", the share classified correctly; for floating
        targets with `nn.mean_squared_error`, `mean_absolute_error` or `huber` "mean_absolute_error", and "r2" if there
        is one for a sample, R² = 1 - Σ (y - output)² / Σ (y - mean of y)²; with losses of yes and no (binary
        cross-entropies, `hinge`) "exact_match", the share of samples with all of them right. And `metrics`.

    Raises:
        OptionError, DTypeError, ShapeError: `data` is no data set, or none that this model takes.
    """
    loss, own = find_loss("evaluate", loss), checked_metrics("evaluate", metrics)
    loader = evaluation_data(data, targets, loss, batch_size)
    return _measure(model, for_batches("evaluate", loss, loader), own, untransformed(loader)).means()


@computes
def _measure(model: Module, loss: Loss, own: Metrics, batches: Iterable[Any]) -> RunningMetrics:
    """The sums over these batches, in evaluation mode."""
    running = RunningMetrics(own)
    with in_mode(model, training=False), recording(False):
        for x, y in batches:
            output = model(x)
            running.add(loss(output, y), output, y, loss)
    return running
