"""Checkpoints of a run: when they are taken, where they lie, and how a run finds the one to go on from."""

import contextlib
import math
import os
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...data import Loader
from ...errors import DataError, MinidlError, OptionError, StateError, WriteError
from ..callbacks import Callback, Run
from ..progress import Progress, say
from ..signals import asked
from .architecture import described
from .archive import read_archive, write_archive
from .lock import locked
from .model_file import save
from .run_state import Arrays, circumstances, fingerprint, mismatches, put_back, take

KEPT = 2  # generations
_NAME = re.compile(r"step-(\d+)\.safetensors")
_EVERY = re.compile(r"(\d+) ?(steps?|epochs?|s|seconds?)?")


class Checkpoint(Callback):
    """Saves a run into `folder` while `fit` trains it: ``fit(..., checkpoint=Checkpoint("runs/a", "500 steps"))``.

    Args:
        folder: made if it is not there. Two generations are kept, ``step-00000430.safetensors`` and the like; the
            link ``latest.safetensors`` always leads to a whole one.
        every: a number of updates, or "500 steps", "2 epochs", "10 s". In any case also when training ends, and
            when a signal stops it.
        best: "loss", "accuracy", "validation_loss" or "validation_accuracy": after each epoch in which it is better
            than ever, the model goes to ``best.safetensors``, which `minidl.load` reads.

    If a checkpoint cannot be written (the disk is full), a warning says so, the one before is kept, training goes
    on, and the next is tried when it is due. `saved` is the step of the last that was written, None before the first.

    Raises `OptionError` for arguments that are not allowed.
    """

    def __init__(self, folder: str | Path, every: int | str = "10 s", best: str | None = None) -> None:
        self.folder = Path(folder)
        self.every, self.unit = period(every)
        if best not in (None, "loss", "accuracy", "validation_loss", "validation_accuracy"):
            raise OptionError(
                f"Checkpoint: best={best!r}: choose loss, accuracy, validation_loss or validation_accuracy"
            )
        self.best = best
        self.saved: int | None = None
        self._record: float | None = None

    @contextmanager
    def attached(self, run: Run, loader: Loader, watchers: Sequence[Callback], resume: bool) -> Iterator[None]:
        """Hold the folder for `run`, whose other callbacks are `watchers`, and find what to go on from.

        Raises `OptionError` if the folder holds checkpoints and `resume` is False; `WriteError` if it cannot be
        written to, or another process holds it; `DataError` if all the checkpoints are damaged, `StateError`, with
        a list of all that does not fit, if the newest whole one is of another run: before anything is changed.
        """
        with locked(self.folder):
            for left in self.folder.glob(".*.tmp"):  # by a process that was killed while it wrote
                left.unlink()
            if self._files() and not resume:
                raise OptionError(
                    f"{self.folder}: holds the checkpoints of a run: pass resume=True to go on with it, or choose "
                    f"another folder"
                )
            if self.best is not None:
                described(run.model)  # what could not be saved is said before anything is trained
            self._watchers = [*watchers, self]
            self._data = fingerprint(loader.dataset)
            self._found = self._newest(run)
            self.saved, self._record, self._time = None, None, time.monotonic()
            yield

    def on_start(self, run: Run) -> None:
        """Bring the run to where its newest checkpoint was taken, if there is one."""
        if self._found is None:
            return
        path, arrays, content = self._found
        self._found = None
        with _foreign(path):
            put_back(run, self._watchers, arrays, content)
        self.saved = run.step
        now, then = circumstances(run), content["circumstances"]
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
        """Updates until the next checkpoint is due, if they are counted."""
        return self.every - run.step % self.every if self.unit == "steps" else None

    def on_pause(self, run: Run) -> None:
        """Save if it is time, or if a signal asks training to stop."""
        due = self.unit == "steps" and run.step % self.every == 0 and run.step != self.saved
        due |= self.unit == "seconds" and time.monotonic() - self._time >= self.every
        if due or asked():
            run.settle()
            self.save(run)

    def on_epoch(self, run: Run) -> None:
        """Save if it is time, if training ends here, or if a signal asks it to stop."""
        if self.best is not None:
            self._keep_best(run)
        due = self.unit == "epochs" and run.epoch % self.every == 0
        if due or run.epoch == run.epochs or run.stopped is not None or asked():
            self.save(run)

    def save(self, run: Run) -> None:
        """Write a checkpoint now; a warning if that fails."""
        self._time = time.monotonic()
        path = self.folder / f"step-{run.step:08}.safetensors"
        with self._warning():
            write_archive(path, "run", *take(run, self._watchers, self._data))
            self.saved = run.step
            self._point_to(path)
            for old in self._files()[KEPT:]:
                old.unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far, if that is kept."""
        return {} if self.best is None else {"record": self._record}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self._record = state["record"]

    def _keep_best(self, run: Run) -> None:
        metric, row = str(self.best), run.history[-1]
        if metric not in row:
            raise OptionError(f"Checkpoint: best={metric!r}: this training measures only {', '.join(row)}")
        sign = -1 if metric.endswith("loss") else 1
        if math.isfinite(row[metric]) and (self._record is None or sign * row[metric] > sign * self._record):
            self._record = row[metric]
            with self._warning(), run.optimizer.at_iterate():
                save(self.folder / "best.safetensors", run.model, **row)

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
        """Let "latest" lead to `path`; not on systems without symbolic links, where nothing but people need it."""
        link = self.folder / ".latest.tmp"
        with contextlib.suppress(OSError):
            link.unlink(missing_ok=True)
            link.symlink_to(path.name)
            os.replace(link, self.folder / "latest.safetensors")

    def _newest(self, run: Run) -> tuple[Path, Arrays, dict[str, Any]] | None:
        """The newest checkpoint that is whole; damaged ones are said, and put out of the way."""
        damaged: list[tuple[Path, MinidlError]] = []
        for path in self._files():
            try:
                arrays, content = read_archive(path, "run")
                with _foreign(path):
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
def _foreign(path: Path) -> Iterator[None]:
    """Turn what goes wrong with parts that minidl did not write into a `DataError` that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: not a checkpoint as minidl writes it ({error})") from error


def period(every: int | str) -> tuple[int, str]:
    """A number, and "steps", "epochs" or "seconds". Raises `OptionError` for what does not say how often."""
    match = None if isinstance(every, bool) else _EVERY.fullmatch(str(every))
    if match is None or int(match[1]) < 1:
        raise OptionError(
            f'checkpoint every {every!r}: give a number of updates, or such as "500 steps", "2 epochs" or "30 s"'
        )
    unit = match[2] or "steps"
    return int(match[1]), next(full for full in ("seconds", "steps", "epochs") if full.startswith(unit))
