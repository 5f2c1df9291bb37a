"""README's own loop, with NumPy alone and with machine code: what tests compare."""

import numpy as np

import minidl
from minidl import kernels, machine_code, nn, optim
from minidl.data import Loader
from minidl.machine_code import Wanted

RULES = [kind for kind in optim.Optimizer.__subclasses__() if kind.__module__ == optim.__name__]


def chooser(monkeypatch):
    """A function that lets all later steps be made with machine code (True) or without."""

    def chosen(with_machine_code):
        seconds = -1.0 if with_machine_code else float("inf")
        monkeypatch.setattr(machine_code, "LOADING", seconds)
        monkeypatch.setattr(machine_code, "MORE", seconds)
        monkeypatch.setattr(kernels.eager, "_products", Wanted("products_without_zeros"))
        monkeypatch.setattr(kernels.eager, "_operations", Wanted("operations"))

    return chosen


def network(hidden=64, batch_norm=False, dtype=np.float32):
    minidl.seed(3)
    layers = [nn.Dense(784, hidden), *([nn.BatchNorm(hidden)] if batch_norm else []), nn.ReLU(), nn.Dropout(0.1)]
    model = nn.Sequential(*layers, nn.Dense(hidden, 70), nn.ReLU(), nn.Dense(70, 10))
    for p in model.parameters():
        p.data = p.data.astype(dtype)
    return model


def train(data, model, optimizer, batch=32, epochs=2, change=lambda *step: None, prepare=lambda x: x):
    """The losses of README's own loop, with what somebody might `change` in it between backward and step."""
    losses = []
    for _ in range(epochs):
        for x, y in Loader(data, batch):
            optimizer.zero_grad()
            loss = nn.softmax_cross_entropy(model(prepare(x)), y)
            loss.backward()
            change(model, len(losses))
            optimizer.step()
            losses.append(loss.item())
    return losses


def everything(losses, model, optimizer):
    """The bits of all that a training leaves behind."""
    gradients = [p.grad.data for p in model.parameters() if p.grad is not None]
    arrays = [*model.state_dict().values(), *optimizer.state.values(), *gradients]
    return losses, [np.asarray(a).tobytes() for a in arrays]


def both(choose, run):
    """What `run()` returns with NumPy alone, and with machine code."""
    found = []
    for with_machine_code in (False, True):
        choose(with_machine_code)
        found.append(run())
    return found


def trained(data, make=network, rule=optim.Adam, **options):
    model = make()
    optimizer = rule(model.parameters(), lr=1e-3)
    return everything(train(data, model, optimizer, **options), model, optimizer)


def uses_machine_code(optimizer):
    return [group.executor._loop.found is not None for group in optimizer.vectors.groups]
