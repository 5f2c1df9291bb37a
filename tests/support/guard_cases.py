"""A small data set, models of its size and their training: for what guards notice, and leave alone."""

import numpy as np

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.train import fit

RNG = np.random.default_rng(2)
X = RNG.normal(size=(400, 20)).astype(np.float32)
Y = np.abs(X[:, :3]).argmax(axis=1)
DATA = Dataset(X, Y)


def mlp(**options):
    minidl.seed(0)
    return nn.Sequential(nn.Dense(20, 16, **options), nn.ReLU(), nn.Dense(16, 3))


def train(model, data=DATA, rule=optim.SGD, lr=0.05, epochs=1, batch_size=20, **options):
    optimizer = rule(model.parameters(), lr=lr)
    return fit(model, data, optimizer=optimizer, epochs=epochs, batch_size=batch_size, progress=False, **options)
