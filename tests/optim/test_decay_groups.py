"""``optim.decay_groups``: weight decay that leaves biases and BatchNorm's parameters out."""

import numpy as np
import pytest

from minidl import nn, optim


def network():
    return nn.Sequential(nn.Dense(4, 3), nn.BatchNorm(3), nn.ReLU(), nn.Dense(3, 2))


def test_weights_decay_and_biases_and_batchnorms_parameters_stay():
    model = network()
    for p in model.parameters():
        p.data[...] = 1.0
    optimizer = optim.AdamW(optim.decay_groups(model, weight_decay=0.5), lr=0.1)
    (sum((p * 0.0).sum() for p in model.parameters())).backward()  # a gradient of zero: all that moves is decay
    optimizer.step()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.numpy(), 0.95 if name.endswith("weight") else 1.0, rtol=1e-6, err_msg=name)
    assert sum(len(group["params"]) for group in optimizer.groups) == len(model.parameters()) == 6


def test_a_part_without_parameters_makes_no_group():
    assert [len(group["params"]) for group in optim.decay_groups(nn.Dense(2, 2, bias=False), 0.1)] == [1]
    (only,) = optim.decay_groups(nn.BatchNorm(2), 0.1)
    assert only["weight_decay"] == 0
    assert [group["weight_decay"] for group in optim.decay_groups(network())] == [pytest.approx(0.01), 0.0]
