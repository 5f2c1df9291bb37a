"""docs/optimizers.md shows the rules' own source, their own defaults, and code that runs."""

import inspect
import re
import textwrap
from pathlib import Path

import pytest

import minidl
from minidl import optim
from minidl.optim import rule as rule_module
from minidl.optim import rules

PAGE = (Path(__file__).parents[2] / "docs" / "optimizers.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"<!-- source: (\S+) -->\n```python\n(.*?)\n```", PAGE, re.DOTALL)
CODE = re.findall(r"(?<!-->\n)```python\n(.*?)\n```", PAGE, re.DOTALL)
NAMES = [name for name in optim.__all__ if getattr(getattr(optim, name), "__base__", None) is optim.Optimizer]


@pytest.mark.parametrize(("name", "code"), SHOWN, ids=[name for name, _ in SHOWN])
def test_the_code_shown_is_the_source(name, code):
    module, *path = name.split(".")
    found = {"rules": rules, "rule": rule_module}[module]
    for part in path:
        found = getattr(found, part)
    assert textwrap.dedent(inspect.getsource(found)).rstrip() == code


def test_every_rule_has_its_section_and_shows_its_equation():
    shown = {name for name, _ in SHOWN}
    for name in NAMES:
        assert f"\n### {name}\n" in PAGE
        assert f"rules.{name}.{'decayed' if name == 'AdamW' else 'update'}" in shown
    assert "rule.root" in shown


@pytest.mark.parametrize("name", NAMES)
def test_the_table_shows_the_defaults_and_the_memory(name):
    kind = getattr(rules, name)
    defaults = {n: getattr(kind, n) for n in kind.hyperparameters}
    if not defaults["weight_decay"]:
        del defaults["weight_decay"]
    shown = ", ".join(f"{n} {value!r}".replace("'", '"') for n, value in defaults.items())
    assert f"| {name} | {kind.lr} | {shown} | {len(kind().state)} |".replace("|  |", "| |") in PAGE


def test_the_code_on_the_page_runs(capsys):
    scope = {}
    for code in CODE:
        exec(code, scope)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("-3.8046")
    assert printed[1].startswith("minidl.optim.Momentum(params, lr=0.1, beta=0.9, form='velocity')  # exact")
    assert "# constant lr only" in printed[2]
    assert printed[3].endswith("Σ α_k = ∞ holds. Σ α_k² < ∞ holds.")
    assert "Σ α_k is finite" in printed[4]
    assert scope["optimizer"].lr == pytest.approx(0.001)
    assert isinstance(scope["model"], minidl.nn.Module)
