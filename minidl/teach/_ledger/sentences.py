"""What `explain` and the ledger say, in three languages. Names in braces are filled in by explain.py and writing.py."""

from typing import Literal, TypeAlias

from ...errors import OptionError

ENGLISH = {
    "moved": "Step {t} of {rule} moved {where} by {step}, from {before} to {after}.",
    "unmoved": "Step {t} of {rule} left {where} at {before}.",
    "diverged": "These are no finite numbers any more: the training diverged at step {since}.",
    "unstable": "It grows without end: {product} = {lr} · {curvature} = {value} > {limit} (λ is the curvature here, "
    "{limit} the largest {product} at which {rule} converges).",
    "ahead": "(What it holds is the look-ahead point, θ̃, where the gradient is taken.)",
    "apart": "(These are θ itself; what the parameter holds is the look-ahead point, θ̃, where the gradient is taken.)",
    "momentum": "Momentum (what the earlier steps have left) contributed {push}.",
    "no momentum": "There is no momentum yet: there are no earlier steps.",
    "idle momentum": "Momentum contributed nothing: the earlier steps have left none.",
    "gradient": "The gradient of this step, {g}, times {rate}, contributed {push}.",
    "gradient too": "The gradient of this step, {g}, times {rate}, contributed {push}, the same way.",
    "gradient against": "The gradient of this step, {g}, times {rate}, contributed {push}, the other way.",
    "no gradient": "The gradient of this step is zero and contributed nothing.",
    "corrected": "Bias correction: averages begin at 0, and so were made larger: {corrections}.",
    "correction": "{name} by 1 / ({divisor}) = {factor}",
    "first step": "That is why the first step is as long as the learning rate, {lr}, whatever the gradient's size.",
    "divided": "The divisor, {divisor}, divided the push by {value}: an effective learning rate of {rate}",
    "modulated": "In the place of a learning rate stands {numerator} = {over}, the size of its own recent steps; the "
    "divisor, {divisor}, divided the push by {value}: an effective learning rate of {rate}",
    "grown": "; the divisor is now {ratio} times that of step {first}.",
    "shrunk": "; the divisor is now {percent} % smaller than that of step {first}.",
    "level": "; the divisor is about what it was at step {first}.",
    "decay": "Weight decay drew it towards zero by {size}.",
    "other": "The rest of the rule, which is no such sum, moved it by {push}.",
    "rounding": "Rounding to {dtype} changed it by {push}.",
    "sum": "Together: {sum} = {step}.",
    "moved by": "moved {theta} by",
    "kept": "kept as {dtype}",
    "absent": "Note {note} has no {rule}: these are minidl's lines, in the note's letters.",
    "differs": "Note {note} has {asked}, this training {own}: these are minidl's lines, in the note's letters.",
    "letters only": 'Note {note} itself writes {lines}: that is --note {note}, or note="{note}".',
    "no line": "Note A has no line of its own for this rule: it is that of its momentum, with β = 0.",
    "one beta": "Note A prints 1 - β^t, one β for both corrections; β₁ and β₂ are meant.",
    "square": "Note A prints gₜ² in the line of Δxₜ, where gₜ′² is meant; it tells what gₜ′ is in words only.",
    "no decay": "Note {note} has no weight decay: λ·{theta}, the gradient of the regularisation λ/2·{theta}², joins "
    "the gradient here.",
    "rate": "effective rate",
}
SPANISH = {
    "moved": "En el paso {t}, {rule} desplazó {where} en {step}: de {before} a {after}.",
    "unmoved": "En el paso {t}, {rule} dejó {where} en {before}.",
    "diverged": "Ya no son números finitos: el entrenamiento divergió en el paso {since}.",
    "unstable": "Crece sin límite: {product} = {lr} · {curvature} = {value} > {limit} (λ es la curvatura aquí, "
    "{limit} el mayor {product} con el que {rule} converge).",
    "ahead": "(El valor guardado es el punto adelantado, θ̃, donde se evalúa el gradiente.)",
    "apart": "(Son los valores de θ; el parámetro guarda el punto adelantado, θ̃, donde se evalúa el gradiente.)",
    "momentum": "El momentum (lo acumulado en los pasos anteriores) aportó {push}.",
    "no momentum": "Todavía no hay momentum: no hay pasos anteriores.",
    "idle momentum": "El momentum no aportó nada: los pasos anteriores no acumularon nada.",
    "gradient": "El gradiente de este paso, {g}, multiplicado por {rate}, aportó {push}.",
    "gradient too": "El gradiente de este paso, {g}, multiplicado por {rate}, aportó {push}, en el mismo sentido.",
    "gradient against": "El gradiente de este paso, {g}, multiplicado por {rate}, aportó {push}, en sentido contrario.",
    "no gradient": "El gradiente de este paso es cero y no aportó nada.",
    "corrected": "Corrección del sesgo: los promedios parten de 0, y por eso se multiplicaron: {corrections}.",
    "correction": "{name} por 1 / ({divisor}) = {factor}",
    "first step": "Por eso el primer paso mide lo que la tasa de aprendizaje, {lr}, sea cual sea el gradiente.",
    "divided": "El divisor, {divisor}, dividió el empuje por {value}: una tasa de aprendizaje efectiva de {rate}",
    "modulated": "En lugar de una tasa de aprendizaje está {numerator} = {over}, el tamaño de sus pasos recientes; el "
    "divisor, {divisor}, dividió el empuje por {value}: una tasa de aprendizaje efectiva de {rate}",
    "grown": "; el divisor es hoy {ratio} veces el del paso {first}.",
    "shrunk": "; el divisor es hoy un {percent} % menor que el del paso {first}.",
    "level": "; el divisor es casi el mismo que en el paso {first}.",
    "decay": "El decaimiento de pesos (weight decay) lo acercó a cero en {size}.",
    "other": "El resto de la regla, que no se reduce a esa suma, lo movió en {push}.",
    "rounding": "El redondeo a {dtype} lo cambió en {push}.",
    "sum": "En total: {sum} = {step}.",
    "moved by": "{theta} se desplazó en",
    "kept": "guardado como {dtype}",
    "absent": "La nota {note} no tiene {rule}: son las líneas de minidl, con las letras de la nota.",
    "differs": "La nota {note} tiene {asked}, y este entrenamiento {own}: son las líneas de minidl, con las letras de "
    "la nota.",
    "letters only": 'La nota {note} misma escribe {lines}: se pide con --note {note}, o note="{note}".',
    "no line": "La nota A no tiene una línea propia para esta regla: es la de su momentum, con β = 0.",
    "one beta": "La nota A imprime 1 - β^t, una sola β en las dos correcciones; se entiende β₁ y β₂.",
    "square": "La nota A imprime gₜ² en la línea de Δxₜ, donde va gₜ′²; qué es gₜ′ lo dice solo con palabras.",
    "no decay": "La nota {note} no tiene decaimiento de pesos: λ·{theta}, el gradiente de la regularización "
    "λ/2·{theta}², se suma aquí al gradiente.",
    "rate": "tasa efectiva",
}
ITALIAN = {
    "moved": "Al passo {t}, {rule} ha spostato {where} di {step}: da {before} a {after}.",
    "unmoved": "Al passo {t}, {rule} ha lasciato {where} a {before}.",
    "diverged": "Non sono più numeri finiti: l'addestramento è andato in divergenza al passo {since}.",
    "unstable": "Cresce senza limite: {product} = {lr} · {curvature} = {value} > {limit} (λ è la curvatura qui, "
    "{limit} il massimo {product} con cui {rule} converge).",
    "ahead": "(Il valore conservato è il punto anticipato, θ̃, in cui si calcola il gradiente.)",
    "apart": "(Sono i valori di θ; il parametro conserva il punto anticipato, θ̃, in cui si calcola il gradiente.)",
    "momentum": "Il momentum, cioè quanto accumulato nei passi precedenti, ha contribuito {push}.",
    "no momentum": "Non c'è ancora momentum: non ci sono passi precedenti.",
    "idle momentum": "Il momentum non ha contribuito: i passi precedenti non hanno accumulato nulla.",
    "gradient": "Il gradiente di questo passo, {g}, moltiplicato per {rate}, ha contribuito {push}.",
    "gradient too": "Il gradiente di questo passo, {g}, moltiplicato per {rate}, ha contribuito {push}, nello stesso "
    "verso.",
    "gradient against": "Il gradiente di questo passo, {g}, moltiplicato per {rate}, ha contribuito {push}, nel verso "
    "opposto.",
    "no gradient": "Il gradiente di questo passo è zero e non ha contribuito.",
    "corrected": "Correzione del bias: le medie partono da 0, e perciò sono state moltiplicate: {corrections}.",
    "correction": "{name} per 1 / ({divisor}) = {factor}",
    "first step": "Per questo il primo passo è lungo quanto il tasso di apprendimento, {lr}, con qualunque gradiente.",
    "divided": "Il divisore, {divisor}, ha diviso la spinta per {value}: un tasso di apprendimento effettivo di {rate}",
    "modulated": "Al posto di un tasso di apprendimento c'è {numerator} = {over}, la grandezza dei suoi passi recenti; "
    "il divisore, {divisor}, ha diviso la spinta per {value}: un tasso di apprendimento effettivo di {rate}",
    "grown": "; il divisore è ora {ratio} volte quello del passo {first}.",
    "shrunk": "; il divisore è ora più piccolo di quello del passo {first} ({percent} % in meno).",
    "level": "; il divisore è quasi quello del passo {first}.",
    "decay": "Il decadimento dei pesi (weight decay) lo ha avvicinato a zero di {size}.",
    "other": "Il resto della regola, che non si riduce a tale somma, lo ha spostato di {push}.",
    "rounding": "L'arrotondamento a {dtype} lo ha cambiato di {push}.",
    "sum": "In totale: {sum} = {step}.",
    "moved by": "{theta} si è spostato di",
    "kept": "conservato come {dtype}",
    "absent": "La nota {note} non ha {rule}: sono le righe di minidl, con le lettere della nota.",
    "differs": "La nota {note} ha {asked}, questo addestramento {own}: sono le righe di minidl, con le lettere della "
    "nota.",
    "letters only": 'La nota {note} stessa scrive {lines}: si chiede con --note {note}, o note="{note}".',
    "no line": "La nota A non ha una riga propria per questa regola: è quella del suo momentum, con β = 0.",
    "one beta": "La nota A stampa 1 - β^t, un solo β nelle due correzioni; si intendono β₁ e β₂.",
    "square": "La nota A stampa gₜ² nella riga di Δxₜ, dove va gₜ′²; che cosa sia gₜ′ lo dice solo a parole.",
    "no decay": "La nota {note} non ha decadimento dei pesi: λ·{theta}, il gradiente della regolarizzazione "
    "λ/2·{theta}², si somma qui al gradiente.",
    "rate": "tasso effettivo",
}
Language: TypeAlias = Literal["en", "es", "it"]
Decimal: TypeAlias = Literal[".", ","]
LANGUAGES: dict[Language, dict[str, str]] = {"en": ENGLISH, "es": SPANISH, "it": ITALIAN}
_DECIMALS: dict[Language, Decimal] = {"en": ".", "es": ",", "it": ","}


def sentences(language: Language) -> dict[str, str]:
    """The templates of "en", "es" or "it". Raises `OptionError` for another language."""
    if language not in LANGUAGES:
        raise OptionError(f"language={language!r}: choose one of {', '.join(map(repr, LANGUAGES))}")
    return LANGUAGES[language]


def decimal_of(language: Language, decimal: Decimal | None, letters: str = "") -> Decimal:
    """The sign before decimals: `decimal` if it is given, else the language's; a point in lines that are Python.

    Raises `OptionError` for another sign or language.
    """
    sentences(language)
    if decimal not in (None, ".", ","):
        raise OptionError(f"decimal={decimal!r}: choose '.' or ','")
    return "." if letters == "code" else decimal or _DECIMALS[language]
