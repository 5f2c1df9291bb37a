"""What pyproject.toml, README, CITATION.cff and the changelog say of the package holds."""

import re
import tomllib
from pathlib import Path

import minidl

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
BOUND = re.compile(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)")


def bounds(requirements):
    """The lowest version of each requirement that names one."""
    return dict(match.groups() for line in requirements if (match := BOUND.fullmatch(line)))


def test_the_versions_that_are_tested_as_the_lowest_are_those_that_are_allowed():
    lines = (ROOT / ".ci/lowest.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    extras = PROJECT["optional-dependencies"]
    tried = "plot", "fast", "lab", "sklearn", "onnx", "tensorboard", "study", "tune", "mpi", "test", "others"
    allowed = bounds([*PROJECT["dependencies"], *(line for extra in tried for line in extras[extra])])
    assert allowed.items() <= tested.items()
    assert set(tested) - set(allowed) == {"pyparsing"}


def test_every_requirement_has_a_lowest_version():
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    assert [line for line in lines if not BOUND.fullmatch(line) and not line.startswith("minidl[")] == []


def test_the_pythons_that_are_promised_are_those_that_are_tested():
    promised = [line.split(" :: ")[-1] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    assert promised == re.findall(r'"(3\.\d+)"', (ROOT / ".github/workflows/ci.yml").read_text())
    assert PROJECT["requires-python"] == f">={promised[0]}"


def test_every_licence_of_what_is_shipped_is_told():
    shipped = Path(minidl.__file__).parent
    found = {f"minidl/{path.relative_to(shipped).as_posix()}" for path in shipped.rglob("LICEN[CS]E*")}
    assert found | {"LICENSE"} == set(PROJECT["license-files"])
    for path in found:
        named = re.findall(r"SPDX: ([\w.-]+)", (shipped.parent / path).read_text())
        assert named, f"{path} names no licence as SPDX does"
        assert set(named) <= set(PROJECT["license"].split(" AND "))


def test_what_a_package_index_shows_has_no_link_that_leads_nowhere_there():
    text = (ROOT / "README.md").read_text()
    for rule in SETTINGS["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    assert [target for target in re.findall(r"\]\(([^)]*)\)", text) if not target.startswith("https://")] == []
    assert "`docs/compile.md`" in text
    assert "`docs/data.md`" in text


def test_the_readme_tells_how_each_extra_is_installed_from_a_checkout_and_from_an_index():
    text = (ROOT / "README.md").read_text()
    here, index = (set(re.findall(rf"pip install '{name}\[([\w,]+)\]'", text)) for name in (r"\.", "minidl"))
    assert here - {"docs"} == index  # the site is built from a checkout
    assert {"plot", "fast"} <= index <= set(PROJECT["optional-dependencies"])


def test_a_release_has_one_version_everywhere():
    cited = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited == [minidl.__version__]
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
    assert [heading.split()[0] for heading in headings[1:2]] in ([], [minidl.__version__])
