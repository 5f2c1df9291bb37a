"""PyTorch: eager, with the optimizer's default, foreach or fused implementation, or the forward pass compiled."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import cross_entropy, mse_loss

from ..workloads import BATCH_NORM_EPS, BETA, BETA1, BETA2, EPS, Samples, Workload, initial
from . import Training, threads_of


def start(workload: Workload, samples: Samples, variant: str) -> Training:
    """Variants "default", "foreach", "fused" and "compile" (forward and backward by Inductor, the update fused)."""
    torch.set_num_threads(threads_of(variant) or torch.get_num_threads())
    images, labels = torch.from_numpy(samples.images), torch.from_numpy(samples.labels)
    model = network(workload)
    how = variant.partition(",")[0]
    optimizer = rule(workload, model, {"foreach": {"foreach": True}, "default": {}}.get(how, {"fused": True}))

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if workload.residual:
            return mse_loss(model(x), y[:, None].float() / 10)
        return cross_entropy(model(x), y)

    if how == "compile":
        torch.compiler.reset()
        loss_of = torch.compile(loss_of)

    def epoch(batches: np.ndarray) -> Callable[[], list[float]]:
        order = torch.from_numpy(batches)

        def train(losses: list[torch.Tensor] | None = None) -> list[float]:
            losses = [] if losses is None else losses
            for rows in order:
                x = images[rows].float().mul_(1 / 255)
                optimizer.zero_grad()
                loss = loss_of(x, labels[rows])
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            return torch.stack(losses).tolist()

        return train

    def set_lr(lr: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = lr

    def predict(pictures: np.ndarray) -> np.ndarray:
        model.eval()
        with torch.no_grad():
            classes = model(torch.from_numpy(pictures).float().mul_(1 / 255)).argmax(1).numpy()
        model.train()
        return classes

    def weights() -> list[np.ndarray]:
        return [m.weight.detach().numpy().T.copy() for m in model.modules() if isinstance(m, torch.nn.Linear)]

    return Training(epoch, weights, set_lr, predict)


class Residual(torch.nn.Module):
    def __init__(self, first: torch.nn.Module, second: torch.nn.Module, last: torch.nn.Module) -> None:
        super().__init__()
        self.first, self.second, self.last = first, second, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.first(x))
        return self.last(h + torch.tanh(self.second(h)))


def network(workload: Workload) -> torch.nn.Module:
    layers: list[torch.nn.Module] = []
    for weight in initial(workload):
        dense = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(weight.T))
            dense.bias.zero_()
        layers.append(dense)
        layers += [torch.nn.BatchNorm1d(weight.shape[1], eps=BATCH_NORM_EPS)] if workload.batch_norm else []
        layers.append(torch.nn.ReLU())
    if workload.residual:
        return Residual(*layers[::2])
    return torch.nn.Sequential(*layers[: -2 if workload.batch_norm else -1])


def rule(workload: Workload, model: torch.nn.Module, how: dict[str, bool]) -> torch.optim.Optimizer:
    if workload.rule == "adam":
        return torch.optim.Adam(model.parameters(), lr=workload.lr, betas=(BETA1, BETA2), eps=EPS, **how)
    momentum = BETA if workload.rule == "momentum" else 0.0
    return torch.optim.SGD(model.parameters(), lr=workload.lr, momentum=momentum, **how)


def adds(count: int) -> Callable[[], None]:
    a, b = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)

    def both_ways() -> None:
        y = a
        for _ in range(count):
            y = y + b
        y.backward()
        a.grad = b.grad = None

    return both_ways
