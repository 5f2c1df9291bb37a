"""Note B's slips on batches and batch normalisation, as printed and as meant: ER11, ER16, ER17."""

import numpy as np

from .... import nn, optim
from ....backend import seed
from ....data import Dataset, Loader
from ....errors import ShapeError
from ....nn._batchnorm import estimate_statistics
from ....ops import batch_norm
from ....ops.nn import Reduction
from ..as_printed import batch_norm_without_eps
from ..registry import DERIVED, OURS, Result, Table, claim, number, row


@row("ER11", "g = (1/|B|)·∇J divides twice if J is already a mean", optim.SGD, nn.softmax_cross_entropy)
def er11() -> Result:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((32, 5)), rng.integers(0, 3, 32)

    def moved(reduction: Reduction, lr: float) -> np.ndarray:
        """The step that one update makes, if J is the "mean" or the "sum" over the batch."""
        weight = nn.Parameter(np.ones((5, 3)))
        optimizer = optim.SGD([weight], lr=lr)
        nn.softmax_cross_entropy(x @ weight, y, reduction=reduction).backward()
        optimizer.step()
        return 1 - weight.data

    right, summed, twice = moved("mean", 0.1), moved("sum", 0.1 / 32), moved("mean", 0.1 / 32)
    ratio = right / twice
    checks = [
        claim(
            "1/|B| with J the sum: the same step as the mean's gradient",
            f"apart by {np.abs(right - summed).max():.0e}",
            bool(np.allclose(right, summed, rtol=0, atol=1e-15)),
            "0",
            DERIVED,
        ),
        claim(
            "1/|B| with J the mean: a learning rate too small by a factor of",
            f"{ratio.mean():.1f}",
            bool(np.allclose(ratio, 32)),
            "|B| = 32",
            DERIVED,
        ),
    ]
    return Result(
        checks, text="minidl's losses are means over the batch, and so are their gradients: nothing is divided again."
    )


@row(
    "ER16",
    "Batch normalisation without ε: a batch of one gives 0/0, not 0",
    batch_norm_without_eps,
    batch_norm,
    nn.BatchNorm,
)
def er16() -> Result:
    x = np.array([[1.5, -2.0, 0.3]])
    one, zero = np.ones(3), np.zeros(3)
    printed = batch_norm_without_eps(x)
    meant = batch_norm(x, one, zero, eps=1e-5)
    shifted = batch_norm(x, one, zero + 0.7, eps=1e-5)
    try:
        nn.BatchNorm(3)(x)
        refused = ""
    except ShapeError as error:
        refused = str(error)
    checks = [
        claim(
            "as printed: (x - μ)/σ of one example",
            f"{printed[0]}",
            bool(np.isnan(printed).all()),
            "nan (the note: all 0)",
            DERIVED,
        ),
        number("as meant: (x - μ)/√(σ² + ε)", f"{meant[0]}", "[0. 0. 0.]", DERIVED),
        number("with γ = 1, β = 0.7: the output is β, whatever x is", f"{shifted[0]}", "[0.7 0.7 0.7]", DERIVED),
        claim(
            "minidl's layer refuses, and says what to do",
            refused or "no error",
            "larger batch_size" in refused,
            "a larger batch",
            OURS,
        ),
    ]
    return Result(checks)


@row("ER17", "μ and σ for use: running averages, or one pass at the end", nn.BatchNorm, estimate_statistics)
def er17() -> Result:
    seed(0)
    rng = np.random.default_rng(0)
    inputs = (rng.standard_normal((1000, 2)) * [3.0, 0.5] + [5.0, -1.0]).astype(np.float32)
    data = Dataset(inputs, np.zeros(1000, np.int64))
    layer = nn.BatchNorm(2)
    model = nn.Sequential(layer)
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
    rows = [("all 1,000 examples at once", f"{mean.round(3)}", f"{inputs.var(axis=0, ddof=1).round(3)}")]
    held = {0: layer.running_mean.data.copy()}
    rows.append(("running average, before training", f"{held[0]}", f"{layer.running_var.data}"))
    for batch in range(1, 201):
        model(next(iter(Loader(data, 50)))[0])
        if batch in (20, 200):
            held[batch] = layer.running_mean.data.copy()
            variance = layer.running_var.data.round(3)
            rows.append((f"running average, {batch} batches of 50", f"{held[batch].round(3)}", f"{variance}"))
    estimate_statistics(model, Loader(data, 50))
    passed = layer.running_mean.data.copy()
    rows.append(("one pass at the end", f"{passed.round(3)}", f"{layer.running_var.data.round(3)}"))
    kept = layer.momentum
    noise = spread / np.sqrt(50) * np.sqrt((1 - kept) / (1 + kept))  # of an average that forgets, over batches of 50
    left = (held[20] - mean) / (held[0] - mean)
    off = np.abs(held[200] - mean) / noise
    checks = [
        claim(
            f"running average after 20 batches: share of its start, 0, that is left in the mean {mean[0]:.1f}",
            f"{left[0]:.3f}",
            bool(abs(left[0] - kept**20) < 3 * noise[0] / mean[0]),
            f"{kept}^20 = {kept**20:.3f}, within the batches' noise",
            DERIVED,
        ),
        claim(
            "after 200 batches: distance from the data's μ, in standard deviations of the average's own noise",
            f"{off.round(1)}",
            bool(off.max() < 3),
            "below 3",
            DERIVED,
        ),
        number(
            "the note's way, one pass at the end: distance from μ",
            f"{np.abs(passed - mean).max():.5f}",
            "0.00000",
            DERIVED,
        ),
    ]
    text = (
        "minidl does the first in training; model.estimate_statistics(loader) does the second (Chainer's “finetune”). "
        "Twenty batches are too few for the first: an eighth of the start is still in it."
    )
    return Result(checks, [Table(("statistics", "μ", "σ²"), rows)], text=text)
