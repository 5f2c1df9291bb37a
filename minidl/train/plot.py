"""The learning curve as a picture."""

from pathlib import Path

from .history import History


def learning_curve(history: History, path: str | Path) -> bool:
    """Draw loss and accuracy against the epoch into `path` (PNG or SVG, by its ending); False without matplotlib."""
    try:
        from matplotlib.figure import Figure  # not pyplot: no window, no global state
        from matplotlib.ticker import MaxNLocator, PercentFormatter
    except ImportError:
        return False
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for prefix, colour in (("", "#0072B2"), ("validation_", "#D55E00")):  # Okabe & Ito: safe for the colour-blind
            values = history[prefix + name]
            if None not in values:
                label = "validation" if prefix else "training"
                axes.plot(history["epoch"], values, marker="o", markersize=3, color=colour, label=label)
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(frameon=False)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    figure.savefig(path, dpi=120)
    return True
