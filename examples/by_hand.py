"""Adam by hand: the library's own rule on Python floats, beside the note's nine lines and the optimizer.

f(x) = 0.1 x1² + 2 x2² from (-5, -2), the running example of note A; Adam as in note B 1.7.

python examples/by_hand.py
"""

import math

import minidl
from minidl import optim

LR, BETA1, BETA2, EPS = 0.4, 0.9, 0.999, 1e-8


def gradient(x1: float, x2: float) -> tuple[float, float]:
    """∇f, worked out by hand."""
    return 0.2 * x1, 4 * x2


# 1. Note B's algorithm, letter by letter, for one coordinate at a time.
def adam(theta: float, g: float, v: float, r: float, t: int) -> tuple[float, float, float]:
    """Lines 6 to 9 of the algorithm."""
    v = BETA1 * v + (1 - BETA1) * g
    r = BETA2 * r + (1 - BETA2) * g * g
    v_hat, r_hat = v / (1 - BETA1**t), r / (1 - BETA2**t)
    return theta - LR * v_hat / (math.sqrt(r_hat) + EPS), v, r


# 2. The library's rule: a pure function, here on Python floats.
rule = optim.rules.Adam(beta1=BETA1, beta2=BETA2, eps=EPS)

# 3. The library's optimizer, which runs the same rule on a vector, with the gradient from autodiff.
x = minidl.Tensor([-5.0, -2.0], requires_grad=True, dtype="float64")
optimizer = optim.Adam([x], lr=LR, beta1=BETA1, beta2=BETA2, eps=EPS)

hand = [(-5.0, 0.0, 0.0), (-2.0, 0.0, 0.0)]
pure = [(-5.0, *rule.init(-5.0)), (-2.0, *rule.init(-2.0))]
print(" t        by hand: x1, x2         rule on floats: x1, x2      optimizer: x1, x2")
for t in range(1, 21):
    g = gradient(hand[0][0], hand[1][0])
    hand = [adam(theta, gi, v, r, t) for (theta, v, r), gi in zip(hand, g, strict=True)]
    g = gradient(pure[0][0], pure[1][0])
    pure = [tuple(rule(state[0], gi, *state[1:], lr=LR, t=t)) for state, gi in zip(pure, g, strict=True)]
    optimizer.zero_grad()
    (0.1 * x[0] ** 2 + 2 * x[1] ** 2).backward()
    optimizer.step()
    rows = [(hand[0][0], hand[1][0]), (pure[0][0], pure[1][0]), tuple(x.tolist())]
    if t in (1, 2, 3, 10, 20):
        print(f"{t:2d}  " + "    ".join(f"{a:11.6f} {b:11.6f}" for a, b in rows))
    for other in rows[1:]:
        if max(abs(a - b) for a, b in zip(rows[0], other, strict=True)) > 1e-12:
            raise SystemExit(f"step {t}: the three do not agree: {rows}")
print("all three agree to 1e-12")
