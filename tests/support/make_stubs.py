"""Writes the stubs of minidl's ops, layers and optimizers: what type checkers and editors know of them.

python tests/support/make_stubs.py

An op returns a Tensor for a Tensor and an array for an array, which takes an overload for each of its arguments
that may be the Tensor; an optimizer has the hyperparameters of its rule. Both are written down in the code once, as
annotations, and copied from there. test_types.py fails where a stub is not what this would write.
"""

import ast
import copy
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import minidl
from minidl import linalg, nn, ops, optim
from minidl.optim.hyperparameters import Choice, Range
from minidl.optim.rules import Rule

PACKAGE = Path(minidl.__file__).parent
HEAD = "# Written by tests/support/make_stubs.py.\n\n"
ARRAY = re.compile(r"\bArray\b")  # in annotations: what is computed with, while an ArrayLike is only read


def overloads(name: str, function: Callable[..., Any]) -> Iterator[str]:
    """The stub of a function, under that `name`: a Tensor for a Tensor in any of the places of `Array`, else an array."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.name = name
    definition.decorator_list = [ast.Name("overload")]
    definition.body = [ast.Expr(ast.Constant(...))]
    arguments = definition.args
    given_always = arguments.args[: len(arguments.args) - len(arguments.defaults)] + [arguments.vararg]
    places = [a.arg for a in given_always if a is not None and ARRAY.search(ast.unparse(a))]
    for place in [*places, None]:
        yield overload(definition, place)


def overload(definition: ast.FunctionDef, place: str | None) -> str:
    """The overload whose argument called `place` is the Tensor (None: there is none)."""
    twin = copy.deepcopy(definition)
    for argument in ast.walk(twin.args):
        if isinstance(argument, ast.arg) and argument.annotation is not None:
            operand = "Tensor" if argument.arg == place else "ArrayLike"
            argument.annotation = ast.Name(ARRAY.sub(operand, ast.unparse(argument.annotation)))
    result = "Array" if place is None else "Tensor"
    returned = ast.unparse(definition.returns or ast.Name(""))
    # list[Any] becomes list[Tensor]; of what a parameter decides about, nothing is said
    twin.returns = ast.Name("Any" if "|" in returned else re.sub(r"\b(Any|Array)\b", result, returned))
    return ast.unparse(twin).replace(":\n    ...", ": ...")


def reexports(package: Any, names: list[str]) -> Iterator[str]:
    """Imports of those `names` of a package that other files define."""
    for name in names:
        value = getattr(package, name)
        if inspect.ismodule(value):
            yield f"from . import {name} as {name}"
        else:
            home = value.__module__.removeprefix(package.__name__)
            home = home if home.startswith(".") else ".." + value.__module__.split(".")[1]
            yield f"from {home} import {name} as {name}"


def constructor(kind: type[optim.Optimizer]) -> str:
    """The stub of an optimizer's class."""
    options = ", ".join(
        f"{name}: {hyperparameter(kind.rule, name)} = {parameter.default!r}"
        for name, parameter in inspect.signature(kind).parameters.items()
        if name in kind.rule.hyperparameters
    )
    head = f"class {kind.__name__}(Optimizer, rule=rules.{kind.rule.__name__}):"
    return f"{head}\n    def __init__(self, params: Params, lr: Rate = {kind.rule.lr!r}, *, {options}) -> None: ..."


def hyperparameter(rule: type[Rule], name: str) -> str:
    """The type of a hyperparameter, in the stub's words."""
    allowed = rule.hyperparameters[name]
    if isinstance(allowed, Range):
        return "Rate | None" if allowed.optional else "Rate"
    assert isinstance(allowed, Choice)
    return "bool" if allowed.values == (False, True) else f"Literal[{', '.join(map(repr, allowed.values))}]"


def listed(names: list[str]) -> str:
    """``__all__``."""
    return "__all__: list[str] = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n"


def ops_stub() -> str:
    """minidl/ops/__init__.pyi."""
    functions = [text for name in ops.__all__ for text in overloads(name, getattr(ops, name))]
    imports = """\
from collections.abc import Sequence
from typing import Any, Literal, Never, overload

from ..arrays import Array, ArrayLike, DTypeLike
from ..backend import Backend
from ..tensor import Tensor
from .nn import batch_norm as batch_norm
from .nn import binary_cross_entropy as binary_cross_entropy
from .nn import dense as dense
from .nn import softmax_cross_entropy as softmax_cross_entropy
from .norms import Ord
from .order import Method
from .shape import Axis, Shape
"""
    return "\n".join([imports, listed(ops.__all__), *functions, ""])


def linalg_stub() -> str:
    """minidl/linalg.pyi."""
    values = {name: getattr(linalg, name) for name in linalg.__all__}
    shared = [name for name, value in values.items() if value is getattr(ops, name, None)]
    own = [name for name, value in values.items() if not (name in shared or inspect.isclass(value))]
    functions = [text for name in own for text in overloads(name, values[name])]
    imports = """\
from collections.abc import Sequence
from typing import Any, Literal, overload

from .arrays import Array, ArrayLike
from .errors import LinAlgError as LinAlgError
from .ops.decompositions import EighResult as EighResult
from .ops.decompositions import QRResult as QRResult
from .ops.decompositions import SVDResult as SVDResult
from .ops.norms import Ord
from .ops.shape import Axis
from .ops.solving import SlogdetResult as SlogdetResult
from .tensor import Tensor"""
    same = [f"from .ops import {name} as {name}" for name in shared]
    return "\n".join([imports, *same, "", listed(linalg.__all__), *functions, ""])


def nn_stub() -> str:
    """minidl/nn/__init__.pyi."""
    losses = [
        name for name in nn.__all__ if getattr(getattr(nn, name), "__module__", "") == nn.mean_squared_error.__module__
    ]
    others = reexports(nn, [name for name in nn.__all__ if name not in losses])
    functions = [text for name in losses for text in overloads(name, getattr(nn, name))]
    imports = """\
from typing import overload

from ..arrays import Array, ArrayLike
from ..ops.nn import Reduction
from ..tensor import Tensor"""
    return "\n".join([imports, *others, "", listed(nn.__all__), *functions, ""])


def optim_stub() -> str:
    """minidl/optim/__init__.pyi."""
    values = {name: getattr(optim, name) for name in optim.__all__}
    kinds = [value for value in values.values() if inspect.isclass(value) and hasattr(value, "rule")]
    others = reexports(optim, [name for name, value in values.items() if value not in kinds])
    imports = """\
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from ..tensor import Tensor
from .hyperparameters import Rate"""
    params = "Params: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]]\n"
    return "\n".join([imports, *others, "", listed(optim.__all__), params, *map(constructor, kinds), ""])


def stubs() -> dict[Path, str]:
    """The text of each stub, by its file."""
    made = {
        "ops/__init__": ops_stub(),
        "nn/__init__": nn_stub(),
        "optim/__init__": optim_stub(),
        "linalg": linalg_stub(),
    }
    return {PACKAGE / f"{name}.pyi": HEAD + text for name, text in made.items()}


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text)
