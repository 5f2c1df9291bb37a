"""The lines of the notes in which expected values stand, as the notes have them, in LaTeX; and how they are read."""

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "notes"
_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "Delta": "Δ", "epsilon": "ϵ", "varepsilon": "ε", "eta": "η",
    "theta": "θ", "mu": "μ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "infty": "∞", "sum": "Σ", "cdot": "·",
    "in": "∈",
}  # fmt: skip


def plain(text: str) -> str:
    """Text without LaTeX, emphasis, braces and spaces: what two writings of one sentence have in common."""
    text = re.sub(r"\\frac\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}", r"\1/\2", text)
    text = re.sub(r"\\(?:bar|tilde|hat|mathbf|mathcal|rm)\b", "", text)
    text = re.sub(r"\\([A-Za-z]+)", lambda found: _GREEK.get(found[1], found[1]), text)
    return re.sub(r"[\s${}*\\]", "", text)


def lines(note: str) -> list[str]:
    """The lines that the tests have of a note, "note A" or "note B"."""
    return (_FOLDER / f"{note[-1].lower()}.txt").read_text(encoding="utf-8").splitlines()


def stands_in(words: str, note: str) -> bool:
    """Whether these words stand in a line of the note."""
    return any(plain(words) in plain(line) for line in lines(note))
