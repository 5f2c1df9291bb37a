"""docs/optimizers.md shows the rules' own source, their own defaults, and code that runs."""

import inspect
import textwrap

import pytest
from pages import ROOT, SCRIPTS, SHOWN, SOURCE
from rule_cases import EVERY

import minidl
from minidl.optim import rule as rule_module
from minidl.optim import rules

PAGE = (ROOT / "docs/optimizers.md").read_text(encoding="utf-8")
EQUATIONS = {block.mark.removeprefix(SOURCE): block.code for block in SHOWN if block.page == "docs/optimizers.md"}
NAMES = [kind.__name__ for kind in EVERY]


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_code_shown_is_the_source(name):
    module, *path = name.split(".")
    found = {"rules": rules, "rule": rule_module}[module]
    for part in path:
        found = getattr(found, part)
    assert textwrap.dedent(inspect.getsource(found)) == EQUATIONS[name]


def test_every_rule_has_its_section_and_shows_its_equation():
    for name in NAMES:
        assert f"\n### {name}\n" in PAGE
        assert f"rules.{name}.{'decayed' if name == 'AdamW' else 'update'}" in EQUATIONS
    assert "rule.root" in EQUATIONS


@pytest.mark.parametrize("name", NAMES)
def test_the_table_shows_the_defaults_and_the_memory(name):
    kind = getattr(rules, name)
    defaults = {n: getattr(kind, n) for n in kind.hyperparameters}
    for every in ("weight_decay", "ema"):  # what every rule has
        if not defaults[every]:
            del defaults[every]
    shown = ", ".join(f"{n} {value!r}".replace("'", '"') for n, value in defaults.items())
    assert f"| {name} | {kind.lr} | {shown} | {len(kind().state)} |".replace("|  |", "| |") in PAGE


def test_the_code_on_the_page_runs(capsys):
    scope = {}
    for block in SCRIPTS:
        if block.page == "docs/optimizers.md":
            exec(block.code, scope)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("-3.8046")
    assert printed[1].startswith("minidl.optim.Momentum(params, lr=0.1, beta=0.9, form='velocity')  # exact")
    assert "# constant lr only" in printed[2]
    assert printed[3].endswith("Σ α_k = ∞ holds. Σ α_k² < ∞ holds.")
    assert "Σ α_k is finite" in printed[4]
    assert scope["optimizer"].lr == pytest.approx(0.001)
    assert isinstance(scope["model"], minidl.nn.Module)
