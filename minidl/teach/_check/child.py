"""A student's rule, run in a process of its own: a program of its own, JSON on stdin and stdout.

The file is executed as any program is; limits of time and memory are all that stands around it.
"""

import contextlib
import inspect
import json
import runpy
import sys
import traceback
from collections.abc import Callable
from typing import Any

SECONDS, BYTES = 5, 4 << 30


class UnusableError(Exception):
    """The file has no function that can be called as a rule is."""


def main() -> None:
    """Read the task, run the file, and write the values of each step; or what went wrong."""
    task = json.load(sys.stdin)
    with contextlib.suppress(ImportError, ValueError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    out = sys.stdout
    answer: dict[str, Any] = {"values": []}
    with contextlib.redirect_stdout(sys.stderr):  # what the file prints is no answer
        try:
            step = _function(runpy.run_path(task["path"], run_name="student"), task)
            for theta, gradients in zip(task["start"], task["gradients"], strict=True):
                answer["values"].append([])
                _descend(step, theta, gradients, task, answer["values"][-1])
        except BaseException as error:
            said = str(error) if isinstance(error, UnusableError) else f"{type(error).__name__}: {error}"
            lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == task["path"]]
            line = lines[-1].lineno if lines else getattr(error, "lineno", None)
            answer |= {"error": said, "line": line}
    json.dump(answer, out)


def _descend(
    step: Callable[[dict[str, Any]], Any], theta: float, gradients: list[float], task: dict[str, Any], rows: list[Any]
) -> None:
    """Append θ and the state after each step to `rows`."""
    values = [theta, *task["state_start"]]
    for t, g in enumerate(gradients, 1):
        state = dict(zip(task["state"], values[1:], strict=True))
        values = _numbers(step({"theta": values[0], "g": g, "t": t, **state}), task)
        rows.append(values)


def _function(names: dict[str, Any], task: dict[str, Any]) -> Callable[[dict[str, Any]], Any]:
    """What calls the student's function with those of the values that it asks for."""
    own = {n: f for n, f in names.items() if inspect.isfunction(f) and f.__module__ == "student" and n[0] != "_"}
    wanted = task["rule"].lower()
    named = [n for n in own if n.lower().replace("_", "") == wanted]
    if not named and len(own) != 1:
        raise UnusableError(f"there is no function {wanted!r} in it" + (f"; there are {', '.join(own)}" if own else ""))
    function = own[named[0] if named else next(iter(own))]
    parameters = inspect.signature(function).parameters.values()
    allowed = ["theta", "g", *task["state"], "lr", "t", *task["numbers"]]
    everything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    unknown = [p.name for p in parameters if p.name not in allowed and p.default is p.empty and p.kind not in (2, 4)]
    if unknown:
        raise UnusableError(f"{function.__name__} asks for {', '.join(unknown)}; a rule is given {', '.join(allowed)}")
    taken = [name for name in allowed if everything or name in {p.name for p in parameters}]
    order = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    constants = {"lr": task["lr"], **task["numbers"]}

    def step(values: dict[str, Any]) -> Any:
        given = {name: (constants | values)[name] for name in taken}
        return function(*[given.pop(name) for name in order], **given)

    return step


def _numbers(result: Any, task: dict[str, Any]) -> list[float]:
    """What the function returned: θ, then the state."""
    names = ["theta", *task["state"]]
    values = list(result) if isinstance(result, tuple | list) else [result]
    if len(values) != len(names):
        raise UnusableError(f"it returned {len(values)} values; it has to return {', '.join(names)}")
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError) as error:
        shown = ", ".join(type(value).__name__ for value in values)
        raise UnusableError(f"it returned {shown}; each of {', '.join(names)} has to be a number") from error


if __name__ == "__main__":
    main()
