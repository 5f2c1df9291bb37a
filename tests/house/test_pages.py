"""Every code block of README, CONTRIBUTING and docs/*.md runs as it is printed, or names only what there is.

Python runs; where it asks for MNIST, on the first digits of it, and once more on all of them (slow). Commands are held
to the options, files and extras that they name. A block marked by an HTML comment in the line above is not run:
`<!-- source: ... -->` is the library's own text (test_optim_docs.py compares them), `<!-- not run: ... -->` tells why.
"""

import re
import shlex
import tomllib
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import pytest
from pages import BLOCKS, PAGES, PIECES, ROOT, SCRIPTS, SHOWN

import minidl.data
from minidl.cli import main
from minidl.errors import GuardWarning, LabelError, ShapeError

CONTINUED = {
    "docs/data.md",
    "docs/layers.md",
    "docs/numpy.md",
    "docs/judging.md",
    "docs/optimizers.md",
    "docs/tensors.md",
    "docs/transforms.md",
}  # a block goes on with the names of those above it
MISTAKES = {"docs/guards.md": (GuardWarning, LabelError, ShapeError)}  # shown there; test_guards.py says which by which
TRACKERS = {
    ("docs/interop.md", f"not run: needs {it}; test_trackers.py runs it with a stand-in") for it in ("mlflow", "wandb")
}
NOT_RUN = {("docs/gpu.md", "not run: needs a GPU"), ("docs/cluster.md", "not run: needs Slurm"), *TRACKERS}

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
OTHERS = set(
    ". apt build cd dask git module mpiexec pre-commit sbatch sphinx-build srun twine venv zipfile".split()
)  # programs that are not minidl's
PRINTED = re.compile(r"^(\S.*?)\s+# = (.*)$", re.MULTILINE)

PYTHON = [block for block in SCRIPTS if not block.mark]
COMMANDS = [block for block in BLOCKS if block.language in ("sh", "console", "")]


def programs():
    """The blocks that run with the same names, each such list with the digits that it is given."""
    for page, blocks in groupby(PYTHON, lambda block: block.page):
        for program in [[*blocks]] if page in CONTINUED else [[block] for block in blocks]:
            name = page if page in CONTINUED else str(program[0])
            yield pytest.param(program, 3200, id=name)
            if any("mnist()" in block.code for block in program):
                yield pytest.param(program, 60_000, id=f"{name} all digits", marks=pytest.mark.slow)


def run(block, names):
    """Execute a block; what stands behind `# =` is what Python prints of the line. A traceback names page and line."""
    code = "\n" * (block.line - 1) + block.code
    end = 0
    for line in PRINTED.finditer(code):
        execute("\n" * code.count("\n", 0, end) + code[end : line.start()], block, names)
        assert repr(eval(line[1], names)) == line[2], block
        end = line.end()
    execute("\n" * code.count("\n", 0, end) + code[end:], block, names)


def execute(code, block, names):
    exec(compile(code, ROOT / block.page, "exec"), names)


@pytest.mark.parametrize(("program", "digits"), [*programs()])
def test_python_runs_as_it_is_printed(program, digits, tmp_path, monkeypatch):
    complete = minidl.data.mnist
    monkeypatch.setattr(minidl.data, "mnist", lambda: [half[:digits] for half in complete()])
    monkeypatch.setattr(minidl.threads, "now", minidl.threads.now)  # which a page may set
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIDL_DATA", str(ROOT / "tests/support/fixtures/digits"))  # for sets of one's own
    names = {"__name__": "page"}
    for block in program:
        with suppress(*MISTAKES.get(block.page, ())):
            run(block, names)


def commands(block):
    """The commands of a block, each as a list of words."""
    lines = block.code.splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    for line in lines:
        words = shlex.split(line, comments=True)
        for joint, command in groupby(words, "&&".__eq__):
            if not joint:
                yield list(command)


def check(program, *words):
    """Nothing that a command names is missing: no option of minidl's, no file of the project, no extra."""
    program = Path(program).name or program  # . has none
    if program == "sudo":
        check(*words)
    elif program == "minidl":
        command = main.commands[words[0]]
        if "--help" not in words:
            command.make_context(words[0], list(words[1:])).close()
    elif program in ("python", "python3") and words[0] == "-m":
        check(*words[1:])
    elif program in ("python", "python3", "bash"):
        source = (ROOT / words[0]).read_text()
        assert [word for word in words if word.startswith("-") and word not in source] == []
    elif program == "pytest":
        assert [word for word in words if "/" in word and not (ROOT / word).exists()] == []
    elif program == "pip":
        named = re.findall(r"\[([\w,]+)\]", " ".join(words))
        assert {extra for group in named for extra in group.split(",")} <= EXTRAS.keys()
    else:
        assert program in OTHERS, f"nothing is known of {program}: run it, or add it to those that are not minidl's"


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_a_command_names_only_what_there_is(block):
    assert [check(*command) for command in commands(block)]


def test_no_block_is_left_out():
    seen = {*PYTHON, *COMMANDS, *SHOWN}
    left = [block for block in BLOCKS if block not in seen and block.page not in PIECES]
    assert {(block.page, block.mark) for block in left} == NOT_RUN
    fences = sum(line.lstrip().startswith("```") for path in PAGES for line in path.read_text().splitlines())
    directives = sum(line.startswith("```{") for path in PAGES for line in path.read_text().splitlines())
    assert len(BLOCKS) == fences / 2 - directives > 50


@pytest.mark.parametrize(
    "command",
    [
        "minidl train --lairs 3",
        "minidl evaluat",
        "pip install '.[plots]'",
        "pytest tests/ops/no.py",
        "make",
        "bash .ci/no",
    ],
)
def test_a_command_that_names_what_there_is_not_is_found(command):
    with pytest.raises(Exception, match=r"No such option|evaluat|plots|no\.py|make|No such file"):
        check(*shlex.split(command))


def test_a_page_that_shows_what_python_does_not_print_is_found():
    (block,) = [block for block in PYTHON if "[6, 8]" in block.code]
    names = {"Tensor": minidl.Tensor}
    run(block, names)
    with pytest.raises(AssertionError):
        run(type(block)(block.page, block.line, block.language, block.code.replace("[6, 8]", "[6, 9]"), None), names)
