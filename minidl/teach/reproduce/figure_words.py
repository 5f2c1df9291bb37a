"""The words in figures, in the reader's language: a row draws them in English, they are translated as it is saved."""

import re
from typing import Any

from .._ledger.sentences import Language

_WORDS = {  # English: Spanish, Italian; the longest that fits is taken
    "gradient descent": ("descenso del gradiente", "discesa del gradiente"),
    "each rule at its default rate": ("cada regla con su α predeterminado", "ogni regola con il suo α predefinito"),
    "each at its best α": ("cada una con su mejor α", "ciascuna con il suo α migliore"),
    "each rule at its best of": ("cada regla con el mejor de", "ogni regola con il migliore di"),
    "rates": ("valores de α", "valori di α"),
    "at its default rate": ("con su α predeterminado", "con il suo α predefinito"),
    "too small": ("demasiado pequeño", "troppo piccolo"),
    "too large": ("demasiado grande", "troppo grande"),
    "right": ("adecuado", "adatto"),
    "off the picture": ("fuera de la figura", "fuori dalla figura"),
    "steps are off the picture": ("pasos fuera de la figura", "passi fuori dalla figura"),
    "from step": ("desde el paso", "dal passo"),
    "of 20": ("de 20", "di 20"),
    "at C after": ("en C tras", "in C dopo"),
    "after": ("tras", "dopo"),
    "epoch 20": ("epoch 20", "epoch 20"),  # as the note prints it
    "epoch": ("época", "epoca"),
    "steps": ("pasos", "passi"),
    "step": ("paso", "passo"),
    "steps ago": ("pasos atrás", "passi fa"),
    "step length": ("longitud del paso", "lunghezza del passo"),
    "first step": ("primer paso", "primo passo"),
    "in each coordinate": ("en cada coordenada", "in ogni coordinata"),
    "distance of each coordinate from the minimum": (
        "distancia de cada coordenada al mínimo",
        "distanza di ogni coordinata dal minimo",
    ),
    "distance from the minimum": ("distancia al mínimo", "distanza dal minimo"),
    "a local minimum stops it": ("un mínimo local lo detiene", "un minimo locale la ferma"),
    "a saddle point holds it up": ("un punto de ensilladura lo demora", "un punto di sella la rallenta"),
    "a vanishing gradient: hardly a step": (
        "un gradiente que desaparece: apenas avanza",
        "il gradiente svanisce: quasi ferma",
    ),
    "global minimum": ("mínimo global", "minimo globale"),
    "saddle": ("ensilladura", "sella"),
    "slope": ("pendiente", "pendenza"),
    "spectral radius": ("radio espectral", "raggio spettrale"),
    "its runs": ("sus ejecuciones", "le sue esecuzioni"),
    "below 1 it converges": ("por debajo de 1 converge", "sotto 1 converge"),
    "the same, on a log scale": ("lo mismo, en escala logarítmica", "lo stesso, in scala logaritmica"),
    "inside": ("dentro", "dentro"),
    "weight": ("peso", "peso"),
    "of that gradient in v": ("de ese gradiente en v", "di quel gradiente in v"),
    "of that": ("de ese", "di quel"),
    "in s": ("en s", "in s"),
    "updates": ("actualizaciones", "aggiornamenti"),
    "not epochs": ("no épocas", "non epoche"),
    "linear to": ("lineal hasta", "lineare fino a"),
    "at τ": ("en τ", "a τ"),
    "validation loss": ("loss de validación", "loss di validazione"),
    "validation error": ("error de validación", "errore di validazione"),
    "lowest validation loss": ("menor loss de validación", "minima loss di validazione"),
    "training": ("entrenamiento", "addestramento"),
    "validation": ("validación", "validazione"),
    "on 300 images": ("con 300 imágenes", "su 300 immagini"),
    "learning rate": ("learning rate", "learning rate"),
    "its learning rate": ("su learning rate", "il suo learning rate"),
    "of each weight": ("de cada peso", "di ogni peso"),
    "frequent": ("frecuente", "frequente"),
    "rare": ("rara", "rara"),
    "how far the rare weight is off; α chosen by": (
        "error del peso de la rara; α elegido por",
        "errore del peso della rara; α scelto con",
    ),
    "falls fast, by the frequent": ("decae rápido, por la frecuente", "decade in fretta, con la frequente"),
    "falls fast, by both": ("decae rápido, por ambas", "decade in fretta, con entrambe"),
    "by both": ("por ambas", "con entrambe"),
    "batch size": ("tamaño del lote", "dimensione del batch"),
    "per example": ("por ejemplo", "per esempio"),
    "measured": ("medido", "misurato"),
    "if only the step cost time": ("si solo costara el paso", "se costasse solo il passo"),
    "layer": ("capa", "livello"),
    "ten layers of": ("diez capas de", "dieci livelli di"),
    "six layers of": ("seis capas de", "sei livelli di"),
    "layers of": ("capas de", "livelli di"),
    "mean square of outputs": ("media cuadrática de las salidas", "media quadratica delle uscite"),
    "mean square of the gradient": ("media cuadrática del gradiente", "media quadratica del gradiente"),
    "layer 10's": ("capa 10", "livello 10"),
    "at the border: 0, or too small": ("en el borde: 0, o demasiado pequeño", "al bordo: 0, o troppo piccolo"),
    "zeros": ("ceros", "zeri"),
    "not a number from the first updates on": ("no finita desde el principio", "non finita fin dall'inizio"),
    "momentum step": ("paso del momentum", "passo del momentum"),
    "gradient step": ("paso del gradiente", "passo del gradiente"),
    "actual step": ("paso real", "passo effettivo"),
    "momentum: the gradient is taken at": ("momentum: el gradiente se evalúa en", "momentum: gradiente calcolato in"),
    "first βv, then the gradient at": ("primero βv, luego el gradiente en", "prima βv, poi il gradiente in"),
    "momentum's end": ("fin del momentum", "arrivo del momentum"),
    "as printed": ("como está impreso", "come è stampato"),
    "as meant": ("como debe ser", "come si intende"),
    "a gradient of 1": ("un gradiente de 1", "un gradiente di 1"),
    "none after the first": ("ninguno tras el primero", "nessuno dopo il primo"),
    "α constant, nothing else tuned": ("α constante, nada más ajustado", "α costante, nient'altro ottimizzato"),
    "α falls, nothing else tuned": ("α decae, nada más ajustado", "α decade, nient'altro ottimizzato"),
    "α constant, all else tuned": ("α constante, todo ajustado", "α costante, tutto ottimizzato"),
    "α falls, all else tuned": ("α decae, todo ajustado", "α decade, tutto ottimizzato"),
    "without": ("sin BN", "senza BN"),
    "BN before ReLU": ("BN antes de ReLU", "BN prima di ReLU"),
    "BN after ReLU": ("BN después de ReLU", "BN dopo ReLU"),
    "harder pictures": ("imágenes más difíciles", "immagini più difficili"),
    "bags of words": ("bolsas de palabras", "insiemi di parole"),
    "linear": ("lineal", "lineare"),
    "of": ("de", "di"),
    "to": ("hasta", "fino a"),
    "or": ("o", "o"),
}  # fmt: skip
_PHRASE = re.compile(
    r"(?<![\w\\])(?:" + "|".join(re.escape(words) for words in sorted(_WORDS, key=len, reverse=True)) + r")(?![\w])"
)


def translated(text: str, language: Language) -> str:
    """A figure's text with its English words in `language`; formulas, names and numbers stay as they are."""
    if language == "en":
        return text
    return _PHRASE.sub(lambda found: _WORDS[found[0]][("es", "it").index(language)], text)


def translate(figure: Any, language: Language) -> None:
    """Put all words of a figure into `language`."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(translated(text.get_text(), language))
