"""What `check` says, in three languages."""

from typing import TYPE_CHECKING, Any

from ...errors import OptionError

if TYPE_CHECKING:
    from .verdict import Verdict

# (English, Spanish, Italian)
_SENTENCES = {
    "right": (
        "{rule}: right. All numbers of 20 steps are minidl's (to 1e-12).",
        "{rule}: correcto. Todos los números de 20 pasos son los de minidl (hasta 1e-12).",
        "{rule}: giusto. Tutti i numeri di 20 passi sono quelli di minidl (fino a 1e-12).",
    ),
    "departs": (
        "{rule}: step {step} departs in {symbol}: it should be {expected}, and is {found}.",
        "{rule}: el paso {step} se aparta en {symbol}: debería ser {expected}, y es {found}.",
        "{rule}: il passo {step} si scosta in {symbol}: dovrebbe essere {expected}, ed è {found}.",
    ),
    "looks like": ("It looks like this: {slip}.", "Parece esto: {slip}.", "Sembra questo: {slip}."),
    "unknown": (
        "It is none of the known slips. Work {symbol} of step {step} out by hand.",
        "No es ninguno de los errores conocidos. Calcula a mano {symbol} del paso {step}.",
        "Non è nessuno degli errori noti. Calcola a mano {symbol} del passo {step}.",
    ),
    "error": (
        "{rule}: it cannot be run: {error}",
        "{rule}: no se puede ejecutar: {error}",
        "{rule}: non si può eseguire: {error}",
    ),
    "line": (" (line {line})", " (línea {line})", " (riga {line})"),
}  # fmt: skip
_SLIPS = {
    "form accumulated": (
        "v adds up the gradients themselves and lr multiplies v (note A's form), where the other form was asked for",
        "v suma los gradientes mismos y lr multiplica a v (la forma de la nota A), y se pedía la otra",
        "v somma i gradienti stessi e lr moltiplica v (la forma della nota A), e si chiedeva l'altra",
    ),
    "form velocity": (
        "v holds steps, lr being inside it (note B's form, Keras'): right, but another form than the one asked for",
        "v guarda pasos, con lr dentro (la forma de la nota B y de Keras): correcto, pero no es la forma pedida",
        "v contiene passi, con lr dentro (la forma della nota B e di Keras): giusto, ma non è la forma chiesta",
    ),
    "form averaged": (
        "v is an average, the gradient being multiplied by 1 - β: another form than the one asked for",
        "v es un promedio, con el gradiente multiplicado por 1 - β: no es la forma pedida",
        "v è una media, con il gradiente moltiplicato per 1 - β: non è la forma chiesta",
    ),
    "eps inside": (
        "eps is inside the root, √(s + ε), where this rule has √s + ε",
        "eps está dentro de la raíz, √(s + ε), y esta regla tiene √s + ε",
        "eps è dentro la radice, √(s + ε), e questa regola ha √s + ε",
    ),
    "eps outside": (
        "eps is outside the root, √s + ε, where this rule has √(s + ε)",
        "eps está fuera de la raíz, √s + ε, y esta regla tiene √(s + ε)",
        "eps è fuori della radice, √s + ε, e questa regola ha √(s + ε)",
    ),
    "no look-ahead": (
        "this is plain momentum: the look-ahead is missing",
        "esto es momentum sin más: falta el adelanto de Nesterov",
        "questo è momentum semplice: manca l'anticipo di Nesterov",
    ),
    "looks ahead": (
        "this is Nesterov's momentum: it looks ahead",
        "esto es el momentum de Nesterov: mira hacia adelante",
        "questo è il momentum di Nesterov: guarda avanti",
    ),
    "coupled decay": (
        "the weight decay is added to the gradient (as in Adam), where AdamW takes it from the weight itself",
        "el decaimiento de pesos se suma al gradiente (como en Adam); AdamW lo aplica al peso mismo",
        "il decadimento dei pesi si somma al gradiente (come in Adam); AdamW lo applica al peso stesso",
    ),
    "no decay": ("the weight decay is missing", "falta el decaimiento de pesos", "manca il decadimento dei pesi"),
    "constant mu": (
        "μ is constant: its schedule over the steps is missing",
        "μ es constante: falta su variación con los pasos",
        "μ è costante: manca la sua variazione con i passi",
    ),
    "no correction": (
        "the bias corrections are missing: v / (1 - β1^t) and s / (1 - β2^t)",
        "faltan las correcciones de sesgo: v / (1 - β1^t) y s / (1 - β2^t)",
        "mancano le correzioni della distorsione: v / (1 - β1^t) e s / (1 - β2^t)",
    ),
    "no correction of v": (
        "the bias correction of v is missing: v / (1 - β1^t)",
        "falta la corrección de sesgo de v: v / (1 - β1^t)",
        "manca la correzione della distorsione di v: v / (1 - β1^t)",
    ),
    "no correction of s": (
        "the bias correction of s is missing: s / (1 - β2^t)",
        "falta la corrección de sesgo de s: s / (1 - β2^t)",
        "manca la correzione della distorsione di s: s / (1 - β2^t)",
    ),
    "betas swapped": ("β1 and β2 are swapped", "β1 y β2 están intercambiadas", "β1 e β2 sono scambiate"),
    "one beta in the corrections": (
        "both bias corrections use β1 (note A prints it so); that of s takes β2",
        "las dos correcciones de sesgo usan β1 (así lo imprime la nota A); la de s lleva β2",
        "le due correzioni usano β1 (così la nota A); quella di s vuole β2",
    ),
    "one beta": (
        "one β is used for both averages",
        "se usa una sola β para los dos promedios",
        "si usa una sola β per le due medie",
    ),
    "squares of gradients": (
        "d averages the squares of the gradient; it has to be those of the step (a misprint of note A)",
        "d promedia los cuadrados del gradiente; han de ser los del paso (una errata de la nota A)",
        "d fa la media dei quadrati del gradiente; devono essere quelli del passo (un errore di stampa della nota A)",
    ),
    "no square": (
        "the gradient is not squared",
        "falta elevar el gradiente al cuadrado",
        "il gradiente non è al quadrato",
    ),
    "no root": ("the square root is missing", "falta la raíz cuadrada", "manca la radice quadrata"),
    "no remainder": (
        "the factor 1 - β (or 1 - ρ) before the new term is missing",
        "falta el factor 1 - β (o 1 - ρ) ante el término nuevo",
        "manca il fattore 1 - β (o 1 - ρ) davanti al termine nuovo",
    ),
    "shares exchanged": (
        "β and 1 - β (or ρ and 1 - ρ) are exchanged: the old value has to keep the share β",
        "β y 1 - β (o ρ y 1 - ρ) están intercambiados: el valor anterior conserva la parte β",
        "β e 1 - β (o ρ e 1 - ρ) sono scambiati: il valore precedente conserva la parte β",
    ),
    "no rate": ("the learning rate is missing", "falta la tasa de aprendizaje", "manca il tasso di apprendimento"),
    "no eps": ("eps is missing", "falta eps", "manca eps"),
    "t from 0": (
        "t counts from 0 (or is one behind); it counts the updates from 1",
        "t cuenta desde 0 (o va uno atrás); cuenta las actualizaciones desde 1",
        "t conta da 0 (o è indietro di uno); conta gli aggiornamenti da 1",
    ),
    "t ahead": ("t is one ahead", "t va uno adelante", "t è avanti di uno"),
    "state not kept": (
        "a value of the state is not kept from step to step: return the new one",
        "un valor del estado no se conserva de un paso a otro: devuelve el nuevo",
        "un valore dello stato non si conserva da un passo all'altro: restituisci quello nuovo",
    ),
    "old state": (
        "θ is moved by the state of the step before: update that first",
        "θ se mueve con el estado del paso anterior: actualízalo primero",
        "θ si muove con lo stato del passo precedente: aggiornalo prima",
    ),
    "twice": (
        "the average (the momentum) is applied twice in a step",
        "el promedio (el momentum) se aplica dos veces en un paso",
        "la media (il momentum) si applica due volte in un passo",
    ),
    "ascent": (
        "the step goes up: it is taken in the direction of the gradient",
        "el paso sube: va en la dirección del gradiente",
        "il passo sale: va nella direzione del gradiente",
    ),
}  # fmt: skip
_LANGUAGES = {"en": 0, "es": 1, "it": 2}


def sentences(verdict: "Verdict", language: Any) -> str:
    """A verdict in words. Raises `OptionError` for another language."""
    if language not in _LANGUAGES:
        raise OptionError(f"language={language!r}: choose one of {', '.join(map(repr, _LANGUAGES))}")
    which = _LANGUAGES[language]
    facts = {
        "rule": verdict.rule,
        "step": verdict.step,
        "symbol": verdict.symbol,
        "expected": f"{verdict.expected:.12g}",
        "found": f"{verdict.found:.12g}",
        "error": verdict.error,
        "line": verdict.line,
        "slip": _SLIPS[verdict.slip][which] if verdict.slip else "",
    }

    def said(name: str) -> str:
        return _SENTENCES[name][which].format(**facts)

    if verdict.error is not None:
        return said("error") + (said("line") if verdict.line else "")
    if verdict.right:
        return said("right")
    return said("departs") + "\n" + said("looks like" if verdict.slip else "unknown")
