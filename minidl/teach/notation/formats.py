"""The notations a rule is printed in: Python's, plain text with the notes' letters, LaTeX, and MathML."""

import html
from collections.abc import Sequence

from .letters import Letter
from .printer import ATOM, POWER, PRODUCT, TERM, Printer

_LOWERED = str.maketrans("0123456789+-aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_MARKS = {"": "", "hat": "\N{COMBINING CIRCUMFLEX ACCENT}", "tilde": "\N{COMBINING TILDE}", "prime": "′"}
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "η": "eta", "θ": "theta",
    "λ": "lambda", "μ": "mu", "ρ": "rho", "ψ": "psi", "Δ": "Delta", "Π": "Pi",
}  # fmt: skip
_BATCH = {"f": "", "J": "1/|B|·"}  # what stands before a note's gradient: B's J is a sum over the batch
_LATEX_SIGNS = {"*": r"\cdot", "⊙": r"\odot"}
_MATHML_SIGNS = {"*": "·", "-": "\N{MINUS SIGN}", "": "\N{INVISIBLE TIMES}"}
_FUNCTIONS = {"maximum": "max", "minimum": "min", "absolute": "abs"}


class Code(Printer):
    """What Python would evaluate."""

    powers = False

    def letter(self, letter: Letter) -> str:
        return letter.base

    def scientific(self, mantissa: str, exponent: int) -> tuple[str, int]:
        return f"{mantissa}e{exponent}", ATOM

    def infix(self, sign: str, left: str, right: str) -> str:
        return f"{left} {sign.strip()} {right}"

    def negative(self, text: str) -> str:
        return f"-{text}"

    def power(self, base: str, exponent: str, tightness: int) -> str:
        return f"{base} ** {exponent if tightness >= POWER else self.brackets(exponent)}"

    def root(self, text: str, tightness: int) -> str:
        return f"sqrt({text})"

    def product(self, last: str, factor: str, tightness: int) -> str:
        return f"prod({factor} for i in range(1, {last} + 1))"

    def call(self, name: str, args: Sequence[str]) -> str:
        return f"{name}({self.separator.join(args)})"

    def brackets(self, text: str) -> str:
        return f"({text})"


class Text(Code):
    """A line of Unicode: β·v + g², √(s + ε)."""

    powers = True

    def letter(self, letter: Letter) -> str:
        index = letter.below.translate(_LOWERED)
        if any(sign in letter.below for sign in index if sign != " "):  # a letter that Unicode cannot lower
            index = "_" + letter.below.replace(" ", "_")
        return letter.base + (_MARKS[letter.mark] + index if letter.mark != "prime" else index + _MARKS["prime"])

    def infix(self, sign: str, left: str, right: str) -> str:
        return f"{left}·{right}" if sign == "*" else super().infix(sign.replace("*", "·"), left, right)

    def power(self, base: str, exponent: str, tightness: int) -> str:
        if exponent == "2":
            return f"{base}²"
        return f"{base}^{exponent if tightness == ATOM else self.brackets(exponent)}"

    def root(self, text: str, tightness: int) -> str:
        return "√" + (text if tightness == ATOM else self.brackets(text))

    def product(self, last: str, factor: str, tightness: int) -> str:
        return f"∏(i=1…{last}) {factor if tightness >= TERM else self.brackets(factor)}"

    def gradient(self, objective: str, at: str) -> str:
        return f"{_BATCH[objective]}∇{objective}({at})"

    def call(self, name: str, args: Sequence[str]) -> str:
        return super().call(_FUNCTIONS.get(name, name), args)


class Latex(Printer):
    r"""LaTeX's mathematics, as within ``\[ ... \]``."""

    fractions = True

    def letter(self, letter: Letter) -> str:
        text = "".join(rf"\{_GREEK[sign]} " if sign in _GREEK else sign for sign in letter.base).strip()
        if len(letter.base) > 1 and not any(sign in _GREEK for sign in letter.base):
            text = rf"\mathtt{{{text.replace('_', chr(92) + '_')}}}"
        text = rf"\{letter.mark}{{{text}}}" if letter.mark in ("hat", "tilde") else text
        index = (
            letter.below if len(letter.below) < 2 or set("+-") & set(letter.below) else rf"\mathrm{{{letter.below}}}"
        )
        return text + (f"_{{{index}}}" if index else "") + ("'" if letter.mark == "prime" else "")

    def number(self, text: str) -> tuple[str, int]:
        words = {"inf": r"\infty", "nan": r"\mathrm{nan}"}
        return (words[text], ATOM) if text in words else super().number(text.replace(",", "{,}"))

    def scientific(self, mantissa: str, exponent: int) -> tuple[str, int]:
        power = f"10^{{{exponent}}}"
        return (power, POWER) if mantissa == "1" else (rf"{mantissa} \cdot {power}", PRODUCT)

    def infix(self, sign: str, left: str, right: str) -> str:
        return " ".join(filter(None, (left, _LATEX_SIGNS.get(sign.strip(), sign), right)))

    def product(self, last: str, factor: str, tightness: int) -> str:
        return rf"\prod_{{i=1}}^{{{last}}} {factor if tightness >= TERM else self.brackets(factor)}"

    def gradient(self, objective: str, at: str) -> str:
        nabla = r"\frac{1}{|\mathcal{B}|} \nabla_{\theta}" if _BATCH[objective] else r"\nabla"
        return rf"{nabla} {objective}\left({at}\right)"

    def negative(self, text: str) -> str:
        return f"-{text}"

    def fraction(self, over: str, under: str) -> str:
        return rf"\frac{{{over}}}{{{under}}}"

    def power(self, base: str, exponent: str, tightness: int) -> str:
        return f"{base}^{{{exponent}}}"

    def root(self, text: str, tightness: int) -> str:
        return rf"\sqrt{{{text}}}"

    def call(self, name: str, args: Sequence[str]) -> str:
        return rf"\operatorname{{{_FUNCTIONS.get(name, name)}}}\left({self.separator.join(args)}\right)"

    def brackets(self, text: str) -> str:
        return rf"\left({text}\right)"


class MathML(Printer):
    """MathML Core, which browsers show without help; each piece is one element."""

    fractions = True

    def letter(self, letter: Letter) -> str:
        text = f"<mi>{html.escape(letter.base)}</mi>"
        index = f"<mtext>{html.escape(letter.below)}</mtext>" if letter.below else ""
        if letter.mark in ("hat", "tilde"):
            text = f'<mover accent="true">{text}<mo>{"^" if letter.mark == "hat" else "~"}</mo></mover>'
        if letter.mark == "prime":
            return f"<msubsup>{text}{index}<mo>′</mo></msubsup>" if index else f"<msup>{text}<mo>′</mo></msup>"
        return f"<msub>{text}{index}</msub>" if index else text

    def number(self, text: str) -> tuple[str, int]:
        return super().number(text) if "e" in text else (f"<mn>{text}</mn>", ATOM)

    def scientific(self, mantissa: str, exponent: int) -> tuple[str, int]:
        power = f"<msup><mn>10</mn><mn>{exponent}</mn></msup>".replace("-", "\N{MINUS SIGN}")
        return (power, POWER) if mantissa == "1" else (self.infix("*", f"<mn>{mantissa}</mn>", power), PRODUCT)

    def infix(self, sign: str, left: str, right: str) -> str:
        sign = _MATHML_SIGNS.get(sign.strip(), sign)
        return f"<mrow>{left}<mo>{sign}</mo>{right}</mrow>"

    def negative(self, text: str) -> str:
        return f"<mrow><mo>\N{MINUS SIGN}</mo>{text}</mrow>"

    def product(self, last: str, factor: str, tightness: int) -> str:
        factor = factor if tightness >= TERM else self.brackets(factor)
        first = "<mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow>"
        return f"<mrow><munderover><mo>∏</mo>{first}{last}</munderover>{factor}</mrow>"

    def gradient(self, objective: str, at: str) -> str:
        nabla = "<mo>∇</mo>"
        if _BATCH[objective]:
            size = "<mrow><mo>|</mo><mi>B</mi><mo>|</mo></mrow>"
            nabla = f"<mfrac><mn>1</mn>{size}</mfrac><msub>{nabla}<mi>θ</mi></msub>"
        return f"<mrow>{nabla}<mi>{objective}</mi><mo>(</mo>{at}<mo>)</mo></mrow>"

    def fraction(self, over: str, under: str) -> str:
        return f"<mfrac>{over}{under}</mfrac>"

    def power(self, base: str, exponent: str, tightness: int) -> str:
        return f"<msup>{base}{exponent}</msup>"

    def root(self, text: str, tightness: int) -> str:
        return f"<msqrt>{text}</msqrt>"

    def call(self, name: str, args: Sequence[str]) -> str:
        inside = f"<mo>{self.separator.strip()}</mo>".join(args)
        return f"<mrow><mi>{_FUNCTIONS.get(name, name)}</mi><mo>(</mo>{inside}<mo>)</mo></mrow>"

    def brackets(self, text: str) -> str:
        return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"
