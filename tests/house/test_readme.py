"""What the README prints is right, the examples run, and links lead somewhere. (test_pages.py runs the blocks.)"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pages import BLOCKS, PAGES, ROOT

import minidl

PACKAGE = Path(minidl.__file__).parent


def test_the_readmes_printed_gradient_is_right():
    shown = next(line for block in BLOCKS for line in block.code.splitlines() if line.startswith("x.grad"))
    x = np.array([1.0, 2.0, 3.0])
    printed = [float(v) for v in re.findall(r"\d+\.\d+", shown)]
    np.testing.assert_allclose(printed, np.exp(x) * (1 + x), rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["by_hand.py", "backprop_tour.py", pytest.param("mnist_mlp.py", marks=pytest.mark.slow)]
)
def test_an_example_runs(name):
    arguments = ["1"] if name == "mnist_mlp.py" else []
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=300)
    assert result.returncode == 0, result.stderr
    if name == "mnist_mlp.py":
        assert float(re.findall(r"test accuracy (\d+\.\d+)%", result.stdout)[-1]) > 90
    if name == "by_hand.py":
        assert " 0.996033" in result.stdout  # checklist A9: Adam after 20 steps


def test_no_page_links_to_a_file_that_is_not_there():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("name", ["README.md", "docs/architecture.md"])
def test_the_page_of_tensors_is_linked(name):
    assert "tensors.md" in (ROOT / name).read_text()


@pytest.mark.parametrize("name", ["docs/architecture.md", "docs/glossary.md"])
def test_every_file_and_room_that_the_tour_names_is_there(name):
    there = [path.relative_to(PACKAGE).as_posix() + "/" * path.is_dir() for path in PACKAGE.rglob("*")]
    there += ["docs/draw_house.py", *(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py"))]
    named = re.findall(r"`(?:minidl/)?([\w/]+(?:\.py|/))`", (ROOT / name).read_text())
    assert len(named) > 20
    assert [one for one in named if not any(path == one or path.endswith("/" + one) for path in there)] == []
