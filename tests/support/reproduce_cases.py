"""The rows of `minidl reproduce`, what becomes of them, and how they are run."""

import os
import subprocess
import sys

import minidl
from minidl.display import figures
from minidl.teach.reproduce import ROWS

# every id of the checklist of the notes, and what else they say: EA12, EA13, EB15 to EB20, FA15, FA16, ER19 to ER27, D12
IDS = (
    "A1 A2 A3 A4 A5 A6 A7 A8 A9 "
    "FA1 FA2 FA3 FA4 FA5 FA6 FA7 FA8 FA9 FA10 FA11 FA12 FA13 FA14 FA15 FA16 "
    "EA1 EA2 EA3 EA4 EA5 EA6 EA7 EA8 EA9 EA10 EA11 EA12 EA13 "
    "EB1 EB2 EB3 EB4 EB5 EB6 EB7 EB8 EB9 EB10 EB11 EB12 EB13 EB14 EB15 EB16 EB17 EB18 EB19 EB20 "
    "FB0 FB1 FB2 FB3 FB4 FB5 "
    "S1 "
    "ER1 ER2 ER3 ER4 ER5 ER6 ER7 ER8 ER9 ER10 ER11 ER12 ER13 ER14 ER15 ER16 ER17 ER18 ER19 ER20 ER21 ER22 ER23 ER24 ER25 ER26 ER27 "
    "D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12"
).split()
TRAINED = {
    "FA15",
    "FA16",
    "FA11",
    "FB2",
    "FB3",
    "FB4",
    "EA10",
    "EA13",
    "EB15",
    "EB16",
    "EB19",
    "EB20",
    "ER27",
}  # what comes of these depends on the budget
TURNS = {"EB6"}  # with the setting: not decided, with any budget
ABSENT = {"FA12", "FA13"}
OFFERS = ("EB11", "ER20", "D6", "D7", "D9", "D10")
DRAWN = [id for id in IDS if id.startswith("F") and id not in ABSENT] + [
    "S1",
    "EA2",
    "EA5",
    "EA10",
    "EA13",
    "EB15",
    "EB19",
    "ER23",
    "EB3",
    "EB4",
    "EB12",
    "ER1",
]


def made(id):
    minidl.seed(0)
    with figures.style():
        return ROWS[id].run(quick=True)


def minidl_reproduce(*arguments, cwd, code=0, **environment):
    command = [sys.executable, "-W", "error", "-m", "minidl.cli", "reproduce", *map(str, arguments)]
    result = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=1800, env={**os.environ, **environment}
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr
