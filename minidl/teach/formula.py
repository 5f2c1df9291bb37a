"""A function to minimise from a formula that somebody typed: read as an expression, never executed as Python."""

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import OptionError
from .functions import Function

_FUNCTIONS = "abs", "cos", "exp", "log", "maximum", "minimum", "sin", "sqrt", "square", "tanh", "sigmoid", "softplus"
_CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}
_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_MOST, _LONGEST = 200, 500  # nodes of an expression, and characters


def formula(text: str) -> Function:
    """The function of x1 and x2 that `text` is the formula of, such as ``0.1*x1**2 + 2*x2**2``.

    Numbers, x1, x2, pi, e, + - * / **, and exp, log, sqrt, sin, cos, tanh, abs and the like: nothing else. `^` is read
    as `**`. Raises `OptionError` for anything else.
    """
    if len(text) > _LONGEST:
        raise OptionError(f"formula: {len(text)} characters are too many, {_LONGEST} is the most")
    try:
        tree = ast.parse(text.replace("^", "**").strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise OptionError(f"formula: {text!r} is no expression: {getattr(error, 'msg', error)}") from error
    nodes = list(ast.walk(tree.body))
    if len(nodes) > _MOST:
        raise OptionError(f"formula: {text[:40]!r}... has too many parts")
    for node in nodes:
        _check(node)
    return lambda x: _value(tree.body, {"x1": x[0], "x2": x[1] if len(x) > 1 else 0.0})


def _check(node: ast.AST) -> None:
    """Raise `OptionError` for a part that is not allowed."""
    if isinstance(node, ast.Constant):
        if type(node.value) not in (int, float):
            raise OptionError(f"formula: {node.value!r} is no number")
    elif isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
        if not named or node.keywords:
            raise OptionError(f"formula: {ast.unparse(node.func)!r} is not one of {', '.join(_FUNCTIONS)}")
    elif isinstance(node, ast.Name):
        if node.id not in ("x1", "x2", *_CONSTANTS, *_FUNCTIONS):
            raise OptionError(f"formula: {node.id!r}: write x1 and x2, pi, e, and functions such as exp(x1)")
    elif not isinstance(node, ast.BinOp | ast.UnaryOp | ast.Load | ast.operator | ast.unaryop) or (
        isinstance(node, ast.operator | ast.unaryop) and type(node) not in _OPERATORS
    ):
        raise OptionError(f"formula: {type(node).__name__} is not allowed: + - * / ** and functions are")


def _value(node: ast.AST, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return np.float64(node.value)  # type: ignore[arg-type]  # a number; NumPy's, so that 1/0 is inf and no error
    if isinstance(node, ast.Name):
        return names[node.id] if node.id in names else _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_value(node.operand, names))
    if isinstance(node, ast.BinOp):
        left = _value(node.left, names)
        if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
            return left**node.right.value  # a whole exponent, for numbers below 0
        return _OPERATORS[type(node.op)](left, _value(node.right, names))
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)  # noqa: PT018
    function = getattr(ops, {"abs": "absolute"}.get(node.func.id, node.func.id))
    return function(*(_value(argument, names) for argument in node.args))
