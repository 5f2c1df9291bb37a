"""Checkpoints of a run: when they are saved, where, and how a run finds the one to resume from."""

import contextlib
import math
import os
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from ...data import Loader
from ...errors import DataError, MinidlError, OptionError, StateError, WriteError
from ..callbacks import Callback, Run
from ..monitoring import Mode, sign_of, value_of
from ..progress import Progress, say
from ..signals import pending
from .architecture import described
from .archive import read_archive, write_archive
from .lock import locked
from .model_file import save
from .run_state import Arrays, capture, circumstances, fingerprint, mismatches, restore

KEPT = 2  # generations
_NAME = re.compile(r"step-(\d+)\.safetensors")
_Found: TypeAlias = tuple[Path, Arrays, dict[str, Any]]
_EVERY = re.compile(r"(\d+) ?(steps?|epochs?|s|seconds?)?")


class Checkpoint(Callback):
    """Saves a run into `folder` while `fit` trains it: ``fit(..., checkpoint=Checkpoint("runs/a", "500 steps"))``.

    If a checkpoint cannot be written (the disk is full), a warning says so, the one before is kept, training goes
    on, and the next is tried when it is due. `saved` is the step of the last that was written, None before the first.

    Args:
        folder: made if it is not there. The last two checkpoints are kept, ``step-00000430.safetensors`` and the like;
            the link ``latest.safetensors`` always leads to a whole one.
        every: a number of updates, or "500 steps", "2 epochs", "10 s". In any case also when training ends, and
            when a signal stops it.
        best: "loss", "accuracy", "validation_loss", "validation_accuracy", ..., or one of `fit`'s ``metrics=``: after
            each epoch in which it is better than ever, the model is saved as ``best.safetensors``, which `minidl.load`
            reads.
        mode: "min" or "max", which way is better, for a metric of one's own; minidl's are known.

    Raises:
        OptionError: an argument is not allowed; from `fit`, if the folder holds checkpoints and ``resume`` is False.
        WriteError: from `fit`, if the folder cannot be written to, or another process is training there.
        DataError: from `fit`, if all checkpoints are damaged.
        StateError: from `fit`, if the newest whole one is of another run; it lists all that does not fit.
    """

    def __init__(
        self, folder: str | Path, every: int | str = "10 s", best: str | None = None, mode: Mode | None = None
    ) -> None:
        self.folder = Path(folder)
        self.every, self.unit = period(every)
        self.best, self._sign = best, 1 if best is None else sign_of("Checkpoint: best", best, mode)
        self.saved: int | None = None
        self._best_value: float | None = None

    @contextmanager
    def attached(self, run: Run, loader: Loader, watchers: Sequence[Callback], resume: bool) -> Iterator[None]:
        """Lock the folder for `run`, whose other callbacks are `watchers`, and find the checkpoint to resume from.

        Raises, before anything is changed, the errors that the class lists.
        """
        self._watchers = [*watchers, self]
        self._data = fingerprint(loader.dataset)
        with ExitStack() as stack:
            if run.ranks is None:
                self._resume_from = self._found(run, resume, stack)
            else:  # the folder may be one that only rank 0 can read
                self._resume_from = run.ranks.from_first(lambda: self._found(run, resume, stack))
            self.saved, self._best_value, self._time = None, None, time.monotonic()
            yield

    def _found(self, run: Run, resume: bool, stack: ExitStack) -> _Found | None:
        """The checkpoint to resume from, in the folder, which is locked until the `stack` ends."""
        stack.enter_context(locked(self.folder))
        for left in self.folder.glob(".*.tmp"):  # by a process that was killed while it wrote
            left.unlink()
        if self._files() and not resume:
            raise OptionError(
                f"{self.folder}: holds the checkpoints of a run: pass resume=True to go on with it, or choose "
                f"another folder"
            )
        if self.best is not None:
            described(run.model)  # raises for a model that could not be saved
        return self._newest(run)

    def on_start(self, run: Run) -> None:
        """Restore the run from its newest checkpoint, if there is one."""
        if self._resume_from is None:
            return
        path, arrays, content = self._resume_from
        self._resume_from = None
        with _as_data_error(path):
            restore(run, self._watchers, arrays, content)
        self.saved = run.saved = run.step
        now, then = circumstances(run), {"ranks": 1} | content["circumstances"]
        changed = [f"{name} was {then.get(name)}, is {now[name]}" for name in now if now[name] != then.get(name)]
        if changed:
            warnings.warn(
                f"{self.folder}: the results may differ from those of a run that was not interrupted: "
                f"{'; '.join(changed)}",
                stacklevel=2,
            )
        if any(isinstance(watcher, Progress) for watcher in self._watchers):
            done = run.epoch == len(run.history) and (run.epoch >= run.epochs or run.stopped is not None)
            where = f"after step {run.step} (epoch {run.epoch}, batch {run.batch} of {run.steps})"
            say(f"{self.folder}: {'finished' if done else 'going on'} {where}{': nothing to do' if done else ''}")

    def interval(self, run: Run) -> int | None:
        """Updates until the next checkpoint is due, if that is counted in updates."""
        return self.every - run.step % self.every if self.unit == "steps" else None

    def on_pause(self, run: Run) -> None:
        """Save if it is time, or if a signal asks training to stop."""
        due = self.unit == "steps" and run.step % self.every == 0 and run.step != self.saved
        due |= self.unit == "seconds" and time.monotonic() - self._time >= self.every
        if due or pending():
            run.verify()
            self.save(run)

    def on_epoch(self, run: Run) -> None:
        """Save if it is time, if training ends here, or if a signal asks it to stop."""
        if self.best is not None:
            self._keep_best(run)
        due = self.unit == "epochs" and run.epoch % self.every == 0
        if due or run.epoch == run.epochs or run.stopped is not None or pending():
            self.save(run)

    def save(self, run: Run) -> None:
        """Write a checkpoint now; a warning if that fails."""
        self._time = time.monotonic()
        if run.ranks is not None and not run.ranks.first:
            return
        path = self.folder / f"step-{run.step:08}.safetensors"
        with self._warning():
            write_archive(path, "run", *capture(run, self._watchers, self._data))
            self.saved = run.saved = run.step
            self._point_to(path)
            for old in self._files()[KEPT:]:
                old.unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        """The best value of the metric so far, if there is such a metric."""
        return {} if self.best is None else {"record": self._best_value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._best_value = state["record"]

    def _keep_best(self, run: Run) -> None:
        value = value_of(f"Checkpoint: best={self.best!r}", str(self.best), run)
        if math.isfinite(value) and (self._best_value is None or self._sign * value < self._sign * self._best_value):
            self._best_value = value
            if run.ranks is not None and not run.ranks.first:
                return
            with self._warning(), run.optimizer.averaged():
                save(self.folder / "best.safetensors", run.model, **run.history[-1])

    @contextmanager
    def _warning(self) -> Iterator[None]:
        """Turn a `WriteError` into a warning."""
        try:
            yield
        except WriteError as error:
            last = "there is none yet" if self.saved is None else f"the last one is of step {self.saved}"
            warnings.warn(f"no checkpoint: {error}; {last}; training goes on", stacklevel=3)

    def _files(self) -> list[Path]:
        """The checkpoints, newest first."""
        steps = {path: int(match[1]) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))}
        return sorted(steps, key=lambda path: steps[path], reverse=True)

    def _point_to(self, path: Path) -> None:
        """Let the link "latest" lead to `path`, for people; on systems without symbolic links there is none."""
        link = self.folder / ".latest.tmp"
        with contextlib.suppress(OSError):
            link.unlink(missing_ok=True)
            link.symlink_to(path.name)
            os.replace(link, self.folder / "latest.safetensors")

    def _newest(self, run: Run) -> _Found | None:
        """The newest checkpoint that is whole; a warning names damaged ones, which are renamed."""
        damaged: list[tuple[Path, MinidlError]] = []
        for path in self._files():
            try:
                arrays, content = read_archive(path, "run")
                with _as_data_error(path):
                    wrong = mismatches(run, self._watchers, self._data, arrays, content)
            except DataError as error:
                damaged.append((path, error))
                continue
            if wrong:
                listed = "".join(f"\n- {line}" for line in wrong)
                raise StateError(f"{path}: is of another run than this; nothing was loaded:{listed}")
            for bad, reason in damaged:
                warnings.warn(f"{reason}; going on from the one before, {path.name}", stacklevel=4)
                os.replace(bad, bad.with_name(bad.name + ".damaged"))
            return path, arrays, content
        if damaged:
            listed = "".join(f"\n- {error}" for _, error in damaged)
            raise DataError(f"{self.folder}: none of its checkpoints can be read; start a new run elsewhere:{listed}")
        return None


@contextmanager
def _as_data_error(path: Path) -> Iterator[None]:
    """Turn errors about content that minidl did not write into a `DataError` that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: not a checkpoint as minidl writes it ({error})") from error


def period(every: int | str) -> tuple[int, str]:
    """Parse how often: a number, and "steps", "epochs" or "seconds". Raises `OptionError` for anything else."""
    match = None if isinstance(every, bool) else _EVERY.fullmatch(str(every))
    if match is None or int(match[1]) < 1:
        raise OptionError(
            f'checkpoint every {every!r}: give a number of updates, or such as "500 steps", "2 epochs" or "30 s"'
        )
    unit = match[2] or "steps"
    return int(match[1]), next(full for full in ("seconds", "steps", "epochs") if full.startswith(unit))
