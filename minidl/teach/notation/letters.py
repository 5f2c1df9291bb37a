"""The alphabets in which a rule can be printed: the code's own names, and the letters of the two notes.

    code   theta  g  lr  beta  rho  eps  v  s      as the rules spell them
    A      w      g  η   β     γ    ε    v  s      note A
    B      θ      g  α   β     ρ    δ    v  r      note B

Where a note is silent (NAdam in both, AdaDelta in B) the letter is ours. A name that no alphabet has, that of
a rule of your own, stands for itself.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from ...errors import OptionError


class Letter(NamedTuple):
    """How a name is written: a letter or word, what stands below it, and a mark: "hat", "tilde" or "prime"."""

    base: str
    below: str = ""
    mark: str = ""


_BOTH = {
    "beta": Letter("β"),
    "beta1": Letter("β", "1"),
    "beta2": Letter("β", "2"),
    "weight_decay": Letter("λ"),
    "momentum_decay": Letter("ψ"),
    "mu": Letter("μ", "t"),
    "mu_next": Letter("μ", "t+1"),
    "product": Letter("Π", "t"),
}
_A = _BOTH | {
    "theta": Letter("w"),
    "lr": Letter("η"),
    "rho": Letter("γ"),
    "eps": Letter("ε"),
    "v_hat": Letter("v", mark="prime"),
    "s_hat": Letter("s", mark="prime"),
    "s_max": Letter("s", "max"),
    "d": Letter("Δx"),
    "step": Letter("g", mark="prime"),
}
_B = _BOTH | {
    "theta": Letter("θ"),
    "lr": Letter("α"),
    "rho": Letter("ρ"),
    "eps": Letter("δ"),
    "s": Letter("r"),
    "interim": Letter("θ", mark="tilde"),
    "v_hat": Letter("v", mark="hat"),
    "s_hat": Letter("r", mark="hat"),
    "s_max": Letter("r", "max"),
    "step": Letter("Δ"),
}
Alphabet: TypeAlias = Literal["code", "A", "B"]
ALPHABETS: dict[Alphabet, dict[str, Letter]] = {"code": {}, "A": _A, "B": _B}


def alphabet(letters: Alphabet, ahead: bool = False) -> Callable[[str], Letter]:
    """The function from a rule's names to Letters; `letters` is "code", "A" or "B".

    `ahead` says that the parameters hold a look-ahead point: theta is then written with a tilde, and
    "iterate", which is θ itself, without. A name that ends in "_old" is that of a value since replaced.
    Raises `OptionError` for another alphabet.
    """
    if letters not in ALPHABETS:
        raise OptionError(f"letters={letters!r}: choose one of {', '.join(map(repr, ALPHABETS))}")
    names = dict(ALPHABETS[letters])
    if ahead and names:
        names["iterate"], names["theta"] = names["theta"], names["theta"]._replace(mark="tilde")

    def letter(name: str) -> Letter:
        if names and name.endswith("_old"):
            known = letter(name.removesuffix("_old"))
            return known._replace(below=f"{known.below} old".strip())
        return names.get(name, Letter(name))

    return letter
