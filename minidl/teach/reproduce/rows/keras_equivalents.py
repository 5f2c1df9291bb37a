"""EB11: note B's lines of Keras, and what to write in minidl. Keras itself is not run: they are offered."""

from functools import partial
from typing import Any

import numpy as np

from .... import nn, optim
from ..registry import DERIVED, Result, Table, claim, row

EQUIVALENTS = [  # the note's line, minidl's, and what differs
    (
        "schedules.ExponentialDecay(1e-2, decay_steps=10000, decay_rate=0.9)",
        "optim.schedules.exponential(1e-2, 10000, 0.9)",
        "",
    ),
    (
        "SGD(learning_rate=s)",
        "optim.SGD(params, lr=optim.schedules.exponential(1e-2, 10000, 0.9))",
        "",
    ),
    (
        "SGD(momentum=beta)",
        "optim.Momentum(params, beta=0.9, form='velocity')",
        "Keras keeps the learning rate inside v, as note B does",
    ),
    (
        "SGD(momentum=beta, nesterov=True)",
        "optim.Nesterov(params, beta=0.9)",
        "the same steps, also under a changing learning rate",
    ),
    (
        "Adagrad()",
        "optim.AdaGrad(params, lr=0.001, initial_accumulator=0.1, eps_mode='inside')",
        "Keras starts s at 0.1",
    ),
    (
        "RMSprop()",
        "optim.RMSProp(params, lr=0.001, rho=0.9, eps=1e-7)",
        "",
    ),
    (
        "Adam()",
        "optim.Adam(params, lr=0.001, eps=1e-7, eps_mode='hat')",
        "Keras' ε is the paper's ε̂",
    ),
    (
        "initializers.GlorotNormal()",
        "partial(nn.init.glorot_normal, truncated=True)",
        "Keras cuts the Gaussian off at 2σ; the note's is not cut: 'glorot_normal'",
    ),
    (
        "initializers.HeNormal()",
        "partial(nn.init.he_normal, truncated=True)",
        "likewise; the note's: 'he_normal'",
    ),
    (
        "layers.Dense(3, kernel_initializer=init)",
        "nn.Dense(16, 3, weight_init=partial(nn.init.he_normal, truncated=True))",
        "minidl is told the number of inputs",
    ),
    (
        "layers.BatchNormalization()",
        "nn.BatchNorm(16, momentum=0.99, eps=1e-3)",
        "Keras' defaults (minidl's: 0.9, 1e-5); its running variance is the biased one",
    ),
    (
        "Sequential(); model.add(Dense(16)); model.add(BatchNormalization())",
        "nn.Sequential(nn.Dense(784, 16), nn.BatchNorm(16))",
        "",
    ),
]


def evaluated(line: str) -> Any:
    """What a line of minidl of the table makes, with `params` those of a small network."""
    names = {"nn": nn, "optim": optim, "partial": partial, "params": nn.Dense(2, 2).parameters()}
    return eval(line, names)


@row("EB11", "The note's lines of Keras, in minidl", evaluated)
def eb11() -> Result:
    for _, line, _ in EQUIVALENTS:
        evaluated(line)  # raises if it does not run
    cut = evaluated("partial(nn.init.he_normal, truncated=True)")((400, 600))
    model = evaluated("nn.Sequential(nn.Dense(784, 16), nn.BatchNorm(16))")
    out = model(np.random.default_rng(0).random((32, 784), np.float32)).numpy()
    checks = [
        claim(
            "truncated=True cuts off at 2σ and rescales, as Keras does",
            f"largest {np.abs(cut).max():.3f}, σ = {cut.std():.4f}",
            np.abs(cut).max() < 2.3 * np.sqrt(2 / 400),
            "no weight beyond 2σ of the uncut Gaussian, 0.161",
            DERIVED,
        ),
        claim(
            "the last model normalises its 16 outputs",
            f"σ = {out.std(axis=0).mean():.3f}",
            bool(abs(out.std(axis=0).mean() - 1) < 0.01),
            "1",
            DERIVED,
        ),
    ]
    return Result(checks, [Table(("Keras", "minidl", "mind"), EQUIVALENTS)], offered=True)
