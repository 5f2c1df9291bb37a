"""Layers and losses against values computed once by PyTorch 2.13 in float64 (make_torch_values.py)."""

import json
from pathlib import Path

import numpy as np
import pytest
from torch_cases import LABELS, TARGETS, weights, x_and_gradient

from minidl import Tensor, nn

VALUES = json.loads((Path(__file__).parents[1] / "support" / "torch_values.json").read_text())
X, G = x_and_gradient(6, 4)


def leaf(array):
    return Tensor(np.array(array), requires_grad=True)


def compare(name, y, cotangent, **tensors):
    expected = VALUES[name]
    y.backward(cotangent if y.ndim else None)
    np.testing.assert_allclose(y.numpy(), expected["value"], rtol=1e-10, atol=1e-12)
    for key, tensor in tensors.items():
        np.testing.assert_allclose(tensor.grad.numpy(), expected[f"d_{key}"], rtol=1e-10, atol=1e-12, err_msg=key)


def test_the_values_are_those_of_the_stated_version():
    assert VALUES["torch"].startswith("2.13.0")


@pytest.mark.parametrize("name", "relu leaky_relu sigmoid tanh softplus elu gelu silu softmax log_softmax".split())
def test_activations(name):
    x = leaf(X)
    compare(name, getattr(nn, name)(x), G, x=x)


def test_dense_and_relu():
    layer = nn.Dense(4, 3, weight_init=lambda shape: weights(*shape), bias_init=lambda shape: weights(*shape))
    x = leaf(X)
    y = nn.Sequential(layer, nn.ReLU())(x)
    compare("dense", y, x_and_gradient(6, 3)[1], x=x, weight=layer.weight, bias=layer.bias)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses(reduction):
    x = leaf(X)
    compare(f"softmax_cross_entropy {reduction}", nn.softmax_cross_entropy(x, LABELS, reduction), G[:, 0], x=x)
    for loss in (nn.mean_squared_error, nn.binary_cross_entropy_with_logits):
        x = leaf(X)
        compare(f"{loss.__name__} {reduction}", loss(x, TARGETS, reduction), G, x=x)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("negative_log_likelihood", lambda x, how: nn.negative_log_likelihood(nn.log_softmax(x), LABELS, how)),
        ("binary_cross_entropy", lambda x, how: nn.binary_cross_entropy(nn.sigmoid(x), TARGETS, how)),
        ("mean_absolute_error", lambda x, how: nn.mean_absolute_error(x, TARGETS, how)),
        ("huber", lambda x, how: nn.huber(x, TARGETS, how, delta=0.4)),
        ("hinge", lambda x, how: nn.hinge(x, 2 * (TARGETS > 0.5) - 1, how)),
        ("kl_divergence", lambda x, how: nn.kl_divergence(nn.log_softmax(x), nn.softmax(TARGETS), how)),
    ],
)
def test_losses_whose_mean_over_samples_or_elements_is_pytorchs(name, loss, reduction):
    x = leaf(X)
    y = loss(x, reduction)
    compare(f"{name} {reduction}", y, G[:, 0] if y.ndim == 1 else G, x=x)


def test_layer_norm():
    layer = nn.LayerNorm(4)
    layer.gamma, layer.beta = nn.Parameter(weights(4)), nn.Parameter(weights(4, 1)[:, 0])
    x = leaf(X)
    compare("layer_norm", layer(x), G, x=x, gamma=layer.gamma, beta=layer.beta)


def test_batch_norm_in_training_and_inference():
    layer = nn.BatchNorm(4, momentum=0.9)
    for name, values in (("gamma", weights(4)), ("beta", weights(4, 1)[:, 0])):
        setattr(layer, name, nn.Parameter(values))
    for name in ("running_mean", "running_var"):
        setattr(layer, name, nn.Buffer(getattr(layer, name).numpy(), dtype="float64"))
    layer(X * 2 + 1)
    x = leaf(X)
    compare("batch_norm training", layer(x), G, x=x, gamma=layer.gamma, beta=layer.beta)
    np.testing.assert_allclose(layer.running_mean.numpy(), VALUES["batch_norm training"]["running_mean"], rtol=1e-10)
    np.testing.assert_allclose(layer.running_var.numpy(), VALUES["batch_norm training"]["running_var"], rtol=1e-10)
    layer.eval()
    layer.zero_grad()
    x = leaf(X)
    compare("batch_norm inference", layer(x), G, x=x, gamma=layer.gamma, beta=layer.beta)
