"""Your own training loop on MNIST, in fifteen lines: forward, loss, backward, update.

python examples/mnist_mlp.py [EPOCHS]
"""

import sys

import minidl
from minidl import nn, optim
from minidl.data import Loader, mnist

minidl.seed(0)
train, test = mnist()
model = nn.Sequential(nn.Dense(784, 128), nn.ReLU(), nn.Dense(128, 10))
optimizer = optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
    losses: list[float] = []
    for x, y in Loader(train, batch_size=128):
        optimizer.zero_grad()
        loss = nn.softmax_cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with minidl.no_grad():
        hits = [(model(x).numpy().argmax(axis=1) == y).mean() for x, y in Loader(test, 1000, shuffle=False)]
    mean = sum(losses) / len(losses)
    print(f"epoch {epoch + 1}: mean loss {mean:.4f}, test accuracy {sum(hits) / len(hits):.2%}")
