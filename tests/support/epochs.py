"""An epoch as a loop of one's own makes it."""

from minidl import nn


def epoch_by_hand(net, optimizer, loader):
    """One pass over `loader`: the sum of the samples' losses, and how many were classified correctly."""
    losses, hits = 0.0, 0
    for x, y in loader:
        optimizer.zero_grad()
        output = net(x)
        loss = nn.softmax_cross_entropy(output, y)
        loss.backward()
        optimizer.step()
        losses, hits = losses + loss.item() * len(y), hits + int((output.data.argmax(1) == y).sum())
    return losses, hits
