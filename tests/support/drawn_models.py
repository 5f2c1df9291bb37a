"""Models and losses of one's own, drawn at random: values made from values, with layers among them."""

import numpy as np
from hypothesis import strategies as st

import minidl
from minidl import nn

BATCH, WIDTH = 12, 6

UNARY = {
    "tanh": minidl.tanh,
    "relu": minidl.relu,
    "sigmoid": minidl.sigmoid,
    "softplus": minidl.softplus,
    "leaky": minidl.leaky_relu,
    "exp": lambda a: minidl.exp(minidl.clip(a, -2, 2)),
    "abs": abs,
    "square": minidl.square,
    "sin": minidl.sin,
    "root": lambda a: minidl.sqrt(a * a + 1),
    "log": lambda a: minidl.log(abs(a) + 1),
    "power": lambda a: (abs(a) + 0.5) ** 1.5,
    "less the mean": lambda a: a - a.mean(axis=1, keepdims=True),
    "by the largest": lambda a: a / (1 + abs(a).max(axis=0, keepdims=True)),
    "softmax": minidl.softmax,
    "log softmax": minidl.log_softmax,
    "by logsumexp": lambda a: a - minidl.logsumexp(a, axis=1, keepdims=True),
    "by std": lambda a: a / (minidl.std(a, axis=0) + 1),
    "by norm": lambda a: a / (1 + minidl.norm(a)),
    "cumsum": lambda a: minidl.cumsum(a, axis=1),
    "sort": lambda a: minidl.sort(a, axis=1),
    "flipped": lambda a: a[:, ::-1] * 1.5,
    "turned": lambda a: minidl.reshape(a.T, (a.shape[1], a.shape[0])).T + 1,
    "picked": lambda a: a[:, np.array([0, 2, 1, 0, 3, 5])],
    "halves": lambda a: minidl.concatenate([a[:, 3:], a[:, :3]], axis=1),
    "positive": lambda a: minidl.where(a > 0, a, 0.1 * a),
    "einsum": lambda a: minidl.einsum("bi,bj->bi", a, a),
}
BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (1 + abs(b)),
    "maximum": minidl.maximum,
    "minimum": minidl.minimum,
    "where": lambda a, b: minidl.where(a > b, a * 2, b),
    "gram": lambda a, b: (a @ b.T) @ a / BATCH,
}


def huber(output, y):
    e = abs(output - y)
    return minidl.where(e < 1, 0.5 * e * e, e - 0.5).mean()


def smoothed(output, y):
    """Label smoothing."""
    target = minidl.take(np.eye(WIDTH, dtype=np.float32), y, axis=0) * 0.9 + np.float32(0.1 / WIDTH)
    return -(target * minidl.log_softmax(output)).sum(axis=1).mean()


def weighted(output, y):
    losses = nn.softmax_cross_entropy(output, y, reduction="none")
    return (losses * np.where(y == 1, 2.0, 1.0).astype(np.float32)).mean()


def numbers(rng):
    return rng.standard_normal((BATCH, WIDTH)).astype(np.float32)


def classes(rng):
    return rng.integers(0, WIDTH, BATCH)


LOSSES = {
    "mse": (nn.mean_squared_error, numbers),
    "sum": (lambda output, y: nn.mean_squared_error(output, y, reduction="sum") / 10, numbers),
    "bce": (nn.binary_cross_entropy_with_logits, lambda rng: rng.integers(0, 2, (BATCH, WIDTH))),
    "huber": (huber, numbers),
    "cross-entropy": (nn.softmax_cross_entropy, classes),
    "doubled": (lambda output, y: 2 * nn.softmax_cross_entropy(output, y), classes),
    "smoothed": (smoothed, classes),
    "weighted": (weighted, classes),
}


class Drawn(nn.Module):
    """A model of one's own: values made from values, with layers among them, some of them used twice."""

    def __init__(self, plan):
        self.plan = plan
        self.dense = [nn.Dense(WIDTH, WIDTH) for _ in range(2)]
        self.norm, self.dropout = nn.BatchNorm(WIDTH), nn.Dropout(0.25)
        self.scale = nn.Parameter(np.linspace(0.5, 1.5, WIDTH, dtype=np.float32))
        self.table = np.linspace(-1, 1, WIDTH, dtype=np.float32)

    def forward(self, x):
        values = [self.dense[0](x)]
        for kind, name, i, j in self.plan:
            a, b = values[i % len(values)], values[j % len(values)]
            if kind == "unary":
                values.append(UNARY[name](a))
            elif kind == "binary":
                values.append(BINARY[name](a, b))
            elif name == "dense":
                values.append(self.dense[j % 2](a))
            elif name == "norm":
                values.append(self.norm(a))
            elif name == "dropout":
                values.append(self.dropout(a))
            elif name == "scale":
                values.append(a * self.scale)
            elif name == "weights":
                values.append(a @ self.dense[1].weight)
            else:
                values.append(a + self.table)
        return values[-1] + 0.1 * values[0]


LAYERS = ["dense", "norm", "dropout", "scale", "weights", "table"]
PLACES = st.integers(0, 20)
PLANS = st.lists(
    st.one_of(
        st.tuples(st.just("unary"), st.sampled_from(sorted(UNARY)), PLACES, PLACES),
        st.tuples(st.just("binary"), st.sampled_from(sorted(BINARY)), PLACES, PLACES),
        st.tuples(st.just("layer"), st.sampled_from(LAYERS), PLACES, PLACES),
    ),
    min_size=1,
    max_size=7,
)


def batches_of(target, count=6):
    rng = np.random.default_rng(8)
    return [(numbers(rng), target(rng)) for _ in range(count)]


def drawn_plan(rng):
    """A random model."""
    kinds = {"unary": sorted(UNARY), "binary": sorted(BINARY), "layer": LAYERS}
    plan = []
    for _ in range(rng.integers(1, 8)):
        kind = str(rng.choice(["unary", "unary", "binary", "layer"]))
        plan.append((kind, str(rng.choice(kinds[kind])), int(rng.integers(20)), int(rng.integers(20))))
    return plan
