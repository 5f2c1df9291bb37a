"""Writes torch_state.json: a small model of PyTorch's, its state dict and what it computes, for test_torch_state.py.

Needs PyTorch (pip install torch==2.13.0), which the tests do not: python tests/support/make_torch_state.py
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch_cases import x_and_gradient

torch.manual_seed(0)
x = torch.from_numpy(x_and_gradient(6, 4)[0])
net = nn.Sequential(
    nn.Linear(4, 5),
    nn.BatchNorm1d(5),
    nn.LeakyReLU(),
    nn.Sequential(nn.Linear(5, 3, bias=False), nn.BatchNorm1d(3, affine=True), nn.Tanh()),
    nn.Dropout(0.5),
    nn.Linear(3, 2),
).double()
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
for _ in range(3):  # so that no value is the one that it began with
    optimizer.zero_grad()
    net(x).square().sum().backward()
    optimizer.step()

values = {
    "torch": torch.__version__,
    "state": {name: value.tolist() for name, value in net.state_dict().items()},
    "outputs": net.eval()(x).tolist(),
}
Path(__file__).with_name("torch_state.json").write_text(json.dumps(values, indent=1) + "\n")
