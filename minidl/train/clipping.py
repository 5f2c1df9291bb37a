"""``fit(clip_norm=, clip_value=)``: gradients clipped before each update."""

from ..optim.clipping import check_limit, clip_grad_norm, clip_grad_value
from .callbacks import Callback, Run


class Clipping(Callback):
    """Limits each element of the gradients to `value`, and then their common norm to `norm`; None: not.

    `fit` puts it behind the user's callbacks, so that the update gets no more than that, whatever they do.
    """

    def __init__(self, norm: float | None, value: float | None) -> None:
        self.norm, self.value = norm, value
        for name, limit in (("clip_norm", norm), ("clip_value", value)):
            if limit is not None:
                check_limit(f"fit: {name}", limit)

    def on_gradients(self, run: Run) -> None:
        """Clip what the optimizer is about to use."""
        if self.value is not None:
            clip_grad_value(run.optimizer.parameters, self.value)
        if self.norm is not None:
            clip_grad_norm(run.optimizer.parameters, self.norm)
