"""The laboratory as a folder of files, for any file server: ``minidl lab --export FOLDER``.

Rules, surfaces and gradients are written out as JavaScript, from the same equations that train; the ledger of the runs
that the page begins with, and their maps, are recorded. static/js/offline.js answers the page with these.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import WriteError
from ..optim import rules
from ..optim.hyperparameters import Choice
from ..optim.javascript import PRELUDE, rule_function, variants
from ..optim.rule import Rule
from ..teach._ledger.sentences import Language
from ..teach.followed import written
from ..teach.surfaces import SURFACES
from . import catalogue, surface
from .lanes import LANE, RULES
from .panel import numbers, read, told
from .presets import FIVE, ROWS, STEPS, printed

STATIC = Path(__file__).with_name("static")
NOTES = ("A", "B", "code")
LANGUAGES: tuple[Language, ...] = ("en", "es", "it")
_MARK = '<meta name="minidl-lab" content="written">\n</head>'
_MAP = 48  # points of a recorded map, across and up


def export(folder: Path, rows: Sequence[str] = tuple(ROWS), notes: Sequence[str] = NOTES) -> None:
    """Write the folder, which may be there already; `rows` and `notes` are those whose runs are recorded.

    Raises `WriteError` if that cannot be done.
    """
    try:
        shutil.copytree(STATIC, folder / "static", dirs_exist_ok=True, ignore=shutil.ignore_patterns("index.html"))
        page = (STATIC / "index.html").read_text(encoding="utf-8").replace("</head>", _MARK)
        (folder / "index.html").write_text(page, encoding="utf-8")
        _Folder(folder / "static/written").fill(rows, notes)
    except OSError as error:
        raise WriteError(f"--export {folder}: {error.strerror or error}") from error


class _Folder:
    """The part that is made, not copied."""

    def __init__(self, path: Path) -> None:
        self.path, self.ledgers = path, 0
        path.mkdir(exist_ok=True)

    def fill(self, rows: Sequence[str], notes: Sequence[str]) -> None:
        """Write all of it."""
        (self.path / "rules.js").write_text(_rules(), encoding="utf-8")
        (self.path / "surfaces.js").write_text(_surfaces(), encoding="utf-8")
        lanes = [*FIVE, *(lane for row in rows for lane in ROWS[row])]
        distinct = {json.dumps(lane, sort_keys=True): lane for lane in lanes}
        hello = catalogue.hello() | {"written": True, "surfaces": list(SURFACES), "schedules": ["constant"]}
        hello["presets"] = [one | {"printed": _printed(one["row"])} for one in hello["presets"] if one["row"] in rows]
        hello["recorded"] = [self.ledger(lane, note) for lane in distinct.values() for note in notes]
        hello["maps"] = [*self.maps(list(distinct.values()), notes)]
        self.write("hello.json", hello)

    def write(self, name: str, content: Any) -> str:
        """A file of JSON; its name."""
        text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        (self.path / name).write_text(text, encoding="utf-8")
        return name

    def ledger(self, lane: dict[str, Any], note: Any) -> dict[str, Any]:
        """The entries of a lane on note A's surface, each step and coordinate, in all languages."""
        message = {**_bowl(note), "lanes": [LANE(lane, "lane")]}
        run = surface.raced(message).lanes[0]
        curved = [surface.curvature(message, i) for i in range(2)]
        found = {}
        for t in range(1, STEPS + 1):
            entries = [read(run.entry(t, i), note) for i in range(2)]
            for i, entry in enumerate(entries):
                said = {language: told(entry, note, language, curved[i]) for language in LANGUAGES}
                words = {name: {one: said[one][name] for one in LANGUAGES} for name in ("sentences", "remarks")}
                found[f"{t}.{i}"] = numbers(entry, note, entries) | words
        self.ledgers += 1
        return _about(lane, note) | {"file": self.write(f"ledger-{self.ledgers}.json", found)}

    def maps(self, lanes: Sequence[dict[str, Any]], notes: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """A map for each rule with what else it is set to, apart from what the map itself varies."""
        seen = []
        for lane, note in ((lane, note) for lane in lanes for note in notes):
            share = surface.share_of(getattr(rules, lane["rule"])())
            fixed = {name: value for name, value in lane["settings"].items() if name not in ("lr", share)}
            about = _about({"rule": lane["rule"], "settings": fixed}, note)
            if about in seen:
                continue
            seen.append(about)
            reply = surface.stability({**_bowl(note), "lane": LANE(lane, "lane"), "n": _MAP, "high": None})
            yield about | {"file": self.write(f"map-{len(seen)}.json", reply)}


def _bowl(note: Any) -> dict[str, Any]:
    return {
        "surface": surface.BLANK | {"name": "bowl"},
        "start": list(SURFACES["bowl"].start),
        "steps": STEPS,
        "note": note,
    }


def _about(lane: dict[str, Any], note: Any) -> dict[str, Any]:
    """What a recording is of."""
    return {"surface": "bowl", "start": list(SURFACES["bowl"].start), "note": note, **lane}


def _printed(row: str) -> list[dict[str, str]]:
    return [{"printed": line.removeprefix("epoch 20, "), "source": source} for line, source in printed(row)]


def _rules() -> str:
    """Every rule with every combination of its options, and a table that finds them."""
    pieces, table = [PRELUDE], []
    for name in RULES:
        for number, rule in enumerate(variants(getattr(rules, name))):
            called = f"{name}{number}"
            pieces.append(rule_function(rule, called))
            table.append(f"  {{rule: {name!r}, run: {called}, {_options(rule)}}},")
    return "\n".join([*pieces, "export const PROGRAMS = [", *table, "];", ""])


def _options(rule: Rule) -> str:
    """What a variant is for: its options, whether the weights decay, and which of its numbers are there at all."""
    options: dict[str, Any] = {"weight_decay": rule.decays}
    nullable = {}
    for name, allowed in rule.hyperparameters.items():
        if isinstance(allowed, Choice):
            options[name] = getattr(rule, name)
        elif allowed.optional and name != "ema":
            options[name] = nullable[name] = getattr(rule, name) is not None
    return f"options: {json.dumps(options)}, nullable: {json.dumps(nullable)}"


def _surfaces() -> str:
    """Every surface, with its gradient, and what is known of it."""
    pieces = [PRELUDE.replace("export function", "function")]
    table = []
    for name, shape in SURFACES.items():
        called = name.replace("-", "_")
        pieces.append(written(shape.f, shape.start, called).replace("export function", "function"))
        about = {"written": shape.written, "start": shape.start, "domain": shape.domain, "minima": shape.minima}
        table.append(f"  {json.dumps(name)}: {{f: {called}, ...{json.dumps(about, ensure_ascii=False)}}},")
    return "\n".join([*pieces, "export const SURFACES = {", *table, "};", ""])
