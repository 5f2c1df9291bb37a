"""Why a weight moved by that much, in plain sentences: English, Spanish or Italian."""

import math
from collections.abc import Iterator

from ..notation.assignments import looks_ahead
from ..notation.formats import Code, Text
from ..notation.letters import Alphabet
from .contributions import contributions, divisor
from .entry import Entry
from .sentences import Language, sentences

_VISIBLE = 1e-4  # of the step: a rounding below that does not show in four digits


def explain(entry: Entry, language: Language = "en", letters: Alphabet = "code") -> str:
    """Explain a step in plain sentences: why it was as large as it was, and why in that direction.

    The sentences name the contribution of momentum and of today's gradient, how the divisor changed that and how it
    has grown since the first step recorded, the contribution of weight decay, and that of rounding if it can be seen.
    They are those of `contributions`, and add up to the step.

    Args:
        entry: from a ledger's ``at``.
        language: "en", "es" or "it".
        letters: in which the divisor is written: "code", "A" or "B".

    Returns:
        Sentences, one a line.

    Raises:
        OptionError: another language or alphabet.
    """
    return "\n".join(_sentences(entry, sentences(language), letters))


def _sentences(entry: Entry, templates: dict[str, str], letters: Alphabet) -> Iterator[str]:
    """The sentences, in their order: the step, its contributions, their sum."""
    parts = contributions(entry)
    facts = {"t": entry.t, "rule": entry.rule.name, "where": entry.where, "dtype": str(entry.dtype)}
    before, after = _digits(entry.before["theta"]), _digits(entry.after["theta"])
    moved = "unmoved" if entry.step == 0 else "moved"
    yield templates[moved].format(**facts, step=_signed(entry.step), before=before, after=after)
    if not math.isfinite(entry.step):
        yield templates["diverged"]
        return
    if looks_ahead(entry.rule):
        yield templates["ahead"]
    momentum, gradient = parts.get("momentum"), parts.get("gradient", 0.0)
    if momentum is not None:
        yield templates["momentum" if momentum else "no momentum"].format(push=_signed(momentum))
    if entry.g == 0:
        yield templates["no gradient"]
    else:
        same = momentum is not None and momentum * gradient
        which = "gradient" if not same else "gradient too" if same > 0 else "gradient against"
        yield templates[which].format(g=_digits(entry.g), rate=_digits(gradient / entry.g), push=_signed(gradient))
    yield from _divided(entry, templates, letters)
    for name in ("decay", "other"):
        if parts.get(name):
            yield templates[name].format(push=_signed(parts[name]))
    visible = abs(parts["rounding"]) > _VISIBLE * abs(entry.step)
    if visible:
        yield templates["rounding"].format(**facts, push=_signed(parts["rounding"]))
    terms = [part for name, part in parts.items() if part and (name != "rounding" or visible)]
    if len(terms) > 1:
        joined = " ".join([_signed(terms[0]), *(f"{'-' if x < 0 else '+'} {_digits(abs(x))}" for x in terms[1:])])
        yield templates["sum"].format(sum=joined, step=_signed(entry.step))


def _divided(entry: Entry, templates: dict[str, str], letters: Alphabet) -> Iterator[str]:
    """The sentence about the divisor, and how it has changed since the first entry."""
    found = divisor(entry)
    if found is None or not found.value > 0:
        return
    printer = (Code if letters == "code" else Text)(digits=4)
    written = printer.write(found.expression, entry.leaves(found.line, letters))
    which, factor = ("shrunk", found.value) if found.value >= 1 else ("enlarged", 1 / found.value)
    text = templates[which].format(divisor=written, value=_digits(found.value), factor=f"{factor:.3g}")
    start = divisor(entry.first) if entry.first is not None else None
    if start is None or not start.value > 0 or entry.first is None:
        yield f"{text}."
    else:
        yield text + templates["since"].format(ratio=f"{found.value / start.value:.3g}", first=entry.first.t)


def _digits(x: float) -> str:
    return f"{x:.4g}"


def _signed(x: float) -> str:
    return f"{x:+.4g}"
