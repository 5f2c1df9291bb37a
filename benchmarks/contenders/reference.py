"""What every contender must compute: the same training in float64, written out. Only its numbers are used, no times."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..workloads import BATCH_NORM_EPS, BETA, BETA1, BETA2, EPS, Samples, Workload, initial
from . import Training

TIE = 1e-5  # how close to zero, in means of its layer, a value is that rounding may put on either side
Place = tuple[int, int, int, int]  # step, layer, sample of the batch, unit


@dataclass
class Ties:
    """Values so close to a ReLU's kink that float32's rounding decides on which side they are.

    Those `turned` are taken to be on the other side than float64 says; `met` is how close to it each was.
    """

    turned: frozenset[Place] = frozenset()
    met: dict[Place, float] = field(default_factory=dict)

    def positive(self, step: int, layer: int, x: np.ndarray) -> np.ndarray:
        """Which of these values, (B, units), count as positive."""
        positive, size = x > 0, np.abs(x)
        for sample, unit in np.argwhere(size < TIE * size.mean()).tolist():
            place = step, layer, sample, unit
            self.met[place] = float(size[sample, unit])
            positive[sample, unit] ^= place in self.turned
        return positive


def start(workload: Workload, samples: Samples, variant: str, ties: Ties | None = None) -> Training:
    """Variants "eps" and "eps hat": where Adam adds its ε, after the bias correction or before."""
    ties = ties or Ties()
    layers = [[w.astype(float), np.zeros(w.shape[1])] for w in initial(workload)]
    if workload.batch_norm:
        for layer in layers[:-1]:
            layer += [np.ones_like(layer[1]), np.zeros_like(layer[1])]
    kept = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer] for layer in layers]
    steps = 0

    def epoch(batches: np.ndarray) -> Callable[[], list[float]]:
        return lambda: [step(rows) for rows in batches]

    def step(rows: np.ndarray) -> float:
        nonlocal steps
        steps += 1
        positive = lambda layer, x: ties.positive(steps, layer, x)
        x, labels = samples.images[rows] / 255, samples.labels[rows]
        loss, gradients = residual(layers, x, labels) if workload.residual else backprop(layers, x, labels, positive)
        for layer, states, slopes in zip(layers, kept, gradients, strict=True):
            for i, (p, (v, r), g) in enumerate(zip(layer, states, slopes, strict=True)):
                layer[i], states[i] = update(workload, steps, p, v, r, g, variant == "eps hat")
        return loss

    return Training(epoch, lambda: [layer[0] for layer in layers])


def backprop(
    layers: list[list[np.ndarray]], x: np.ndarray, labels: np.ndarray, positive: Callable[[int, np.ndarray], np.ndarray]
) -> tuple[float, list[list[np.ndarray]]]:
    """The loss, and its gradients in the order of the parameters: weight, bias and, with BatchNorm, gamma, beta."""
    inputs, normalised, masks = [], [], []
    for weight, bias, *norm in layers:
        inputs.append(x)
        x = x @ weight + bias
        if norm:
            deviation = np.sqrt(x.var(0) + BATCH_NORM_EPS)
            x_hat = (x - x.mean(0)) / deviation
            normalised.append((x_hat, deviation))
            x = norm[0] * x_hat + norm[1]
        if len(inputs) < len(layers):
            masks.append(positive(len(masks), x))
            x = x * masks[-1]
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    right = np.arange(len(labels)), labels
    loss = -np.log(p[right]).mean()
    p[right] -= 1
    d = p / len(labels)
    gradients = []
    for x, (weight, _, *norm) in zip(inputs[::-1], layers[::-1], strict=True):
        of_norm = []
        if norm:
            x_hat, deviation = normalised.pop()
            of_norm = [(d * x_hat).sum(0), d.sum(0)]
            d = norm[0] * (d - d.mean(0) - x_hat * (d * x_hat).mean(0)) / deviation
        gradients.append([x.T @ d, d.sum(0), *of_norm])
        d = (d @ weight.T) * masks.pop() if masks else d
    return loss, gradients[::-1]


def residual(layers: list[list[np.ndarray]], x: np.ndarray, labels: np.ndarray) -> tuple[float, list[list[np.ndarray]]]:
    """The loss of the residual network, and its gradients: weight and bias of each layer."""
    (a, a_bias), (b, b_bias), (c, c_bias) = layers
    h = np.tanh(x @ a + a_bias)
    branch = np.tanh(h @ b + b_bias)
    both = h + branch
    error = both @ c + c_bias - labels[:, None] / 10
    d = 2 * error / error.size
    d_both = d @ c.T
    d_branch = d_both * (1 - branch**2)
    d_h = (d_both + d_branch @ b.T) * (1 - h**2)
    pairs = (x, d_h), (h, d_branch), (both, d)
    return np.mean(error**2), [[inputs.T @ d, d.sum(0)] for inputs, d in pairs]


def update(
    workload: Workload, t: int, p: np.ndarray, v: np.ndarray, r: np.ndarray, g: np.ndarray, hat: bool
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The new parameter, and what the rule keeps."""
    if workload.rule == "adam":
        v, r = BETA1 * v + (1 - BETA1) * g, BETA2 * r + (1 - BETA2) * g * g
        v_hat, r_hat = v / (1 - BETA1**t), r / (1 - BETA2**t)
        eps = EPS / np.sqrt(1 - BETA2**t) if hat else EPS
        return p - workload.lr * v_hat / (np.sqrt(r_hat) + eps), (v, r)
    v = BETA * v + g if workload.rule == "momentum" else g
    return p - workload.lr * v, (v, r)
