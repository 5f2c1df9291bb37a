"""A rule as lines, one assignment each, read off the rule itself.

The rule is run once on symbols, which gives one large expression per result. The names that the rule gave to parts of
them (v_hat, step, ...) are its local variables, which a profiling hook reads when it returns. Nothing here knows any
particular rule.
"""

import sys
from types import CodeType, FrameType
from typing import Any, NamedTuple

from ...optim.execution.plan import in_order
from ...optim.rule import Rule
from ...optim.symbols import Symbol, equation


class Line(NamedTuple):
    """``name ← expression``; the parts that are in `known` are written by their name there, not written out."""

    name: str
    expression: Any
    known: dict[Symbol, str]


def looks_ahead(rule: Rule) -> bool:
    """Whether the parameters of `rule` hold a look-ahead point instead of θ itself."""
    return type(rule).iterate is not Rule.iterate


def lines(rule: Rule) -> list[Line]:
    """The assignments that `rule` executes, each after those that it needs; θ last.

    A name stands for the newest value that a line has assigned to it; "..._old" for the value before the step, where
    that is read after the assignment. A look-ahead rule has one more line, "iterate", which computes θ itself from
    the look-ahead point.
    """
    inputs, outputs, arguments, variables = _run_on_symbols(rule)
    names = ("theta", "g", *rule.state)
    parts = set(in_order(outputs))
    results = dict(zip(("theta", *rule.state), outputs, strict=True))
    decayed = {name: x for name, x in zip(names, arguments, strict=False) if x not in inputs}
    inner = {name: x for name, x in variables.items() if isinstance(x, Symbol) and x.args and x in parts}
    named: dict[Any, str] = {}
    for given in (decayed, results, inner):  # a part with two names is called by the first
        for name, x in given.items():
            named.setdefault(x, name)

    found: list[Line] = []
    known: dict[Symbol, str] = dict(zip(inputs, names, strict=True))

    def assign(name: str, x: Any) -> None:
        found.append(Line(name, x, dict(known)))
        for symbol in [symbol for symbol, old in known.items() if old == name]:
            if symbol in inputs:
                known[symbol] = f"{name}_old"
            else:
                del known[symbol]
        if isinstance(x, Symbol):
            known[x] = name

    done: set[Any] = set(inputs)
    theta = results.pop("theta")
    for x in in_order([*decayed.values(), *results.values(), *inner.values(), theta]):
        if x in named and x not in done:
            done.add(x)
            assign(named[x], x)
    for name, x in results.items():
        if named[x] != name or (x in inputs and known[x] != name):  # the same expression as one that has another name
            assign(name, x)
    if looks_ahead(rule):
        symbolic = rule.replaced({name: Symbol(name, scalar=True) for name in rule.numbers()})
        assign("iterate", symbolic.iterate(*outputs))
    return found


def _run_on_symbols(rule: Rule) -> tuple[tuple[Symbol, ...], tuple[Any, ...], list[Any], dict[str, Any]]:
    """The rule's inputs and outputs as symbols; the arguments of its `update`, and its local variables at the end."""
    code: CodeType = type(rule).update.__code__
    arguments: list[Any] = []
    variables: dict[str, Any] = {}

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if frame.f_code is code and event == "call":
            arguments[:] = [frame.f_locals[name] for name in code.co_varnames[1 : code.co_argcount]]
        elif frame.f_code is code and event == "return":
            variables.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        inputs, outputs = equation(rule)
    finally:
        sys.setprofile(before)
    return inputs, outputs, arguments, variables
