"""The README's Python runs as it is printed, and so do the examples."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.strip().splitlines()[-1][:40])
def test_a_block_of_the_readme_runs(block, tmp_path):
    shortened = block.replace("epochs=3", "epochs=1").replace("for epoch in range(3)", "for epoch in range(1)")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", shortened], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_the_readmes_printed_gradient_is_right():
    shown = next(line for block in BLOCKS for line in block.splitlines() if line.startswith("x.grad"))
    x = np.array([1.0, 2.0, 3.0])
    printed = [float(v) for v in re.findall(r"\d+\.\d+", shown)]
    np.testing.assert_allclose(printed, np.exp(x) * (1 + x), rtol=1e-6)


@pytest.mark.parametrize("name", ["by_hand.py", "backprop_tour.py", "mnist_mlp.py"])
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
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
