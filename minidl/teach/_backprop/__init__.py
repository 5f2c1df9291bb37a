"""Backprop that can be asked: the recorded graph, and each gradient as the sum that it is."""
