"""Whether a contender's training is the same as everyone's: its first losses, and its weights after all steps.

A value that is almost exactly at a ReLU's kink is on one side of it or the other as rounding decides, and the network
then goes another way: on W1 one such tie, of the 240th step, moves the weights by a twentieth of their way. It is no
fault of anyone's. So where weights differ, float64 trains again with its closest ties turned, and a contender is
compared with the nearest of these trainings.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minidl.hardware.threads import use_blas_threads

from .contenders import Contender, reference
from .runner import shared_samples
from .workloads import Workload, initial, order

COMPARED, BATCH_NORM_COMPARED = 20, 5  # so many first losses; with BatchNorm correct float32 runs soon drift apart
LOSSES, BATCH_NORM_LOSSES = 1e-4, 1e-3  # the largest relative difference that passes
WEIGHTS, ADAM_WEIGHTS = 0.01, 0.3  # ... of the weights, as a share of the way they went; Adam enlarges rounding
TRIED, TURNED = 8, 3  # so many of the closest ties are tried at a time, and so many turned in all


def compare(
    folder: Path, workload: Workload, contender: Contender, one: dict[str, Any], truths: dict[str, Any]
) -> dict[str, float]:
    """The largest relative difference of the first losses from those in `truths`; if it made all steps, the weights'.

    That is their distance, as a share of the way they went, from float64 with so many "ties" turned.
    """
    variant = "eps hat" if contender.eps_hat else "eps"
    truth = truths[variant]
    count = BATCH_NORM_COMPARED if workload.batch_norm else COMPARED
    expected, got = np.array(truth["losses"][:count]), np.array(one["losses"][:count])
    result = {"losses": float(np.max(np.abs(got - expected) / expected))}
    if contender.share == 1:
        weights = _flat(np.load(one["weights"]).values())
        result["weights"] = _distance(workload, weights, _flat(np.load(truth["weights"]).values()))
        if result["weights"] > _most(workload) and workload.rule != "adam":
            result |= _nearest(folder, workload, variant, weights)
    return result


def differs(workload: Workload, apart: Mapping[str, float]) -> bool:
    """Whether these differences are too large for the same training in float32."""
    losses = BATCH_NORM_LOSSES if workload.batch_norm else LOSSES
    return not (apart["losses"] <= losses and apart.get("weights", 0.0) <= _most(workload))


def _most(workload: Workload) -> float:
    """The largest distance of weights that passes."""
    return ADAM_WEIGHTS if workload.rule == "adam" else WEIGHTS


def _flat(arrays: Any) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays])


def _distance(workload: Workload, weights: np.ndarray, truth: np.ndarray) -> float:
    """How far `weights` are from the true ones, as a share of the way that those went."""
    return float(np.linalg.norm(weights - truth) / np.linalg.norm(truth - _flat(initial(workload))))


def _nearest(folder: Path, workload: Workload, variant: str, weights: np.ndarray) -> dict[str, float]:
    """The distance from float64 with those ties turned that bring it nearest, one after the other; and how many."""
    turned: frozenset[reference.Place] = frozenset()
    truth, met = _decided(folder, workload, variant, turned)
    distance = _distance(workload, weights, truth)
    while distance > WEIGHTS and len(turned) < TURNED:
        nearest = distance, turned
        for place in [place for place in met if place not in turned][:TRIED]:
            tried = _distance(workload, weights, _decided(folder, workload, variant, turned | {place})[0])
            nearest = min(nearest, (tried, turned | {place}), key=lambda found: found[0])
            if tried <= WEIGHTS:
                break
        if nearest[1] == turned:
            break  # it is not the ties
        distance, turned = nearest
        met = _decided(folder, workload, variant, turned)[1]
    return {"weights": distance, "ties": len(turned)}


@cache
def _decided(
    folder: Path, workload: Workload, variant: str, turned: frozenset[reference.Place]
) -> tuple[np.ndarray, list[reference.Place]]:
    """The weights that float64 arrives at with these ties turned, and the ties that it met, the closest first."""
    samples = shared_samples(folder, "train", workload.steps * workload.batch)
    ties = reference.Ties(turned)
    training = reference.start(workload, samples, variant, ties)
    with use_blas_threads(1):
        training.epoch(order(workload, len(samples.labels)))()
    return _flat(training.weights()), sorted(ties.met, key=ties.met.__getitem__)
