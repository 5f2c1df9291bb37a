"""A receipt in words, in three languages."""

from typing import TYPE_CHECKING

from ...errors import OptionError
from .._ledger.sentences import Language
from .local import element
from .numbers import shown

if TYPE_CHECKING:
    from .receipt import Receipt, Term

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "sum": "{what} = {value}, the sum of {terms}:",
        "terms": "{count} terms",
        "term": "1 term",
        "zero": " ({zeros} more are zero)",
        "none": "{what} = {value}: every way to the loss has a factor 0 in it.",
        "begin": "{what} = {value}: the loss itself, where backpropagation begins.",
        "more": "{count} more",
        "rounding": "rounding",
        "where": "where",
    },
    "es": {
        "sum": "{what} = {value}, la suma de {terms}:",
        "terms": "{count} términos",
        "term": "1 término",
        "zero": " (otros {zeros} son cero)",
        "none": "{what} = {value}: todo camino hasta la pérdida tiene un factor 0.",
        "begin": "{what} = {value}: la pérdida misma, donde empieza la retropropagación.",
        "more": "{count} más",
        "rounding": "redondeo",
        "where": "donde",
    },
    "it": {
        "sum": "{what} = {value}, la somma di {terms}:",
        "terms": "{count} termini",
        "term": "1 termine",
        "zero": " (altri {zeros} sono zero)",
        "none": "{what} = {value}: ogni cammino fino alla perdita ha un fattore 0.",
        "begin": "{what} = {value}: la perdita stessa, dove comincia la retropropagazione.",
        "more": "altri {count}",
        "rounding": "arrotondamento",
        "where": "dove",
    },
}  # fmt: skip


def text(receipt: "Receipt", most: int, depth: int, language: Language) -> str:
    """The receipt, and under it those of the gradients in its largest terms."""
    if language not in _WORDS:
        raise OptionError(f"language={language!r}: choose one of {', '.join(map(repr, _WORDS))}")
    words = _WORDS[language]
    lines = _level(receipt, most, words)
    for _ in range(depth - 1):
        if not receipt.terms:
            break
        asked = receipt.why()
        receipt, passed = _followed(asked)
        if passed:
            symbols = " · ".join([*(term.factor for term in passed), f"∂L/∂{receipt.name}"])
            numbers = " · ".join(shown(number) for number in (*(term.local for term in passed), receipt.value))
            lines += [
                "",
                f"{words['where']} ∂L/∂{asked.name}",
                f"  = {symbols}",
                f"  = {numbers} = {shown(asked.value)}",
            ]
        first, *others = _level(receipt, most, words)
        lines += ["", f"{words['where']} {first}", *others]
    return "\n".join(lines)


def _followed(receipt: "Receipt") -> tuple["Receipt", list["Term"]]:
    """The first receipt on the way to the loss that is no single term, and the terms that were passed."""
    passed: list[Term] = []
    while len(receipt.terms) == 1:
        passed.append(receipt.terms[0])
        receipt = receipt.why()
    return receipt, passed


def _level(receipt: "Receipt", most: int, words: dict[str, str]) -> list[str]:
    """One receipt: what it is, its largest terms, the others together, and the rounding."""
    what, value = f"∂L/∂{receipt.name}", shown(receipt.value, 6)
    if not receipt.terms:
        return [words["begin" if not receipt.node.users else "none"].format(what=what, value=value)]
    count = len(receipt.terms)
    terms = words["term"] if count == 1 else words["terms"].format(count=count)
    zeros = words["zero"].format(zeros=receipt.zeros) if receipt.zeros else ""
    rows = [_row(term) for term in receipt.terms[:most]]
    if count > most:
        rows.append((words["more"].format(count=count - most), "", sum(t.value for t in receipt.terms[most:])))
    if receipt.remainder:
        rows.append((words["rounding"], "", receipt.remainder))
    left, middle = max(len(a) for a, _, _ in rows), max(len(b) for _, b, _ in rows)
    lines = [words["sum"].format(what=what, value=value, terms=terms + zeros)]
    return lines + [f"  {a.ljust(left)}  {b.ljust(middle)}  = {number:+.4g}" for a, b, number in rows]


def _row(term: "Term") -> tuple[str, str, float]:
    """A term in symbols, in numbers, and as one number."""
    gradient = f"∂L/∂{element(term.node.name, term.index)}"
    return f"{term.factor} · {gradient}", f"= {shown(term.local)} · {shown(term.delta)}", term.value
