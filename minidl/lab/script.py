"""A state of the page as a Python program, which makes the run again and asserts the numbers that were shown."""

from typing import Any

from ..teach import Race
from .schema import RefusedError

_BEGIN = """\
# What the laboratory showed, made again.  pip install minidl
from minidl.optim import rules{schedules}
from minidl.teach import explain, race
from minidl.teach.{module} import {name}
"""


def script(message: dict[str, Any], run: Race) -> str:
    """The program. Raises `RefusedError` for a fork, which is a function that a program would have to define."""
    if any(lane["fork"] for lane in message["lanes"]):
        raise RefusedError("option", "a forked lane", "remove the forks, or write their schedules yourself")
    module, name, f = _function(message["surface"])
    lanes = message["lanes"]
    planned = any(lane["schedule"] != "constant" for lane in lanes)
    lines = [_BEGIN.format(schedules=", schedules" if planned else "", module=module, name=name), "entrants = ["]
    lines += [f"    (rules.{lane.rule!r}, {_rate(lane.lr)})," for lane in run.lanes]
    lines += ["]", f"run = race({f}, entrants, {tuple(message['start'])!r}, {message['steps']})", "print(run)", ""]
    picked, t = run.lanes[message["lane"]], message["t"]
    if t:
        lines += [f"entry = run.lanes[{message['lane']}].entry({t}, {message['coordinate']})"]
        shown = "" if message["note"] == "code" else f", note={message['note']!r}"
        lines += [f'print(entry.text(language="{message["language"]}"{shown}))']
        lines += [f'print(explain(entry, "{message["language"]}"{shown}))', ""]
    lines += [f"assert run.lanes[{message['lane']}].path[{t}].tolist() == {_list(picked.path[t])}"]
    return "\n".join([*lines, ""])


def _function(spec: dict[str, Any]) -> tuple[str, str, str]:
    """Where the surface is from: the module, its name there, and how it is called."""
    if spec["name"] == "formula":
        return "formula", "formula", f"formula({spec['formula']!r})"
    if spec["name"] == "quadratic":
        steep, flat = spec["curvatures"]
        return "functions", "quadratic", f"quadratic({steep!r}, {flat!r}, {spec['angle']!r})"
    return "surfaces", "SURFACES", f"SURFACES[{spec['name']!r}].f"


def _rate(lr: Any) -> str:
    return f"schedules.{lr!r}" if callable(lr) else repr(lr)


def _list(values: Any) -> str:
    return "[" + ", ".join(repr(float(x)) if x - x == 0 else f'float("{x}")' for x in values) + "]"
