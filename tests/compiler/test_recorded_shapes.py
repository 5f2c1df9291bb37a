"""Steps by machine code have the eager bits for every shape: one sample, one input, one output, too.

For each of them NumPy calls another function of CBLAS, which adds in an order of its own.
"""

import itertools
from functools import partial

import numpy as np
import pytest

import minidl
from minidl import nn, optim

STEPS = 6


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes) for _ in range(STEPS)]


def trained(batches, compiled, *layers):
    minidl.seed(0)
    model = nn.Sequential(*[make() for make in layers])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = minidl.compile(model, nn.mean_squared_error, optimizer)
    for x, y in batches:
        if compiled:
            step(x, y)
        else:
            optimizer.zero_grad()
            nn.mean_squared_error(model(x), y).backward()
            optimizer.step()
    assert step.engine == ("machine code" if compiled else "eager")
    return {name: a.tobytes() for name, a in model.state_dict().items()}


@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("batch", [1, 2, 20, 33])
def test_one_sample_one_input_one_output_are_shapes_like_others(batch, outputs, at_once):
    for inputs, hidden in itertools.product((1, 3, 40), (1, 16)):
        layers = (partial(nn.Dense, inputs, hidden), nn.Tanh, partial(nn.Dense, hidden, outputs))
        batches = drawn((batch, inputs), (batch, outputs))
        assert trained(batches, True, *layers) == trained(batches, False, *layers), (inputs, hidden)


class Products(nn.Module):
    """Products of what lies in memory in other ways: transposed, a part of a matrix, an array times itself."""

    def __init__(self):
        self.dense = nn.Dense(6, 6)

    def forward(self, x):
        h = self.dense(x)
        square = h @ h.T
        part = h[:, :3] @ self.dense.weight[:3]
        column = h[:, 1:2] @ self.dense.weight[:1]
        row = (self.dense.weight[:, 2:3].T @ h.T).T
        return (part + column + row) * square.mean()


def test_products_of_parts_and_of_an_array_with_itself_have_the_eager_bits(at_once):
    batches = drawn((9, 6), (9, 6))
    assert trained(batches, True, Products) == trained(batches, False, Products)
