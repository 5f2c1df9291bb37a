"""Why a weight moved by that much, in plain sentences: English, Spanish or Italian."""

import math
from collections.abc import Iterator

from ..notation.assignments import looks_ahead
from ..notation.letters import Alphabet
from ..notation.notes import Note
from ..stability import largest_stable_lr
from .contributions import Part, contributions, corrections, divisor, effective_rate, numerator
from .entry import Entry
from .sentences import Decimal, Language, decimal_of, sentences
from .writing import name_of, read, written

_VISIBLE = 1e-4  # of the step: a rounding below that does not show in four digits


def explain(
    entry: Entry,
    language: Language = "en",
    letters: Alphabet = "code",
    *,
    note: Note | None = None,
    decimal: Decimal | None = None,
    curvature: float | None = None,
) -> str:
    """Explain a step in plain sentences: why it was as large as it was, and why in that direction.

    The sentences name the contribution of momentum and of the step's gradient, what the bias correction and the divisor
    made of it and how the divisor has changed since the first step recorded, the contribution of weight decay, and
    that of rounding if it can be seen. They are those of `contributions`, and add up to the step.

    Args:
        entry: from a ledger's ``at``.
        language: "en", "es" or "it".
        letters: in which formulas are written: "code", "A" or "B".
        note: "A" or "B": the step as the note writes it (see `Entry.text`), that of θ itself if the rule looks ahead.
        decimal: "." or ","; by default what the language has.
        curvature: the second derivative of the loss along this weight, if that is known and constant: it then is told
            whether the learning rate is too large for it.

    Returns:
        Sentences, one a line.

    Raises:
        OptionError: another language, alphabet, note or decimal sign.
    """
    entry, letters = read(entry, letters, note)
    point = decimal_of(language, decimal)
    return "\n".join(_Sentences(sentences(language), letters, point).of(entry, curvature))


class _Sentences:
    """The sentences in one language, with its decimals, in one alphabet."""

    def __init__(self, templates: dict[str, str], letters: Alphabet, point: Decimal) -> None:
        self.templates, self.letters, self.point = templates, letters, point

    def of(self, entry: Entry, curvature: float | None) -> Iterator[str]:
        """All of them in their order: the step, its contributions, their sum."""
        facts = {"t": entry.t, "rule": entry.rule.name, "where": entry.where, "dtype": str(entry.dtype)}
        before, after = self.digits(entry.before["theta"]), self.digits(entry.after["theta"])
        moved = "unmoved" if entry.step == 0 else "moved"
        yield self.said(moved, **facts, step=self.signed(entry.step), before=before, after=after)
        if not math.isfinite(entry.step):
            yield self.said("diverged", since=entry.diverged or entry.t)
        if curvature is not None:
            yield from self.unstable(entry, curvature)
        if not math.isfinite(entry.step):
            return
        if looks_ahead(entry.rule):
            yield self.said("apart" if entry.apart else "ahead")
        parts = contributions(entry)
        yield from self.pushes(entry, parts)
        yield from self.corrected(entry)
        yield from self.divided(entry)
        if parts.get("decay"):
            yield self.said("decay", size=self.digits(abs(parts["decay"])))
        if parts.get("other"):
            yield self.said("other", push=self.signed(parts["other"]))
        visible = abs(parts["rounding"]) > _VISIBLE * abs(entry.step)
        if visible:
            yield self.said("rounding", **facts, push=self.signed(parts["rounding"]))
        terms = [part for name, part in parts.items() if part and (name != "rounding" or visible)]
        if len(terms) > 1:
            others = [f"{'-' if x < 0 else '+'} {self.digits(abs(x))}" for x in terms[1:]]
            yield self.said("sum", sum=" ".join([self.signed(terms[0]), *others]), step=self.signed(entry.step))

    def pushes(self, entry: Entry, parts: dict[str, float]) -> Iterator[str]:
        """Those of momentum and of the gradient."""
        momentum, gradient = parts.get("momentum"), parts.get("gradient", 0.0)
        if momentum is not None:
            which = "momentum" if momentum else "no momentum" if entry.t == 1 else "idle momentum"
            yield self.said(which, push=self.signed(momentum))
        if entry.g == 0:
            yield self.said("no gradient")
            return
        same = momentum is not None and momentum * gradient
        which = "gradient" if not same else "gradient too" if same > 0 else "gradient against"
        push = self.signed(gradient)
        yield self.said(which, g=self.digits(entry.g), rate=self.digits(gradient / entry.g), push=push)

    def corrected(self, entry: Entry) -> Iterator[str]:
        """By how much the bias correction enlarged the averages."""
        found = {name: part for name, part in corrections(entry).items() if part.value > 0}
        if not found:
            return
        listed = [
            self.said(
                "correction",
                name=name_of(entry, name, self.letters),
                divisor=self.formula(entry, part),
                factor=self.digits(1 / part.value),
            )
            for name, part in found.items()
        ]
        yield self.said("corrected", corrections="; ".join(listed))
        if entry.t == 1 and entry.g and math.isclose(abs(entry.step), entry.lr, rel_tol=1e-3):
            yield self.said("first step", lr=self.digits(entry.lr))

    def divided(self, entry: Entry) -> Iterator[str]:
        """What the divisor made of the learning rate, and how it has changed since the first entry."""
        found, over = divisor(entry), numerator(entry)
        if found is None or not found.value > 0:
            return
        facts = {"divisor": self.formula(entry, found), "value": self.digits(found.value)}
        if over is not None:
            facts |= {"numerator": self.formula(entry, over), "over": self.digits(over.value)}
        which = "divided" if over is None else "modulated"
        text = self.said(which, **facts, rate=self.digits(effective_rate(entry)))
        start = divisor(entry.first) if entry.first is not None else None
        if entry.first is None or start is None or not start.value > 0:
            yield f"{text}."
            return
        ratio = found.value / start.value
        which = "level" if abs(ratio - 1) < 0.005 else "grown" if ratio > 1 else "shrunk"
        percent = self.digits(100 * (1 - ratio), 2)
        since = self.said(which, first=entry.first.t, ratio=self.digits(ratio, 3), percent=percent)
        yield text + since

    def unstable(self, entry: Entry, curvature: float) -> Iterator[str]:
        """Why it diverges, if the learning rate is too large for a constant curvature."""
        limit = largest_stable_lr(entry.rule, curvature)
        if limit is not None and entry.lr > limit * (1 + 1e-9):
            facts = {"lr": entry.lr, "curvature": curvature, "value": entry.lr * curvature, "limit": limit * curvature}
            product = f"{name_of(entry, 'lr', self.letters)}·λ"
            yield self.said(
                "unstable", product=product, rule=entry.rule.name, **{n: self.digits(x) for n, x in facts.items()}
            )

    def said(self, template: str, **facts: object) -> str:
        return self.templates[template].format(**facts)

    def formula(self, entry: Entry, part: Part) -> str:
        return written(entry, part.line, part.expression, self.letters, self.point)

    def digits(self, x: float, digits: int = 4) -> str:
        return f"{x:.{digits}g}".replace(".", self.point)

    def signed(self, x: float | None) -> str:
        return f"{x or 0.0:+.4g}".replace(".", self.point)
