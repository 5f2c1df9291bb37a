"""The sentences of `explain`, in three languages. Names in braces are filled in by explain.py."""

from typing import Literal, TypeAlias

from ...errors import OptionError

ENGLISH = {
    "moved": "Step {t} of {rule} moved {where} by {step}, from {before} to {after}.",
    "unmoved": "Step {t} of {rule} left {where} at {before}.",
    "diverged": "These are no numbers any more: the training has blown up.",
    "ahead": "(What it holds is the look-ahead point, at which the gradient is taken.)",
    "momentum": "Momentum, what earlier steps have left, pushed it by {push}.",
    "no momentum": "Momentum pushed nothing: earlier steps have left none.",
    "gradient": "Today's gradient, {g}, was multiplied by {rate} and pushed it by {push}.",
    "gradient too": "Today's gradient, {g}, was multiplied by {rate} and pushed the same way, by {push}.",
    "gradient against": "Today's gradient, {g}, was multiplied by {rate} and pushed the other way, by {push}.",
    "no gradient": "Today's gradient is zero and pushed nothing.",
    "shrunk": "The divisor, {divisor} = {value}, made the push {factor} times smaller",
    "enlarged": "The divisor, {divisor} = {value}, made the push {factor} times larger",
    "since": "; it is {ratio} times what it was at step {first}.",
    "decay": "Weight decay pulled it towards zero, by {push}.",
    "other": "The rest of the rule, which is no such sum, moved it by {push}.",
    "rounding": "Rounding to {dtype} changed it by {push}.",
    "sum": "Together: {sum} = {step}.",
}
SPANISH = {
    "moved": "El paso {t} de {rule} movió {where} en {step}, de {before} a {after}.",
    "unmoved": "El paso {t} de {rule} dejó {where} en {before}.",
    "diverged": "Esto ya no son números: el entrenamiento ha divergido.",
    "ahead": "(Lo que guarda es el punto adelantado, en el que se toma el gradiente.)",
    "momentum": "El momentum, lo que dejaron los pasos anteriores, lo empujó en {push}.",
    "no momentum": "El momentum no empujó nada: los pasos anteriores no dejaron nada.",
    "gradient": "El gradiente de hoy, {g}, se multiplicó por {rate} y lo empujó en {push}.",
    "gradient too": "El gradiente de hoy, {g}, se multiplicó por {rate} y empujó en el mismo sentido, en {push}.",
    "gradient against": "El gradiente de hoy, {g}, se multiplicó por {rate} y empujó en sentido contrario, en {push}.",
    "no gradient": "El gradiente de hoy es cero y no empujó nada.",
    "shrunk": "El divisor, {divisor} = {value}, hizo el empuje {factor} veces menor",
    "enlarged": "El divisor, {divisor} = {value}, hizo el empuje {factor} veces mayor",
    "since": "; es {ratio} veces lo que era en el paso {first}.",
    "decay": "El decaimiento de los pesos (weight decay) lo acercó a cero, en {push}.",
    "other": "El resto de la regla, que no es una suma así, lo movió en {push}.",
    "rounding": "El redondeo a {dtype} lo cambió en {push}.",
    "sum": "En total: {sum} = {step}.",
}
ITALIAN = {
    "moved": "Il passo {t} di {rule} ha spostato {where} di {step}, da {before} a {after}.",
    "unmoved": "Il passo {t} di {rule} ha lasciato {where} a {before}.",
    "diverged": "Questi non sono più numeri: l'addestramento è divergito.",
    "ahead": "(Ciò che contiene è il punto anticipato, in cui si prende il gradiente.)",
    "momentum": "Il momentum, ciò che hanno lasciato i passi precedenti, lo ha spinto di {push}.",
    "no momentum": "Il momentum non ha spinto: i passi precedenti non hanno lasciato nulla.",
    "gradient": "Il gradiente di oggi, {g}, moltiplicato per {rate}, lo ha spinto di {push}.",
    "gradient too": "Il gradiente di oggi, {g}, moltiplicato per {rate}, ha spinto nello stesso verso, di {push}.",
    "gradient against": "Il gradiente di oggi, {g}, moltiplicato per {rate}, ha spinto nel verso opposto, di {push}.",
    "no gradient": "Il gradiente di oggi è zero e non ha spinto.",
    "shrunk": "Il divisore, {divisor} = {value}, ha reso la spinta {factor} volte più piccola",
    "enlarged": "Il divisore, {divisor} = {value}, ha reso la spinta {factor} volte più grande",
    "since": "; è {ratio} volte quello del passo {first}.",
    "decay": "Il decadimento dei pesi (weight decay) lo ha avvicinato a zero, di {push}.",
    "other": "Il resto della regola, che non è una somma simile, lo ha spostato di {push}.",
    "rounding": "L'arrotondamento a {dtype} lo ha cambiato di {push}.",
    "sum": "In tutto: {sum} = {step}.",
}
Language: TypeAlias = Literal["en", "es", "it"]
LANGUAGES: dict[Language, dict[str, str]] = {"en": ENGLISH, "es": SPANISH, "it": ITALIAN}


def sentences(language: Language) -> dict[str, str]:
    """The templates of "en", "es" or "it". Raises `OptionError` for another language."""
    if language not in LANGUAGES:
        raise OptionError(f"language={language!r}: choose one of {', '.join(map(repr, LANGUAGES))}")
    return LANGUAGES[language]
