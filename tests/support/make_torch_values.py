"""Writes torch_values.json: what PyTorch computes for layers and losses, for test_torch_values.py.

Needs PyTorch (pip install torch==2.13.0), which the tests do not: python tests/support/make_torch_values.py
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch_cases import LABELS, TARGETS, weights, x_and_gradient


def gradients(y, cotangent, **tensors):
    y.backward(torch.from_numpy(cotangent) if y.ndim else None)
    return {"value": y.tolist()} | {f"d_{k}": t.grad.tolist() for k, t in tensors.items()}


def leaf(array):
    return torch.from_numpy(np.array(array)).requires_grad_()


values = {"torch": torch.__version__}
X, G = x_and_gradient(6, 4)
for name, f in {
    "relu": torch.relu, "leaky_relu": F.leaky_relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus,
    "elu": F.elu, "gelu": F.gelu, "silu": F.silu,
    "softmax": lambda x: F.softmax(x, 1), "log_softmax": lambda x: F.log_softmax(x, 1),
}.items():  # fmt: skip
    x = leaf(X)
    values[name] = gradients(f(x), G, x=x)

x, w, b = leaf(X), leaf(weights(4, 3)), leaf(weights(3))
values["dense"] = gradients(torch.relu(F.linear(x, w.T, b)), x_and_gradient(6, 3)[1], x=x, weight=w, bias=b)

for reduction in ("mean", "sum", "none"):
    x = leaf(X)
    values[f"softmax_cross_entropy {reduction}"] = gradients(
        F.cross_entropy(x, torch.from_numpy(LABELS), reduction=reduction), G[:, 0].copy(), x=x
    )
    x = leaf(X)
    values[f"mean_squared_error {reduction}"] = gradients(
        F.mse_loss(x, torch.from_numpy(TARGETS), reduction=reduction), G, x=x
    )
    x = leaf(X)
    values[f"binary_cross_entropy_with_logits {reduction}"] = gradients(
        F.binary_cross_entropy_with_logits(x, torch.from_numpy(TARGETS), reduction=reduction), G, x=x
    )

labels, targets = torch.from_numpy(LABELS), torch.from_numpy(TARGETS)
shares = torch.softmax(targets, 1)
for reduction in ("mean", "sum", "none"):
    for name, f in {
        "negative_log_likelihood": lambda x, how: F.nll_loss(F.log_softmax(x, 1), labels, reduction=how),
        "binary_cross_entropy": lambda x, how: F.binary_cross_entropy(torch.sigmoid(x), targets, reduction=how),
        "mean_absolute_error": lambda x, how: F.l1_loss(x, targets, reduction=how),
        "huber": lambda x, how: F.huber_loss(x, targets, reduction=how, delta=0.4),
        "hinge": lambda x, how: {"mean": torch.mean, "sum": torch.sum, "none": lambda loss: loss}[how](
            F.relu(1 - x * (2 * (targets > 0.5) - 1))
        ),
        "kl_divergence": lambda x, how: (
            F.kl_div(F.log_softmax(x, 1), shares, reduction="none").sum(1) if how == "none"
            else F.kl_div(F.log_softmax(x, 1), shares, reduction=how.replace("mean", "batchmean"))
        ),
    }.items():  # fmt: skip
        x = leaf(X)
        y = f(x, reduction)
        values[f"{name} {reduction}"] = gradients(y, G[:, 0].copy() if y.ndim == 1 else G, x=x)

x, w, b = leaf(X), leaf(weights(4)), leaf(weights(4, 1)[:, 0])
values["layer_norm"] = gradients(F.layer_norm(x, (4,), w, b), G, x=x, gamma=w, beta=b)

layer = torch.nn.BatchNorm1d(4, dtype=torch.float64, momentum=0.1)
with torch.no_grad():
    layer.weight.copy_(torch.from_numpy(weights(4)))
    layer.bias.copy_(torch.from_numpy(weights(4, 1)[:, 0]))
layer(torch.from_numpy(X * 2 + 1))
x = leaf(X)
values["batch_norm training"] = gradients(layer(x), G, x=x, gamma=layer.weight, beta=layer.bias)
values["batch_norm training"] |= {
    "running_mean": layer.running_mean.tolist(),
    "running_var": layer.running_var.tolist(),
}
layer.eval()
layer.zero_grad()
x = leaf(X)
values["batch_norm inference"] = gradients(layer(x), G, x=x, gamma=layer.weight, beta=layer.bias)

Path(__file__).with_name("torch_values.json").write_text(json.dumps(values, indent=1) + "\n")
