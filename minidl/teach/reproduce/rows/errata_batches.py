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
from ..registry import CLOSED_FORM, REFERENCE, Result, Table, claim, number, row


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
            CLOSED_FORM,
        ),
        claim(
            "1/|B| with J the mean: a learning rate too small by a factor of",
            f"{ratio.mean():.1f}",
            bool(np.allclose(ratio, 32)),
            "|B| = 32",
            CLOSED_FORM,
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
            REFERENCE,
        ),
        number("as meant: (x - μ)/√(σ² + ε)", f"{meant[0]}", "[0. 0. 0.]"),
        number("with γ = 1, β = 0.7: the output is β, whatever x is", f"{shifted[0]}", "[0.7 0.7 0.7]", CLOSED_FORM),
        claim("minidl's layer refuses, and says what to do", refused or "no error", "larger batch_size" in refused),
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
    rows = [("all 1,000 examples at once", f"{inputs.mean(axis=0).round(3)}", f"{inputs.var(axis=0, ddof=1).round(3)}")]
    rows.append(("before training", f"{layer.running_mean.data}", f"{layer.running_var.data}"))
    for x, _ in Loader(data, 50):
        model(x)
    averaged = layer.running_mean.data.copy()
    rows.append(
        ("running average, after 20 batches of 50", f"{averaged.round(3)}", f"{layer.running_var.data.round(3)}")
    )
    estimate_statistics(model, Loader(data, 50))
    passed = layer.running_mean.data.copy()
    rows.append(("one pass at the end", f"{passed.round(3)}", f"{layer.running_var.data.round(3)}"))
    off_average, off_pass = (np.abs(found - inputs.mean(axis=0)).max() for found in (averaged, passed))
    checks = [
        claim(
            "the usual way: the running average has come near the data's μ", f"{off_average:.2f} off", off_average < 1.0
        ),
        claim("the note's way, one pass at the end, gives μ itself", f"{off_pass:.0e} off", off_pass < 1e-5),
    ]
    text = (
        "minidl does the first in training; model.estimate_statistics(loader) does the second (Chainer's “finetune”)."
    )
    return Result(checks, [Table(("statistics", "μ", "σ²"), rows)], text=text)
