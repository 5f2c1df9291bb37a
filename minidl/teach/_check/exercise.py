"""Exercises: write a rule, and have it checked; the answers are printed from minidl's own rules."""

import re
from typing import Any

from ...errors import OptionError
from ...optim.execution.plan import in_order
from ...optim.rule import Rule
from ...optim.symbols import Symbol
from ..notation.assignments import Line, lines
from ..notation.formats import Code, Text
from ..notation.letters import Letter

_TASKS = {
    "en": (
        "Write the update rule {rule} as a function, in a file {file}:",
        "It is called once a step. `t` counts the steps from 1; `g` is the gradient; the state begins at {start}.",
        "The equation:",
        "Then: minidl check {file}   (it executes the file; the answer: minidl exercise {name} --answer)",
    ),
    "es": (
        "Escribe la regla {rule} como función, en un archivo {file}:",
        "Se llama una vez por paso. `t` cuenta los pasos desde 1; `g` es el gradiente; el estado empieza en {start}.",
        "La ecuación:",
        "Después: minidl check {file}   (ejecuta el archivo; la respuesta: minidl exercise {name} --answer)",
    ),
    "it": (
        "Scrivi la regola {rule} come funzione, in un file {file}:",
        "È chiamata una volta per passo. `t` conta i passi da 1; `g` è il gradiente; lo stato comincia da {start}.",
        "L'equazione:",
        "Poi: minidl check {file}   (esegue il file; la risposta: minidl exercise {name} --answer)",
    ),
}


def exercise(rule: Rule, language: Any = "en") -> str:
    """The task: the function's head, the equation, and how to check it. `language` is "en", "es" or "it"."""
    if language not in _TASKS:
        raise OptionError(f"language={language!r}: choose one of {', '.join(map(repr, _TASKS))}")
    write, called, equation, then = _TASKS[language]
    name = rule.name.lower()
    facts = {"rule": rule.name, "name": name, "file": f"my_{name}.py", "start": f"{rule.start(''):g}"}
    shown = "\n".join(f"    {line}" for line in _equation(rule))
    state = ", ".join(["theta", *rule.state])
    return "\n".join([
        write.format(**facts), "", _head(rule), "    ...", f"    return {state}", "",
        called.format(**facts), "", equation, shown, "", then.format(**facts),
    ])  # fmt: skip


def answer(rule: Rule) -> str:
    """The function that `exercise` asks for, written out from the rule itself."""
    body = _assignments(rule)
    needed = [name for name in ("prod", "sqrt") if any(f"{name}(" in line for line in body)]
    imports = [f"from math import {', '.join(needed)}"] if needed else []
    lines_ = [f"    {line}" for line in body] + [f"    return {', '.join(['theta', *rule.state])}"]
    return "\n".join([*imports, *([""] * 2 if imports else []), _head(rule), *lines_])


def _head(rule: Rule) -> str:
    names = ", ".join(["theta", "g", *rule.state, "lr", "t", *rule.numbers()])
    return f"def {rule.name.lower()}({names}):"


def _assignments(rule: Rule) -> list[str]:
    """The rule's lines as Python's assignments; what is needed after it has changed is kept beforehand."""
    printer = Code(digits=12)
    written: list[str] = []
    for line in _without_iterate(rule):
        leaves = {x: Letter(name) for x, name in _names(line).items()}
        text = f"{line.name} = {printer.write(line.expression, leaves)}"
        for name in dict.fromkeys(re.findall(r"(\w+)_old\b", text)):
            kept = f"{name}_old = {name}"
            if kept not in written:
                written.insert([w.partition(" ")[0] for w in written].index(name), kept)
        written.append(text)
    return written


def _equation(rule: Rule) -> list[str]:
    """The rule's lines, in the names that the function has for them."""
    printer = Text(digits=6)
    return [
        f"{line.name} ← {printer.write(line.expression, {x: Letter(name) for x, name in _names(line).items()})}"
        for line in _without_iterate(rule)
    ]


def _without_iterate(rule: Rule) -> list[Line]:
    return [line for line in lines(rule) if line.name != "iterate"]


def _names(line: Line) -> dict[Any, str]:
    """What is written by its name in a line."""
    used = set(in_order([line.expression]))
    names = {x: x.op for x in used if isinstance(x, Symbol) and not x.args} | line.known
    return {x: name for x, name in names.items() if x in used and x is not line.expression}
