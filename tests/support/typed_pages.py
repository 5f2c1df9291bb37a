"""What users' scripts look like to type checkers: the code of README, docs and examples, as files to be checked.

python tests/support/typed_pages.py
"""

import os
import re
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

from pages import ROOT, SCRIPTS

import minidl

PACKAGE = Path(minidl.__file__).parent

# What pages import of others, which may not be here, or have no types.
SETTINGS = {"pyrightconfig.json": '{"reportMissingImports": false, "reportMissingModuleSource": false}'}
CHECKERS = {
    "mypy": [
        "--strict",
        "--allow-redefinition",
        "--ignore-missing-imports",
        f"--cache-dir={ROOT / '.mypy_cache' / 'scripts'}",
    ],
    "pyright": ["--pythonpath", sys.executable],
}


def scripts() -> dict[str, str]:
    """The examples, each block of the README, and those of each other page, which go on from one another."""
    found = {path.name: path.read_text() for path in sorted((ROOT / "examples").glob("*.py"))}
    for page, blocks in groupby(SCRIPTS, lambda block: block.page):
        code = [block.code for block in blocks]
        if page == "README.md":
            found |= {f"README_{i}.py": block for i, block in enumerate(code)}
        else:
            found[f"{Path(page).stem}_page.py"] = "\n".join(code)
    return found


def complaints(checker: str, texts: dict[str, str]) -> list[str]:
    """The errors that `checker`, mypy or pyright, finds in scripts with these names and texts, one a line."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (texts | SETTINGS).items():
            (Path(folder) / name).write_text(text)
        command = [sys.executable, "-m", checker, *CHECKERS[checker], *texts]
        installed = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
        ran = subprocess.run(command, cwd=folder, env=installed, capture_output=True, text=True)
    if ran.returncode > 1:
        raise RuntimeError(f"{checker} did not run: {ran.stdout}{ran.stderr}")
    return [line.strip() for line in ran.stdout.splitlines() if re.search(r":\d+(:\d+)?(:| -) error", line)]


if __name__ == "__main__":
    wrong = {checker: complaints(checker, scripts()) for checker in CHECKERS}
    for checker, lines in wrong.items():
        print(f"{checker}: {len(lines)} errors in {len(scripts())} scripts", *lines, sep="\n  ")
    sys.exit(any(wrong.values()))
