"""Functions as JavaScript: their values and autodiff's gradients, beside Python's."""

import numpy as np
import pytest
from node import run

from minidl import grad, minimum, relu, where
from minidl.errors import UnsupportedError
from minidl.optim.javascript import PRELUDE
from minidl.teach.followed import written
from minidl.teach.formula import formula
from minidl.teach.functions import quadratic
from minidl.teach.surfaces import SURFACES

FORMULAS = [
    "exp(x1) - log(1 + x2^2)/3",
    "sqrt(x1^2 + x2^2) + abs(x1*x2)",
    "tanh(x1) * sin(x2) + maximum(x1, x2)",
    "sigmoid(x1) - softplus(x2)",
]
FUNCTIONS = {name: surface.f for name, surface in SURFACES.items()}
FUNCTIONS |= {text: formula(text) for text in FORMULAS}
FUNCTIONS |= {"quadratic": quadratic(4.0, 0.2, 30.0), "relu": lambda x: relu(x[0]) + relu(-2.0 * x[1])}
FUNCTIONS["where"] = lambda x: where(x[0] > x[1], x[0] ** 2, x[1] ** 3) + minimum(x[0], 0.25)
FLAT = {name for name, surface in SURFACES.items() if len(surface.start) == 1}
EXACT = ["bowl", "rosenbrock", "two-valleys", "parabola", "quadratic", "relu"]  # + - * and squares only


def points(name):
    rng = np.random.default_rng(0)
    return rng.uniform(-3, 3, (40, 1 if name in FLAT else 2)).tolist()


@pytest.fixture(scope="module")
def theirs():
    """What node finds for all of them: value and gradient at each point."""
    source, names = PRELUDE, [*FUNCTIONS]
    for i, name in enumerate(names):
        source += written(FUNCTIONS[name], points(name)[0], f"f{i}")
    source = (
        source.replace("export function", "function")
        + f"const all = [{', '.join(f'f{i}' for i in range(len(names)))}];"
    )
    shown = run(
        source, "given.map((points, i) => points.map((x) => all[i](...x).flat()))", [points(name) for name in names]
    )
    return dict(zip(names, map(np.array, shown), strict=True))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_gradient_are_those_of_autodiff(theirs, name):
    f = FUNCTIONS[name]
    ours = np.array([[float(np.asarray(f(np.array(x)))), *grad(f)(np.array(x)).numpy()] for x in points(name)])
    if name in EXACT:
        assert (theirs[name] + 0.0).tobytes() == (ours + 0.0).tobytes()
    else:
        np.testing.assert_allclose(theirs[name], ours, rtol=1e-14, atol=1e-14)


def test_a_function_without_one_equation_is_refused():
    with pytest.raises(UnsupportedError, match="use where"):
        written(lambda x: x[0] if x[0].data > 0 else -x[0], [1.0], "f")
    with pytest.raises(UnsupportedError, match="cannot be followed"):
        written(lambda x: np.cumsum(x[0].data) + x[0], [1.0], "f")
