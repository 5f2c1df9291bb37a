"""Weight decay for weights alone."""

from typing import Any


def decay_groups(model: Any, weight_decay: float = 0.01) -> list[dict[str, Any]]:
    """The parameters of `model` in two groups: what has two axes or more decays, and nothing else.

    So biases and BatchNorm's gamma and beta, which are vectors, do not: they have few degrees of freedom to fit noise
    with, and pulling gamma towards zero would change what the layer is (Goodfellow et al. 2016, 7.1; timm calls it
    ``param_groups_weight_decay``)::

        optimizer = optim.AdamW(optim.decay_groups(model, weight_decay=0.05), lr=1e-3)

    Args:
        model: with ``parameters()``, as a Module has.
        weight_decay: of the first group; that of the second is 0.

    Returns:
        Groups, as an optimizer takes them; one alone if all parameters or none have two axes.
    """
    parameters = list(model.parameters())
    decaying = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    groups = [(decaying, weight_decay), (others, 0.0)]
    return [{"params": params, "weight_decay": decay} for params, decay in groups if params]
