"""Layer normalisation (Ba, Kiros & Hinton 2016)."""

from typing import Any

from ..backend import current_backend
from ..checks import checked_integer
from ..errors import OptionError
from ..ops import mean, sqrt, square
from ._dense import misfit
from ._module import Module, Parameter, arrayed
from .init import ones, zeros


class LayerNorm(Module):
    """y = gamma * (x - μ) / √(σ² + eps) + beta, sample by sample, for x of shape (..., num_features).

    μ and σ² are the mean and the (biased) variance of a sample's features, so it is the same in training and in use,
    and a batch of one will do: what `BatchNorm` cannot say of itself.

    Args:
        num_features: the length of x's last axis.
        eps: keeps the square root away from zero.

    Raises:
        OptionError: for num_features below 1, or eps <= 0.
        ShapeError: in a call, for an input that does not fit.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5) -> None:
        if not eps > 0:
            raise OptionError(f"LayerNorm: eps must be above 0, got {eps!r}")
        self.num_features = checked_integer(num_features, "LayerNorm: num_features", 1)
        self.eps = eps
        self.gamma = Parameter(ones((num_features,)), backend=current_backend())
        self.beta = Parameter(zeros((num_features,)), backend=current_backend())

    def forward(self, x: Any) -> Any:
        """Normalise each sample of x, (..., num_features)."""
        x = arrayed(x)
        if x.ndim == 0 or x.shape[-1] != self.num_features:
            raise misfit(self, tuple(x.shape), self.num_features)
        centred = x - mean(x, -1, True)
        variance = mean(square(centred), -1, True)
        return self.gamma * (centred / sqrt(variance + self.eps)) + self.beta

    def config(self) -> dict[str, Any]:
        """num_features, eps."""
        return {"num_features": self.num_features, "eps": self.eps}
