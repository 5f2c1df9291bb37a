"""Twelve mistakes, two each of six kinds, at places of the public API that a seed draws: do type checkers find them?

python tests/support/plant_mistakes.py [SEED ...]

Each mistake is a line of a script, and so is the same line without it, which nothing may be said about.
"""

import inspect
import random
import sys
import types
import typing
from collections.abc import Callable
from typing import NamedTuple

from typed_pages import CHECKERS, complaints

import minidl
from minidl import data, nn, ops, optim

HEAD = """\
import numpy as np

import minidl
from minidl import data, nn, optim

train, test = data.mnist()
x = minidl.Tensor(np.ones((4, 10)), requires_grad=True)
labels = np.zeros(4, int)
model = nn.Sequential(nn.Dense(10, 10), nn.ReLU())
optimizer = optim.Adam(model.parameters())
history = minidl.train.fit(model, train, optimizer=optimizer, epochs=1)
"""
LOSSES = ("softmax_cross_entropy", "mean_squared_error", "binary_cross_entropy_with_logits")
CALLABLE = {
    **{f"minidl.{name}": getattr(minidl, name) for name in ops.__all__},
    **{f"nn.{name}": getattr(nn, name) for name in (*LOSSES, "Dense", "BatchNorm")},
    **{f"optim.{name}": getattr(optim, name) for name in ("SGD", "Momentum", "Adam", "NAdam", "RMSProp")},
    **{f"optim.schedules.{n}": getattr(optim.schedules, n) for n in "constant linear exponential cosine step".split()},
    **{f"data.{name}": getattr(data, name) for name in ("read_idx", "Dataset", "Loader")},
}
RULES = [name for name in optim.rules.__dict__ if name in optim.__all__]
METHODS = {"x": minidl.Tensor, "model": nn.Sequential, "optimizer": optim.Adam, "history": minidl.train.History}
BACKENDS = ("minidl.use_backend({})", "x.to({})", "model.to({})", "minidl.Tensor(1.0, backend={})")
BACKENDS += ("nn.Parameter(1.0, backend={})", "data.Loader(train, 32, backend={})", "minidl.transfer(x, {})")


class Line(NamedTuple):
    """A line as it should be, and as it was mistaken."""

    right: str
    wrong: str


def argument(parameter: inspect.Parameter) -> str:
    """Code for a value that a parameter takes."""
    hint, by_name = parameter.annotation, {"dtype": '"float32"', "params": "model.parameters()", "dataset": "train"}
    if parameter.default is not parameter.empty and isinstance(parameter.default, int | float | str | None):
        return repr(parameter.default)
    if parameter.name in by_name:
        return by_name[parameter.name]
    if typing.get_origin(hint) is typing.Literal:
        return repr(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = typing.get_args(hint)[0]
    if hint in (int, float, str):
        return {int: "1", float: "0.5", str: '"ij"'}[hint]
    return "[x, x]" if "Sequence" in str(hint) else "x"


def given(parameter: inspect.Parameter, name: str = "") -> str:
    """Code for an argument: by keyword if the parameter wants that, or if it is called by this `name`."""
    by_keyword = name or parameter.kind is parameter.KEYWORD_ONLY
    return f"{name or parameter.name}={argument(parameter)}" if by_keyword else argument(parameter)


def misspelt(draw: random.Random, name: str, others: set[str]) -> str:
    """`name` with a letter doubled, lost or exchanged, so that it is none of `others`."""
    while True:
        i = draw.randrange(len(name))
        wrong = name[:i] + draw.choice([name[i] * 2, "", draw.choice("aeiklnorst1")]) + name[i + 1 :]
        if wrong.isidentifier() and wrong not in others | {name}:
            return wrong


def keyword_of_an_op(draw: random.Random) -> Line:
    name = draw.choice([n for n in ops.__all__ if "operands" not in inspect.signature(getattr(ops, n)).parameters])
    parameters = list(inspect.signature(getattr(ops, name)).parameters.values())
    i = draw.randrange(len(parameters))
    wrong = misspelt(draw, parameters[i].name, {p.name for p in parameters})
    before, after = [given(p) for p in parameters[:i]], [given(p, p.name) for p in parameters[i + 1 :]]
    arguments = [[*before, given(parameters[i], keyword), *after] for keyword in (parameters[i].name, wrong)]
    return Line(*[f"minidl.{name}({', '.join(given)})" for given in arguments])


def method(draw: random.Random) -> Line:
    owner = draw.choice(list(METHODS))
    names = {name for name in dir(METHODS[owner]) if not name.startswith("_")}
    name = draw.choice(sorted(name for name in names if callable(getattr(METHODS[owner], name))))
    return Line(f"print({owner}.{name})", f"print({owner}.{misspelt(draw, name, names | set(vars(METHODS[owner])))})")


def hyperparameter(draw: random.Random) -> Line:
    rule = draw.choice(RULES)
    parameters = inspect.signature(getattr(optim.rules, rule)).parameters
    name = draw.choice(list(parameters))
    wrong = misspelt(draw, name, {"lr", "params", *parameters})
    call = draw.choice([f"optim.rules.{rule}({{}})", f"optim.{rule}(model.parameters(), {{}})"])
    return Line(*[call.format(given(parameters[name], n)) for n in (name, wrong)])


def backend(draw: random.Random) -> Line:
    call, wrong = draw.choice(BACKENDS), draw.choice(["cuda", "gpu", "cpu", "np", "Cupy", "jax", "numpi"])
    return Line(call.format(repr(draw.choice(["numpy", "cupy"]))), call.format(repr(wrong)))


def missing_argument(draw: random.Random) -> Line:
    name = draw.choice(list(CALLABLE))
    parameters = inspect.signature(CALLABLE[name]).parameters.values()
    needed = [given(p) for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    return Line(f"{name}({', '.join(needed)})", f"{name}({', '.join(needed[:-1])})")


def wrong_type_to_a_loss(draw: random.Random) -> Line:
    loss, right = draw.choice(LOSSES), ["x", "labels"]
    wrong, i = right.copy(), draw.randrange(2)
    wrong[i] = draw.choice(["model", "None", "optimizer", "'labels'", "{'labels': labels}", "minidl.exp", "train"])
    return Line(*[f"nn.{loss}({', '.join(arguments)})" for arguments in (right, wrong)])


KINDS: tuple[Callable[[random.Random], Line], ...] = (
    keyword_of_an_op, method, hyperparameter, backend, missing_argument, wrong_type_to_a_loss,
)  # fmt: skip


def found(checker: str, seed: int) -> tuple[list[str], list[str], list[str]]:
    """The mistakes that `checker` finds, those that it does not, and what it says of the lines without mistakes."""
    draw = random.Random(seed)
    lines = [kind(draw) for kind in (*KINDS, *KINDS)]
    draw.shuffle(lines)
    texts = {f"{what}.py": "\n".join([HEAD, *(getattr(line, what) for line in lines), ""]) for what in Line._fields}
    said = complaints(checker, texts)
    first = HEAD.count("\n") + 2
    hits = [any(f"wrong.py:{first + i}:" in text for text in said) for i in range(len(lines))]
    caught = [line.wrong for line, hit in zip(lines, hits, strict=True) if hit]
    missed = [line.wrong for line, hit in zip(lines, hits, strict=True) if not hit]
    return caught, missed, [text for text in said if "wrong.py" not in text]


def main(seeds: list[int]) -> None:
    for checker in CHECKERS:
        for seed in seeds:
            caught, missed, alarms = found(checker, seed)
            print(f"{checker}, seed {seed}: {len(caught)} of 12 found, {len(alarms)} false alarms")
            print(*(f"    {line}\n" for line in [*missed, *alarms]), sep="", end="")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or list(range(5)))
