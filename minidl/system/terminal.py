"""What goes to the terminal: text only, whatever a file name or a file holds, and in any encoding."""

import codecs
import os
import re
import sys
import unicodedata

# What a terminal obeys instead of showing it: control characters, marks that turn the direction of writing, and the
# halves of characters that stand in file names for bytes that are no text.
_OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_INDEX = re.compile("[₀-₎ₐ-ₜᵢᵣᵤᵥ]+")  # what stands below a letter, as in vₜ₋₁: v_{t-1}
_SPELLED = {  # in ASCII; Greek letters go by their names, and letters with accents go without
    "←": "<-", "→": "->", "≈": "~", "≤": "<=", "≥": ">=", "±": "+-", "×": "x", "·": "*", "⊙": "*", "√": "sqrt ",
    "–": "-", "—": "-", "−": "-", "…": "...", "⋯": "...", "‖": "|", "│": "|", "′": "'", "’": "'", "‘": "'", "“": '"',
    "”": '"', "✓": "ok", "✗": "no", "∞": "inf", "∇": "grad ", "∂": "d", "∈": "in", "½": "1/2", "µ": "u", "°": " deg",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "_hat", "\N{COMBINING TILDE}": "~",
}  # fmt: skip


def printable(text: object, lines: bool = False) -> str:
    r"""`text`, its control characters written out, as in ``\x1b``; `lines` leaves it its newlines.

    For what comes from outside, a file's name above all, before it becomes part of a message.
    """
    return _OBEYED.sub(lambda found: found[0] if lines and found[0] == "\n" else _escaped(found[0]), str(text))


def tell(text: str, error: bool = False) -> None:
    """Print `text` to standard output (`error`: standard error), without control characters.

    In the letters that the stream's encoding has; nowhere, if the stream is closed or was never there. Raises
    ``OSError`` if its reader has gone or its disk is full.
    """
    stream = sys.stderr if error else sys.stdout
    if stream is None or stream.closed:
        return
    text = printable(text, lines=True)
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError as failed:
        print(text.encode(failed.encoding, "minidl.spelled").decode(failed.encoding), file=stream, flush=True)


def attach_missing_streams() -> None:
    """Let standard streams that were closed lead nowhere, so that no file takes their number and nobody meets None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (for as long as Python runs)


def spell_what_has_no_letter() -> None:
    """Let both standard streams spell out what their encoding has no letter for: θ as theta, ← as <-."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="minidl.spelled")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """What stands for the characters that could not be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = _INDEX.sub(
        lambda run: f"_{{{run[0]}}}" if len(run[0]) > 1 else f"_{run[0]}", error.object[error.start : error.end]
    )
    return "".join(map(_in_ascii, text)), error.end


def _in_ascii(character: str) -> str:
    if character in _SPELLED:
        return _SPELLED[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK"):
        letter = name.partition(" WITH ")[0].split()[-1]
        return letter.capitalize() if "CAPITAL" in name else letter.lower()
    plain = "".join(c if c.isascii() else _SPELLED.get(c, "") for c in unicodedata.normalize("NFKD", character))
    return ("^" * name.startswith(("SUPERSCRIPT", "MODIFIER")) + plain) if plain else "?"


codecs.register_error("minidl.spelled", _spelled)
