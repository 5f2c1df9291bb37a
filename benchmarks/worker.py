"""One contender, one workload, one process: prints a JSON line with microseconds a step and its first losses.

python worker.py CONTENDER WORKLOAD DATA.npz THREADS, where CONTENDER is minidl, torch, torch-foreach or torch-fused.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from workloads import WORKLOADS, Workload, initial, order

Step = Callable[[np.ndarray], float | None]


def minidl_step(workload: Workload, images: np.ndarray, labels: np.ndarray, variant: str, threads: int) -> Callable:
    """As `fit` trains."""
    from minidl import nn, optim
    from minidl.data import Dataset, Loader
    from minidl.threads import use_blas_threads
    from minidl.train import Callback, fit

    layers: list[nn.Module] = []
    for weight in initial(workload):
        layers.append(nn.Dense(*weight.shape, weight_init=lambda shape, weight=weight: weight))
        layers += [nn.BatchNorm(weight.shape[1])] if workload.batch_norm else []
        layers.append(nn.ReLU())
    model = nn.Sequential(*layers[: -2 if workload.batch_norm else -1])
    rule = {"momentum": optim.Momentum, "adam": optim.Adam, "sgd": optim.SGD}[workload.rule]
    optimizer = rule(model.parameters(), lr=workload.lr)

    class Losses(Callback):
        def __init__(self) -> None:
            self.values: list[float] = []

        def on_step(self, run) -> None:
            self.values.append(run.loss.item())

    def train(batches: np.ndarray) -> list[float]:
        with use_blas_threads(threads):
            rows = batches.ravel()
            loader = Loader(Dataset(images[rows], labels[rows]), workload.batch, shuffle=False)
            losses = Losses()
            fit(model, loader, optimizer=optimizer, epochs=1, progress=False, callbacks=[losses], threads=threads)
        return losses.values

    return train


def torch_step(workload: Workload, images: np.ndarray, labels: np.ndarray, variant: str, threads: int) -> Callable:
    """Eager PyTorch, with the optimizer's default, foreach or fused implementation."""
    import torch

    torch.set_num_threads(threads)
    x_all, y_all = torch.from_numpy(images), torch.from_numpy(labels)
    layers: list[torch.nn.Module] = []
    for weight in initial(workload):
        dense = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(weight.T))
            dense.bias.zero_()
        layers.append(dense)
        layers += [torch.nn.BatchNorm1d(weight.shape[1])] if workload.batch_norm else []
        layers.append(torch.nn.ReLU())
    model = torch.nn.Sequential(*layers[: -2 if workload.batch_norm else -1])
    how = {"foreach": {"foreach": True}, "fused": {"fused": True}}.get(variant, {})
    if workload.rule == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=workload.lr, **how)
    else:
        momentum = 0.9 if workload.rule == "momentum" else 0.0
        optimizer = torch.optim.SGD(model.parameters(), lr=workload.lr, momentum=momentum, **how)
    loss_of = torch.nn.functional.cross_entropy

    def train(batches: np.ndarray) -> list[float]:
        losses = []
        for rows in torch.from_numpy(batches):
            x = x_all[rows].float().mul_(1 / 255)
            optimizer.zero_grad()
            loss = loss_of(model(x), y_all[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return train


def main() -> None:
    """Warm up on a tenth of the steps, time the rest."""
    contender, name, data, threads = sys.argv[1], sys.argv[2], np.load(sys.argv[3]), int(sys.argv[4])
    workload, (framework, _, variant) = WORKLOADS[name], contender.partition("-")
    prepare = {"minidl": minidl_step, "torch": torch_step}[framework]
    train = prepare(workload, data["images"], data["labels"], variant, threads)
    batches = order(workload, len(data["labels"]))
    warm = workload.steps // 10
    losses = train(batches[:warm])
    start = time.perf_counter()
    losses += train(batches[warm:])
    elapsed = time.perf_counter() - start
    print(json.dumps({"us": 1e6 * elapsed / (workload.steps - warm), "losses": losses[:20]}))


if __name__ == "__main__":
    main()
