"""``minidl info``: what a bug report needs, and the stock of machine code."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import minidl
from minidl.cli import main
from minidl.commands import info

LABELS = "minidl Python numpy safetensors click rich numba llvmlite matplotlib pillow cupy extras system processor vectors BLAS GPU cache"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    objects = pytest.importorskip("minidl.compiler.native.cache.objects")
    for name in ("_loaded", "_read"):  # what other tests have loaded
        monkeypatch.setattr(objects, name, {})
    return tmp_path / "minidl"


def told(*options, code=0):
    result = CliRunner().invoke(main, ["info", *options])
    assert result.exit_code == code, result.output
    return result.output


def about(name, text):
    """What stands beside a name, its lines joined."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.split(" ")[0] == name)
    more = next((i for i in range(first + 1, len(lines)) if lines[i][0] != " "), len(lines))
    return " ".join(line[12:] for line in lines[first:more])


def test_it_prints_a_line_for_all_that_a_bug_report_needs(place):
    text = told()
    assert [line.split()[0] for line in text.splitlines() if line[0] != " "] == LABELS.split()
    assert about("minidl", text).startswith(minidl.__version__)
    assert about("Python", text).startswith(platform.python_version())
    assert about("numpy", text) == np.__version__
    assert "plot yes" in about("extras", text)
    assert f"{os.cpu_count()} cores" in about("processor", text)
    assert str(place) in about("cache", text).replace(" ", "")


def test_it_is_plain_text_of_eighty_columns_however_long_the_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("long " * 30)))
    text = told()
    assert max(map(len, text.splitlines())) <= 80
    assert set(text) <= {"\n", *map(chr, range(32, 127))}


def test_it_names_the_blas_that_runs_its_kernel_and_its_threads(place, monkeypatch):
    if info._openblas("config"):
        assert "OpenBLAS" in about("BLAS", told())
        assert "kernel " in about("BLAS", told())
        assert about("BLAS", told()).endswith(f"threads: {minidl.hardware.threads.blas_threads()}")
    monkeypatch.setattr(info, "_openblas", lambda what: None)  # as with MKL or Accelerate
    assert about("BLAS", told()).startswith(np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"])


def test_what_is_not_installed_is_said_and_not_imported():
    program = (
        "import sys\nfrom minidl.commands import info\n"
        "sys.meta_path.insert(0, type('No', (), {'find_spec': staticmethod(lambda n, *_: exec('raise AssertionError(n)') "
        "if n.split('.')[0] in ('cupy', 'numba', 'matplotlib', 'PIL') else None)}))\n"
        "info.find_spec = lambda name: None\n"
        "print(info.report())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "CuPy is not installed" in about("GPU", done.stdout)


def test_without_the_folder_that_compiles_it_says_so(monkeypatch):
    class Deleted:
        @staticmethod
        def find_spec(name, *_):
            if name == "minidl.compiler":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in [name for name in sys.modules if name.startswith("minidl.compiler")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Deleted, *sys.meta_path])
    assert about("cache", told()) == "no machine code is used: minidl.compiler is not there"
    assert "minidl.compiler is not there" in told("--clear-cache", code=1)


def test_a_cache_that_is_not_used_says_why_and_nothing_is_made(place):
    place.mkdir()
    place.chmod(0o777)
    text = about("cache", told())
    assert "is not used: it can be written to by others: remove it" in text
    assert "home/.cache/minidl" in text.replace(" ", "")
    assert not (place.parent / "home").exists()


def test_clearing_removes_what_minidl_made_and_nothing_else(place):
    name = "0123456789abcdef"
    ours = [
        f"machine-{name}.o", f"update-{name}.log", f".update-{name}.o.{name}.tmp", "compiling.lock",
        f"rule_{name}-{name}.o", f"rules/rule_{name}.py", f"rules/__pycache__/rule_{name}.cpython-311.pyc",
    ]  # fmt: skip
    theirs = ["notes.txt", "machine.o", "rules/mine.py"]
    (place / "rules" / "__pycache__").mkdir(parents=True)
    for file in ours + theirs:
        (place / file).write_bytes(b"x" * 1024)
    assert told("--clear-cache") == f"{place}: removed {len(ours)} files of minidl's, {len(ours)} KB\n"
    assert {str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()} == set(theirs)


@pytest.mark.slow
def test_building_says_how_long_each_part_took_and_then_all_is_there(place, monkeypatch):
    pytest.importorskip("numba")
    from minidl.compiler.native.cache import stock

    every = stock.sources()
    assert list(every)[:3] == ["machine", "SGD", "Momentum"]
    assert len(every) == 11
    few = {name: every[name] for name in ("SGD", "Adam")}
    monkeypatch.setattr(stock, "sources", lambda: few)
    assert "for this version not compiled yet: SGD, Adam" in about("cache", told())
    lines = told("--build-cache").splitlines()
    assert [line.split()[0] for line in lines] == ["SGD", "Adam"]
    assert all(line.endswith(" s") and float(line.split()[1]) > 0 for line in lines)
    assert "2 files of minidl's" in about("cache", told())
    assert "complete for this version" in about("cache", told())
    assert told("--build-cache").splitlines() == [f"{name:16} was there" for name in few]


@pytest.mark.slow
def test_what_could_not_be_compiled_is_told_with_where_to_read_more(place, monkeypatch):
    pytest.importorskip("numba")
    from minidl.compiler.native.cache import objects, stock

    wrong = objects.Source("update", "def update(a, b):\n    return unheard_of(a)\n")
    monkeypatch.setattr(stock, "sources", lambda: {"Wrong": wrong})
    assert "Error: Wrong could not be compiled: " in told("--build-cache", code=1)
    (log,) = place.glob("*.log")
    text = about("cache", told())
    assert "failed last: " in text
    assert log.name in text.replace(" ", "")
