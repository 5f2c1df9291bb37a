"""Why a weight moved by that much, in plain sentences: English, Spanish or Italian."""

import math
from collections.abc import Iterator

from ..notation.assignments import looks_ahead
from ..notation.formats import Code, Text
from ..notation.letters import Alphabet
from .contributions import divisor, pushes
from .entry import Entry
from .sentences import Language, sentences

_VISIBLE = 1e-4  # of the step: a rounding below that does not show in four digits


def explain(entry: Entry, language: Language = "en", letters: Alphabet = "code") -> str:
    """What made the step of `entry` (from a ledger's ``at``) as large as it is, and which way.

    It names what momentum pushed, what today's gradient pushed, how the divisor changed that and how it has
    grown since the first step recorded, what the weight decay did, and what rounding did if that can be seen.
    The parts are those of `pushes`, and add up to the step. `language` is "en", "es" or "it"; `letters` are
    those of the divisor: "code", "A" or "B". Raises `OptionError` for another language or alphabet.
    """
    said = sentences(language)
    return "\n".join(_told(entry, said, letters))


def _told(entry: Entry, said: dict[str, str], letters: Alphabet) -> Iterator[str]:
    parts = pushes(entry)
    facts = {"t": entry.t, "rule": entry.rule.name, "where": entry.where, "dtype": str(entry.dtype)}
    before, after = _number(entry.before["theta"]), _number(entry.after["theta"])
    moved = "unmoved" if entry.step == 0 else "moved"
    yield said[moved].format(**facts, step=_signed(entry.step), before=before, after=after)
    if not math.isfinite(entry.step):
        yield said["diverged"]
        return
    if looks_ahead(entry.rule):
        yield said["ahead"]
    momentum, gradient = parts.get("momentum"), parts.get("gradient", 0.0)
    if momentum is not None:
        yield said["momentum" if momentum else "no momentum"].format(push=_signed(momentum))
    if entry.g == 0:
        yield said["no gradient"]
    else:
        same = momentum is not None and momentum * gradient
        which = "gradient" if not same else "gradient too" if same > 0 else "gradient against"
        yield said[which].format(g=_number(entry.g), rate=_number(gradient / entry.g), push=_signed(gradient))
    yield from _divided(entry, said, letters)
    for name in ("decay", "other"):
        if parts.get(name):
            yield said[name].format(push=_signed(parts[name]))
    visible = abs(parts["rounding"]) > _VISIBLE * abs(entry.step)
    if visible:
        yield said["rounding"].format(**facts, push=_signed(parts["rounding"]))
    terms = [part for name, part in parts.items() if part and (name != "rounding" or visible)]
    if len(terms) > 1:
        joined = " ".join([_signed(terms[0]), *(f"{'-' if x < 0 else '+'} {_number(abs(x))}" for x in terms[1:])])
        yield said["sum"].format(sum=joined, step=_signed(entry.step))


def _divided(entry: Entry, said: dict[str, str], letters: Alphabet) -> Iterator[str]:
    """What the divisor did, and how it has changed since the first entry."""
    found = divisor(entry)
    if found is None or not found.value > 0:
        return
    printer = (Code if letters == "code" else Text)(digits=4)
    written = printer.write(found.expression, entry.leaves(found.line, letters))
    which, factor = ("shrunk", found.value) if found.value >= 1 else ("enlarged", 1 / found.value)
    text = said[which].format(divisor=written, value=_number(found.value), factor=f"{factor:.3g}")
    start = divisor(entry.first) if entry.first is not None else None
    if start is None or not start.value > 0 or entry.first is None:
        yield f"{text}."
    else:
        yield text + said["since"].format(ratio=f"{found.value / start.value:.3g}", first=entry.first.t)


def _number(x: float) -> str:
    return f"{x:.4g}"


def _signed(x: float) -> str:
    return f"{x:+.4g}"
