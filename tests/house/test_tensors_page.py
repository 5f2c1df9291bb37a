"""docs/tensors.md: its blocks run in order, and print what it shows."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "tensors.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHOWN = re.compile(r"^(\S.*?)\s+# = (.*)$", re.MULTILINE)


def test_the_pages_blocks_print_what_it_shows():
    names = {}
    for block in BLOCKS:
        end = 0
        for line in SHOWN.finditer(block):
            exec(block[end : line.start()], names)
            assert repr(eval(line[1], names)) == line[2]
            end = line.end()
        exec(block[end:], names)
    assert len(SHOWN.findall(PAGE)) > 10


@pytest.mark.parametrize("name", ["README.md", "docs/architecture.md"])
def test_the_page_is_linked(name):
    assert "tensors.md" in (Path(__file__).parents[2] / name).read_text()
