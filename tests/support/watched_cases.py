"""A model, a few digits and their training, for what is watched while it goes on."""

import minidl
from minidl import nn, optim
from minidl.data import Loader
from minidl.train import fit

BATCH, SIZE = 32, 20 * 32 + 7  # an epoch of 20 whole batches and a smaller one


def network(hidden=64, plain=False):
    """The same model whenever it is made; a `plain` one has no state of its own."""
    minidl.seed(3)
    first, last = nn.Dense(784, hidden), nn.Dense(hidden, 10)
    if plain:
        return nn.Sequential(first, nn.ReLU(), last)
    return nn.Sequential(first, nn.BatchNorm(hidden), nn.ReLU(), nn.Dropout(0.2), last)


def train(data, model=None, optimizer=None, epochs=2, batch=BATCH, **options):
    """The model after a `fit`, and its history."""
    model = network() if model is None else model
    optimizer = optim.Adam(model.parameters(), lr=2e-3) if optimizer is None else optimizer
    options = {"progress": False, "guards": False} | options
    return model, fit(model, Loader(data, batch), optimizer=optimizer, epochs=epochs, **options)


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def engines(history):
    return [row["engine"] for row in history.rows]
