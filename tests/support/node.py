"""Node, which executes what was written out as JavaScript; floats go there and back as their bits."""

import json
import os
import shutil
import struct
import subprocess

import pytest

PROGRAM = """
import { readFileSync } from "node:fs";
const view = new DataView(new ArrayBuffer(8));
const read = (hex) => { view.setBigUint64(0, BigInt("0x" + hex)); return view.getFloat64(0); };
const shown = (x) => { view.setFloat64(0, x); return view.getBigUint64(0).toString(16).padStart(16, "0"); };
const numbers = (x) => typeof x === "string" ? read(x) : Array.isArray(x) ? x.map(numbers) : x && typeof x === "object"
  ? Object.fromEntries(Object.entries(x).map(([k, v]) => [k, numbers(v)])) : x;
const bits = (x) => typeof x === "number" ? shown(x) : Array.isArray(x) ? x.map(bits) : x && typeof x === "object"
  ? Object.fromEntries(Object.entries(x).map(([k, v]) => [k, bits(v)])) : x;
"""


def hexed(x):
    """Numbers within lists and dicts as the bits of a float64, in hexadecimal."""
    if isinstance(x, dict):
        return {k: hexed(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [hexed(v) for v in x]
    return struct.pack(">d", x).hex()


def numbers(x):
    """The other way."""
    if isinstance(x, dict):
        return {k: numbers(v) for k, v in x.items()}
    return [numbers(v) for v in x] if isinstance(x, list) else struct.unpack(">d", bytes.fromhex(x))[0]


def run(source, expression, given):
    """What `expression` is, for `given` in its variable of that name, after the functions of `source`."""
    node = shutil.which("node")
    if node is None:
        needed = "needs Node (Debian: apt-get install nodejs)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(needed)
    program = f"{PROGRAM}\n{source}\nconst given = numbers(JSON.parse(readFileSync(0, 'utf8')));\nconsole.log(JSON.stringify(bits({expression})));"
    done = subprocess.run(
        [node, "--input-type=module", "-e", program],
        input=json.dumps(hexed(given)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return numbers(json.loads(done.stdout))
