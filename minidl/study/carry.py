"""The driver: hands planned trials to workers, and writes down how they end.

It alone writes the table. Trials are idempotent: one whose worker has died is made again, to the same numbers.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from pathlib import Path

from ..errors import StateError
from . import notes
from .executors import Crew
from .progress import Progress
from .table import Outcome, Table, Trial
from .worker import carry_out

ATTEMPTS = 3  # deaths of a worker at one trial, after which the trial is given up as lost
_A_SECOND = 1000  # tasks that the driver can hand out, at most, to all workers together


def carry(
    table: Table, function: bytes, crew: Crew, folder: Path, timeout: float | None, progress: bool, total: int = 0
) -> None:
    """Carry out all that is planned in `table`, and show how far it is, if `progress` is wanted.

    `total` is how many trials there will be in the end, if not all are planned yet.

    Raises `StateError` if no trial can be carried out at all.
    """
    shown = Progress(table, total) if progress else None
    try:
        _Driver(table, function, crew, folder, timeout).run(shown or (lambda: None))
    finally:
        if shown is not None:
            shown.close()


class _Driver:
    def __init__(self, table: Table, function: bytes, crew: Crew, folder: Path, timeout: float | None) -> None:
        self.table, self.crew, self.folder = table, crew, folder
        self.arguments = function, str(folder.absolute()), timeout
        self.flying: dict[Future[list[Outcome] | str], list[Trial]] = {}
        self.deaths = 0  # since a trial ended last
        self.seconds, self.count = 0.0, 0  # of the trials that have ended
        self._blame(notes.take(folder), "the study ended")
        table.put_back()  # what an earlier driver left running
        self.queue = deque(table.planned())

    def run(self, tell: Callable[[], None]) -> None:
        """Until all have ended."""
        while self.queue or self.flying:
            self._send()
            tell()
            done, _ = wait(self.flying, timeout=1.0, return_when=FIRST_COMPLETED)
            self._receive(done)
        tell()

    def _send(self) -> None:
        """Let each worker have one task at hand and one more waiting."""
        while self.queue and len(self.flying) < 2 * self.crew.workers:
            # A trial at which a worker has died before goes alone, so that nobody else is blamed if one dies again.
            suspect = self.queue[0].attempts > 0
            if self.flying and (suspect or any(task[0].attempts for task in self.flying.values())):
                return
            trials = [self.queue.popleft()]
            size = 1 if suspect else self._size()
            while len(trials) < size and self.queue and not self.queue[0].attempts:
                trials.append(self.queue.popleft())
            self.table.begin(trials)
            function, folder, timeout = self.arguments
            self.flying[self.crew.submit(carry_out, function, trials, folder, timeout)] = trials

    def _size(self) -> int:
        """How many trials make a task: as many as are worth it, fewer towards the end."""
        if not self.count:
            return 1
        wanted = max(self.crew.task, self.crew.workers / _A_SECOND) * self.count / max(self.seconds, 1e-6)
        fair = len(self.queue) / (4 * self.crew.workers)
        return max(1, min(round(wanted), round(fair)))

    def _receive(self, done: set[Future[list[Outcome] | str]]) -> None:
        """Write down what has come back; see to those whose worker has died."""
        died: list[Trial] = []
        death: BaseException | None = None
        for future in done:
            trials = self.flying.pop(future)
            error = _failure(future)
            if error is None:
                self._write(future.result())
            else:  # what trials raise is caught by the worker: this one has died
                died += trials
                death = error
        if death is not None:
            self._bury(died, death)

    def _write(self, outcomes: list[Outcome] | str) -> None:
        if isinstance(outcomes, str):
            raise StateError(
                f"a worker cannot load the train function ({outcomes}): define it in a module that workers find, too"
            )
        self.table.end(outcomes)
        self.deaths = 0
        self.count += len(outcomes)
        self.seconds += sum(outcome.seconds for outcome in outcomes)

    def _bury(self, died: list[Trial], error: BaseException) -> None:
        """Have new workers, and plan again what the dead ones were at."""
        self.crew.renew(error)
        for future in [each for each in self.flying if each.done() and _failure(each)]:
            died += self.flying.pop(future)  # an executor that is broken gives up all that it has
        blamed = notes.take(self.folder, died)
        self._blame(blamed, "its worker died")
        spared = [trial for trial in died if trial.id not in blamed]
        self.table.put_back(trial.id for trial in spared)
        self.queue.extendleft(reversed(spared))
        self.queue.extend(trial for trial in self.table.planned() if trial.id in blamed)
        self.deaths = 0 if blamed else self.deaths + 1
        if self.deaths >= ATTEMPTS:
            raise StateError(
                f"workers end before they begin a trial ({_said(error)}): is there enough memory? What was done is kept"
            )

    def _blame(self, trials: dict[int, bool], what: str) -> None:
        """Count a death for each of these, and give up those that have had too many, or too much time."""
        self.table.put_back(trials, blamed=True)
        for trial in [t for t in self.table.planned() if t.id in trials]:
            hung = trials[trial.id]
            if hung or trial.attempts >= ATTEMPTS:
                state = "timeout" if hung else "lost"
                error = "did not end in time, nor when told to" if hung else f"{what} at it {trial.attempts} times"
                self.table.end([Outcome(trial.id, state, None, error, 0.0, "")], attempts=0)


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _failure(future: Future[list[Outcome] | str]) -> BaseException | None:
    """What kept a task that has ended from its result; None if nothing did."""
    return CancelledError() if future.cancelled() else future.exception()
