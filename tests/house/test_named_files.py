"""Every file that a page, or the docstring of a file, names is there."""

import ast
import re

import pytest
from layers import FILES, PACKAGE
from pages import PAGES, ROOT

FOLDERS = [ROOT / name for name in ("benchmarks", "docs", "examples", "tests", ".github")]
OTHERS = sorted(path for folder in FOLDERS for path in folder.rglob("*") if path.suffix in (".py", ".md", ".sh"))
MADE = {"api", "project"}  # folders of docs/ that the site is made of, and no part of the source
SOURCES = [path for path in OTHERS if path.relative_to(ROOT).parts[:2] not in {("docs", name) for name in MADE}]
THERE = {f"/{path.relative_to(PACKAGE.parent)}" for path in [*FILES, *PACKAGE.rglob("*.toml")]}
THERE |= {f"/{path.relative_to(ROOT)}" for path in [*SOURCES, *PAGES, *ROOT.glob("*.toml")]}

NAME = re.compile(r"(?<![\w./])(?:\.\./)?\w[\w./-]*\.(?:py|md|toml|sh)\b")
PLACEHOLDERS = {"PAGE.md", "docs/project/README.md"}  # any page; one that the site's build writes
PLACEHOLDERS |= {"my_adam.py", "my_momentum.py"}  # which the reader is to write


def missing(text):
    """The files that a text names, in full or by the last parts of their paths, and that are not there."""
    named = {name.removeprefix("../") for name in NAME.findall(text)} - PLACEHOLDERS
    return sorted(name for name in named if not any(path.endswith(f"/{name}") for path in THERE))


TEXTS = sorted({*PAGES, *(path for path in SOURCES if path.suffix == ".md")})


@pytest.mark.parametrize("page", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_names_files_that_are_there(page):
    assert missing(page.read_text(encoding="utf-8")) == []


def test_the_docstrings_of_files_name_files_that_are_there():
    wrong = {}
    for path in [*FILES, *(path for path in SOURCES if path.suffix == ".py")]:
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        wrong |= {str(path): names for names in [missing(docstring)] if names}
    assert wrong == {}


@pytest.mark.parametrize(
    "name", ["tests/test_house.py", "nosuch.py", "minidl/nn/losses.py", "../docs/nosuch.md", "ci.sh"]
)
def test_a_file_that_is_not_there_is_found(name):
    assert missing(f"See `{name}`, and tests/house/test_house.py.") == [name.removeprefix("../")]
