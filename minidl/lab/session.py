"""A session of the laboratory, without a web: messages in, replies out, the same for the same."""

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import MinidlError
from ..teach import Race
from . import catalogue, surface
from .lanes import STEPS
from .panel import panel
from .schema import Check, RefusedError, choice, listed, nullable, real, record, whole
from .script import script

LONGEST = 64 * 1024  # characters of a message
_KEPT = 4  # races
_IDS = whole(0, 2**53)

_PLACE = {
    **surface.RACE, "lane": whole(0, 11), "coordinate": whole(0, 1), "language": choice("en", "es", "it"),
}  # fmt: skip
OPS: dict[str, Check] = {
    "hello": record({}),
    "surface.field": record(
        {"surface": surface.SURFACE, "n": whole(8, 128)},
        {"domain": (nullable(listed(listed(real(-1e6, 1e6), 2, 2), 1, 2)), None)},
    ),
    "surface.race": record(surface.RACE, surface.PRESET),
    "surface.stability": record({**surface.MAP, "n": whole(8, 64)}, {"high": (nullable(real(1e-6, 1e6)), None)}),
    "ledger": record({**_PLACE, "t": whole(1, STEPS)}),
    "script": record({**_PLACE, "t": whole(0, STEPS)}),
}  # fmt: skip


class LabSession:
    """Answers messages: ``{"id": 1, "op": "hello"}`` as ``{"id": 1, "ok": {...}}``, or with an ``error``.

    An error is an object of code ("json", "message", "op", "schema", "limit" or "option"; "fault" for one of the
    laboratory's own), what, and fix.
    """

    def __init__(self) -> None:
        self._races: OrderedDict[str, Race] = OrderedDict()
        self._work: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "hello": lambda _: catalogue.hello(),
            "surface.field": surface.field,
            "surface.race": lambda message: surface.answer(message, self._race(message)),
            "surface.stability": surface.stability,
            "ledger": self._ledger,
            "script": self._script,
        }

    def handle(self, text: str) -> str:
        """The reply to a message, both JSON."""
        number: Any = None
        try:
            message = _read(text)
            number = message.pop("id", None)
            number = _IDS(number, "id")
            reply = {"id": number, "ok": self._done(message)}
        except RefusedError as error:
            reply = _failed(number, error.code, error.what, error.fix)
        except MinidlError as error:
            reply = _failed(number, "option", str(error))
        except Exception as error:  # a fault of the laboratory's own: told on the page, which goes on
            reply = _failed(number, "fault", f"{type(error).__name__}: {error}", "please report it")
        return json.dumps(reply, allow_nan=False, ensure_ascii=False, separators=(",", ":"))

    def _done(self, message: dict[str, Any]) -> dict[str, Any]:
        op = message.pop("op", None)
        if type(op) is not str or op not in OPS:
            raise RefusedError("op", f"op: {str(op)[:40]!r}", f"choose one of {', '.join(OPS)}")
        return self._work[op](OPS[op](message, op))

    def _race(self, message: dict[str, Any]) -> Race:
        """The race of a message; one of the last few is not run again."""
        key = json.dumps([message[name] for name in surface.RACE], sort_keys=True)
        if key not in self._races:
            self._races[key] = surface.raced(message)
        self._races.move_to_end(key)
        while len(self._races) > _KEPT:
            self._races.popitem(last=False)
        return self._races[key]

    def _placed(self, message: dict[str, Any]) -> Race:
        """The race of a message that names one of its lanes and a step."""
        run = self._race(message)
        if message["lane"] >= len(run.lanes):
            raise RefusedError("schema", f"lane: {message['lane']}", f"give 0 to {len(run.lanes) - 1}")
        if message["t"] > message["steps"]:
            raise RefusedError("schema", f"t: {message['t']}", f"the run has {message['steps']} steps")
        return run

    def _script(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"text": script(message, self._placed(message))}

    def _ledger(self, message: dict[str, Any]) -> dict[str, Any]:
        lane, coordinate = self._placed(message).lanes[message["lane"]], message["coordinate"]
        entry = lane.entry(message["t"], coordinate)
        curved = surface.curvature(message, coordinate)
        beside = [lane.entry(message["t"], i) for i in range(lane.path.shape[1])]
        return panel(entry, message["note"], message["language"], curved, beside)


def _read(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise RefusedError("message", f"{len(text)} characters", f"send at most {LONGEST}")
    try:
        message = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise RefusedError("json", f"this is no JSON: {str(error)[:80]}", "send an object with id and op") from error
    if type(message) is not dict:
        raise RefusedError("message", f"a {type(message).__name__}", "send an object with id and op")
    return message


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON's")


def _failed(number: Any, code: str, what: str, fix: str = "") -> dict[str, Any]:
    return {
        "id": number if type(number) is int and 0 <= number <= 2**53 else None,
        "error": {"code": code, "what": what, "fix": fix},
    }
