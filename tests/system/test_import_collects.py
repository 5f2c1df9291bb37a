"""Python looks for garbage again once minidl is imported, or is not."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import gc, importlib
{before}
try:
    import minidl
except Exception as error:
    print(type(error).__name__)
print(gc.isenabled())
{after}
"""
RELOAD = "gc.disable(); importlib.reload(minidl); print(gc.isenabled())"


@pytest.mark.parametrize(
    ("before", "after", "environment", "expected"),
    [
        ("", "", {}, ["True"]),
        ("gc.disable()", "", {}, ["False"]),
        ("", "", {"MINIDL_THREADS": "many"}, ["OptionError", "True"]),
        ("", RELOAD, {}, ["True", "False"]),
    ],
    ids=["on", "off", "an import that fails", "loaded again"],
)
def test_garbage_is_collected_after_an_import_as_before_it(before, after, environment, expected):
    program = PROGRAM.format(before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.stdout.split() == expected
