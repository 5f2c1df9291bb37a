"""A tour of backpropagation: one neuron, every value of the forward pass, every gradient of the backward pass.

python examples/backprop_tour.py
"""

import minidl
from minidl import Tensor

x = Tensor([1.0, 2.0], requires_grad=True)
w = Tensor([0.5, -0.25], requires_grad=True)
b = Tensor(0.1, requires_grad=True)
target = 1.0

products = x * w
z = products.sum() + b
a = minidl.tanh(z)
error = a - target
loss = error**2

steps = {
    "x": x, "w": w, "b": b, "products = x * w": products, "z = sum(products) + b": z,
    "a = tanh(z)": a, "error = a - target": error, "loss = error ** 2": loss,
}  # fmt: skip
why = {
    "loss = error ** 2": "1: where backpropagation starts",
    "error = a - target": "2 * error",
    "a = tanh(z)": "passed on by the subtraction",
    "z = sum(products) + b": "times tanh'(z) = 1 - a²",
    "products = x * w": "the sum passes it on to every term",
    "b": "the addition passes it on",
    "w": "times x",
    "x": "times w",
}
gradients = dict(zip(steps, minidl.gradients(loss, list(steps.values())), strict=True))

print("forward")
for name, value in steps.items():
    print(f"  {name:<24} {value.tolist()}")
print("\nbackward: d loss / d ...")
for name in reversed(steps):
    print(f"  {name:<24} {gradients[name].tolist()!s:<42} {why[name]}")

minidl.check_grads(lambda x, w, b: (minidl.tanh((x * w).sum() + b) - target) ** 2, x, w, b)
print("\nchecked against central differences, at first and second order")
