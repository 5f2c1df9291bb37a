"""Symbols written out as JavaScript: an executor for browsers, of the same equations that train.

An operation of NumPy's becomes a line, in the order in which it is needed, so that every sum and product is rounded as
in Python. The arithmetic of both is IEEE's double precision: + - * / and the square root have the same bits everywhere.
Powers with a whole exponent go by `pow` below, in twice that precision; C's own are sometimes off by the last bit (0.95
to the power of 3 is not, two of its first thousand are). exp, log, tanh and the like may differ there too, as they do
from one browser to the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from ..errors import UnsupportedError
from .execution.plan import in_order
from .hyperparameters import Choice
from .rule import Rule
from .symbols import Symbol, equation

PRELUDE = """\
function two(a, b) {  // a * b as a sum of two numbers, exactly (Dekker 1971)
  const split = (x) => { const c = 134217729 * x; const high = c - (c - x); return [high, x - high]; };
  const p = a * b; const [ah, al] = split(a); const [bh, bl] = split(b);
  return [p, ((ah * bh - p) + ah * bl + al * bh) + al * bl];
}
function times([a, b], [c, d]) {
  const [p, e] = two(a, c); const rest = e + (a * d + b * c); const sum = p + rest;
  return [sum, rest - (sum - p)];
}
export function pow(base, exponent) {  // by squaring, in twice the precision
  if (!Number.isInteger(exponent) || exponent < 0 || exponent > 1e6) return Math.pow(base, exponent);
  let result = [1, 0]; let square = [base, 0];
  for (let n = exponent; n > 0; n = Math.floor(n / 2)) {
    if (n % 2) result = times(result, square);
    square = times(square, square);
  }
  return Number.isFinite(result[0]) ? result[0] + result[1] : Math.pow(base, exponent);
}
function product(last, factor) {
  let found = 1;
  for (let i = 1; i <= last; i += 1) found *= factor(i);
  return found;
}
"""

_WRITTEN = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "negative": "-{}",
    "power": "pow({}, {})", "square": "{0} * {0}", "positive": "{}", "reciprocal": "1 / {}", "sqrt": "Math.sqrt({})",
    "exp": "Math.exp({})", "expm1": "Math.expm1({})", "log": "Math.log({})", "log1p": "Math.log1p({})",
    "sin": "Math.sin({})", "cos": "Math.cos({})", "tanh": "Math.tanh({})", "absolute": "Math.abs({})",
    "sign": "Math.sign({})", "maximum": "Math.max({}, {})", "minimum": "Math.min({}, {})",
    "logaddexp": "Math.max({0}, {1}) + Math.log1p(Math.exp(-Math.abs({0} - {1})))",
    "equal": "{} === {}", "not_equal": "{} !== {}", "less": "{} < {}", "less_equal": "{} <= {}", "greater": "{} > {}",
    "greater_equal": "{} >= {}", "logical_and": "{} && {}", "logical_or": "{} || {}", "logical_not": "!{}",
    "bitwise_and": "{} && {}", "bitwise_or": "{} || {}", "invert": "!{}", "isnan": "Number.isNaN({})",
    "where": "{} ? {} : {}",
}  # fmt: skip


def function(name: str, arguments: str, results: Sequence[Any], shape: str, known: Mapping[Any, str]) -> str:
    """A JavaScript function of that name: ``shape`` with each result in the place of a ``{}``.

    Args:
        name: of the function.
        arguments: in brackets, as JavaScript has them.
        results: Symbols and numbers.
        shape: what is returned, such as ``[{}, [{}, {}]]``.
        known: what the Symbols without arguments are called.

    Raises `UnsupportedError` for an operation that has no line here.
    """
    names = dict(known)
    lines = [f"  const {line};" for line in _lines(results, names)]
    returned = shape.format(*(_name(x, names) for x in results))
    return "\n".join([f"export function {name}({arguments}) {{", *lines, f"  return {returned};", "}", ""])


def rule_function(rule: Rule, name: str) -> str:
    """``name(theta, g, state, {lr, t, ...})``: θ and the state after a step, and θ itself, of a rule that looks ahead.

    The rule's options, and a weight decay of zero, have shaped it; its numbers are given by name.
    """
    inputs, outputs = equation(rule)
    symbolic = rule.replaced({number: Symbol(number, scalar=True) for number in rule.numbers()})
    results = [*outputs, symbolic.iterate(*outputs), *(symbolic.start(state) for state in rule.state)]
    count = len(rule.state)
    known = {x: f"state[{i - 2}]" if i > 1 else str(x.op) for i, x in enumerate(inputs)}
    numbers = ["lr", "t", *rule.numbers()]
    known |= {Symbol(number, scalar=True): number for number in numbers}
    held = ", ".join(["{}"] * count)
    shape = f"{{{{theta: {{}}, state: [{held}], iterate: {{}}, start: [{held}]}}}}"
    return function(name, f"theta, g, state, {{{', '.join(numbers)}}}", results, shape, known)


def variants(kind: type[Rule]) -> Iterator[Rule]:
    """The rule with each combination of its options, of a weight decay of zero or not, and of what may be None."""
    options: dict[str, Sequence[Any]] = {"weight_decay": (0.0, 0.01)}
    for name, allowed in kind.hyperparameters.items():
        if isinstance(allowed, Choice):
            options[name] = allowed.values
        elif allowed.optional and name != "ema":
            options[name] = (None, getattr(kind, name))
    for values in product(*options.values()):
        yield kind(**dict(zip(options, values, strict=True)))


def _lines(results: Sequence[Any], names: dict[Any, str]) -> Iterator[str]:
    """An assignment for each operation, after those that it needs; `names` is added to."""
    for x in in_order(list(results)):
        if isinstance(x, Symbol) and x not in names:
            if not x.args:
                raise UnsupportedError(f"JavaScript: nothing is known of the symbol {x}")
            written = _written(x, names)
            names[x] = f"_{sum(name[0] == '_' for name in names.values())}"
            yield f"{names[x]} = {written}"


def _written(x: Symbol, names: Mapping[Any, str]) -> str:
    """One operation."""
    arguments = [_name(part, names) for part in x.args]
    if hasattr(x.op, "factor"):  # a product over i = 1, 2, ...
        i = Symbol("i", scalar=True)
        factor = x.op.factor(i, *x.args[1:])
        inner = dict(names) | {i: "i"}
        body = "; ".join([f"const {line}" for line in _lines([factor], inner)] + [f"return {inner[factor]}"])
        return f"product({arguments[0]}, (i) => {{ {body}; }})"
    if x.op not in _WRITTEN:
        raise UnsupportedError(f"JavaScript: {x.op} is not among the operations that can be written out")
    return _WRITTEN[x.op].format(*(f"({a})" if a.startswith("-") else a for a in arguments))


def _name(x: Any, names: Mapping[Any, str]) -> str:
    """What a part is called: a number stands for itself."""
    if isinstance(x, Symbol):
        return names[x]
    text = str(x).lower() if isinstance(x, bool) else repr(x)
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(text, text)
