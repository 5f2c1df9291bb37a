"""What pyproject.toml says of the package holds."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BOUND = re.compile(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)")


def bounds(requirements):
    """The lowest version of each requirement that names one."""
    return dict(match.groups() for line in requirements if (match := BOUND.fullmatch(line)))


def test_the_versions_that_are_tested_as_the_lowest_are_those_that_are_allowed():
    lines = (ROOT / ".ci/lowest.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    extras = PROJECT["optional-dependencies"]
    allowed = bounds([*PROJECT["dependencies"], *extras["plot"], *extras["fast"], *extras["test"]])
    assert allowed.items() <= tested.items()
    assert set(tested) - set(allowed) == {"pyparsing"}


def test_every_requirement_has_a_lowest_version():
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    assert [line for line in lines if not BOUND.fullmatch(line) and not line.startswith("minidl[")] == []
