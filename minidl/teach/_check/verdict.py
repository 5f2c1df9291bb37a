"""The comparison: a student's rule beside minidl's, for the same gradients."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import OptionError
from ...optim.rule import Rule
from .slips import slips
from .words import sentences

STEPS, SECONDS = 20, 20
CLOSE = 1e-12  # relative: right, but for the order of operations
ALIKE = 1e-9  # of a change: the same slip
STARTS = 0.5, -0.25, 0.125  # of three parameters ...
SCALES = 1.0, 0.01, 5.0  # ... whose gradients are so large

Values = list[list[tuple[float, ...]]]  # by parameter and step: θ, and the state


@dataclass(frozen=True)
class Verdict:
    """What `check` found. `right`, or where the rule first departs: at `step`, in `symbol` ("theta", "v", ...).

    `expected` and `found` are its value there. `slip` names a known slip (or another convention) that gives all of the
    student's numbers; None if none does. `error` says why nothing could be compared, `line` where.
    """

    rule: str
    right: bool = False
    step: int | None = None
    symbol: str | None = None
    expected: float = math.nan
    found: float = math.nan
    slip: str | None = None
    error: str | None = None
    line: int | None = None

    def text(self, language: Any = "en") -> str:
        """The verdict in a few sentences: "en", "es" or "it"."""
        return sentences(self, language)

    def __str__(self) -> str:
        return self.text()


def check(path: str | Path, rule: Rule) -> Verdict:
    """Run the function in the file at `path` beside `rule`, in float64, for the same gradients.

    **The file is executed**, in a process of its own: for at most 5 s of processor time, in at most 4 GiB.

    Args:
        path: of a Python file with a function called as the rule is: ``adam(theta, g, v, s, *, lr, t, beta1, ...)`` ->
            (theta, v, s). It is given those values that its parameters name; each is a float.
        rule: minidl's, with the hyperparameters to be used.

    Raises:
        OptionError: if there is no such file.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise OptionError(f"check: there is no file {path}")
    task = _task(path, rule)
    answer = _answer(task)
    theirs = [[tuple(row) for row in rows] for rows in answer["values"]]
    ours = _run(task, lambda *values, t: rule(*values, lr=task["lr"], t=t))
    departure = next(_departures(rule, ours, theirs), None)
    if "error" in answer and departure is None:
        return Verdict(rule.name, error=answer["error"], line=answer.get("line"))
    if departure is None or _holds_iterate(rule, ours, theirs):
        return Verdict(rule.name, right=True)
    step, symbol, expected, found = departure
    slip = next((s.name for s in slips(rule) if _alike(_run_slip(task, s.step), theirs)), None)
    return Verdict(rule.name, False, step, symbol, expected, found, slip)


def _task(path: Path, rule: Rule) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    gradients = [(scale * (0.3 + rng.standard_normal(STEPS))).tolist() for scale in SCALES]
    return {
        "path": str(path),
        "rule": rule.name,
        "state": list(rule.state),
        "state_start": [float(rule.start(name)) for name in rule.state],
        "numbers": {name: float(getattr(rule, name)) for name in rule.numbers()},
        "lr": float(rule.lr),
        "start": list(STARTS),
        "gradients": gradients,
    }


def _answer(task: dict[str, Any]) -> dict[str, Any]:
    """What the process that runs the file says."""
    command = [sys.executable, str(Path(__file__).with_name("child.py"))]  # without minidl, which takes a second
    try:
        result = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return {"values": [], "error": f"it did not end within {SECONDS} s"}
    try:
        return dict(json.loads(result.stdout))
    except ValueError:
        last = result.stderr.strip().splitlines()[-1:] or [f"its process ended with {result.returncode}"]
        return {"values": [], "error": f"it was stopped, perhaps by the limits of time (5 s) and memory: {last[0]}"}


def _run(task: dict[str, Any], step: Any) -> Values:
    """θ and the state after each step, for each parameter."""
    found = []
    with np.errstate(all="ignore"):
        for theta, gradients in zip(task["start"], task["gradients"], strict=True):
            values = theta, *task["state_start"]
            rows = []
            for t, g in enumerate(gradients, 1):
                values = tuple(map(float, step(values[0], g, *values[1:], t=t)))
                rows.append(values)
            found.append(rows)
    return found


def _run_slip(task: dict[str, Any], step: Any) -> Values | None:
    try:
        return _run(task, lambda *values, t: step(*values, lr=task["lr"], t=t))
    except (ArithmeticError, ValueError):  # a division by 1 - β^0, say
        return None


def _departures(rule: Rule, ours: Values, theirs: Values) -> Iterator[tuple[int, str, float, float]]:
    """Where the values differ, from the first step on; in a step the state comes before θ, which is made of it."""
    names = "theta", *rule.state
    order = [*range(1, len(names)), 0]
    for t in range(STEPS):
        for i in order:
            for mine, other in zip(ours, theirs, strict=False):  # as far as it came
                if t < len(other) and not _close(mine[t][i], other[t][i], CLOSE):
                    yield t + 1, names[i], mine[t][i], other[t][i]


def _close(a: float, b: float, tolerance: float) -> bool:
    return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b)) or (math.isnan(a) and math.isnan(b))


def _holds_iterate(rule: Rule, ours: Values, theirs: Values) -> bool:
    """Whether a look-ahead rule is right, and θ itself is what it returns, as note B has it."""
    if type(rule).iterate is Rule.iterate:
        return False
    itself = [[(float(rule.iterate(*row)), *row[1:]) for row in rows] for rows in ours]
    return next(_departures(rule, itself, theirs), None) is None


def _alike(one: Values | None, other: Values) -> bool:
    """Whether two runs make the same steps and keep the same state."""
    if one is None:
        return False
    for mine, theirs, start in zip(one, other, STARTS, strict=False):
        before = start, start
        for a, b in zip(mine, theirs, strict=False):
            moved = a[0] - before[0], b[0] - before[1]
            pairs = [moved, *zip(a[1:], b[1:], strict=True)]
            if not all(_close(x, y, ALIKE) or abs(x - y) < 1e-15 for x, y in pairs):
                return False
            before = a[0], b[0]
    return True
