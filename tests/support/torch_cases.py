"""Inputs that test_torch_values.py and make_torch_values.py share: plain formulas, the same everywhere."""

import numpy as np

LABELS = np.array([0, 3, 2, 1, 1, 0])
TARGETS = (np.cos(np.arange(24.0)).reshape(6, 4) + 1) / 2


def x_and_gradient(rows, columns):
    """An input and the gradient that arrives at the output."""
    n = np.arange(rows * columns, dtype=np.float64).reshape(rows, columns)
    return 2 * np.sin(n * n + 1), np.cos(3 * n + 2)


def weights(*shape):
    """Parameters of that shape."""
    return np.sin(np.arange(np.prod(shape), dtype=np.float64) * 1.7 + len(shape)).reshape(shape)
