"""`pytest -m "not slow"` stays worth running: nearly all tests are in it, and some of each file. And each file stands alone."""

import ast
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SHARE = 0.9
COLLECT = f"""
import json, pytest, sys
class Collected:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items):
        self.tests = [(item.nodeid.partition("::")[0], [mark.name for mark in item.iter_markers()]) for item in items]
collected = Collected()
code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", {str(TESTS)!r}], plugins=[collected])
if code:
    sys.exit(code)
print("\\n" + json.dumps(collected.tests))
"""


def shortcomings(tests):
    """What is wrong with the fast set of `tests`, each a pair of its file and the names of its marks."""
    fast = defaultdict(list)
    for file, marks in tests:
        if not {"gpu", "mpi", "browser"} & set(marks):
            fast[file].append("slow" not in marks)
    for file, those in fast.items():
        if not any(those):
            yield f"{file} has no fast test"
    every = [each for those in fast.values() for each in those]
    if sum(every) < SHARE * len(every):
        yield f"only {sum(every)} of {len(every)} tests are fast"


@pytest.mark.slow
def test_the_fast_set_holds_nearly_all_tests_and_some_of_every_file():
    done = subprocess.run([sys.executable, "-c", COLLECT], cwd=TESTS.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    tests = json.loads(done.stdout.splitlines()[-1])
    assert len(tests) > 8000
    assert list(shortcomings(tests)) == []


def test_a_file_of_slow_tests_alone_and_a_set_of_too_many_slow_ones_are_found():
    fast, slow, gpu = [], ["slow"], ["gpu", "slow"]
    tests = [("a.py", fast)] * 18 + [("b.py", slow), ("b.py", fast), ("c.py", gpu)]
    assert list(shortcomings(tests)) == []
    assert list(shortcomings([*tests, ("d.py", slow)])) == ["d.py has no fast test"]
    assert list(shortcomings([*tests, *[("b.py", slow)] * 2])) == ["only 19 of 22 tests are fast"]


def test_no_test_module_imports_from_another():
    files = {path.stem: path for path in TESTS.rglob("test_*.py")}
    assert len(files) == len([*TESTS.rglob("test_*.py")]), "two test modules have one name"
    for path in files.values():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not files.keys() & {name.split(".")[-1] for name in names}, (
                f"{path}: what tests share is in tests/support"
            )


def test_every_test_lies_in_a_folder():
    assert [path.name for path in TESTS.glob("test_*.py")] == []
