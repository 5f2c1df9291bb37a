"""Alter checkpoints and model files in every way that a disk or an attacker might, and try to load them.

    python tests/support/fuzz_checkpoints.py --count 10000

Only minidl's own errors may come out, with no allocation beyond four times the file's size, and nothing executed or
written. Most of the files get their checksum made right again, so that what lies behind it is reached.
"""

import argparse
import hashlib
import json
import os
import random
import re
import sys
import tempfile
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import MinidlError
from minidl.train import Checkpoint, EarlyStopping, Run, fit

DIGEST = re.compile(rb'\{\\"sha256\\": \\"([0-9a-f]{64})')
SMALL = 1 << 18  # bytes that Python takes for itself, whatever the file
VALUES = ("0", "-1", "1", "null", "true", "[]", "{}", "1e999", "NaN", '"x"', str(2**31), str(2**63), str(2**64), "1" * 400,
          "[[[[[[[[]]]]]]]]", '"__class__"', '{"__array__": "order"}', '{"__array__": 3}', '"../../x"')  # fmt: skip
HARMLESS = {"os.listdir", "os.scandir", "os.mkdir", "os.truncate"}  # the lock's


def small() -> tuple[nn.Module, optim.Optimizer, Dataset]:
    """A network with all kinds of layers that have something to save, and data for it."""
    rng = np.random.default_rng(0)
    data = Dataset(rng.normal(size=(200, 200)).astype("float32"), rng.integers(0, 4, 200))
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(200, 120), nn.BatchNorm(120), nn.ReLU(), nn.Dropout(0.1), nn.Dense(120, 4))
    return model, optim.Adam(model.parameters(), lr=optim.schedules.cosine(0.01, 100)), data


def originals(folder: Path) -> dict[str, bytes]:
    """A run's checkpoint, taken within an epoch, and a model's file."""
    model, optimizer, data = small()
    fit(
        model, data, optimizer=optimizer, epochs=2, batch_size=20, validation=data, callbacks=[EarlyStopping(9)],
        checkpoint=Checkpoint(folder, 17), progress=False,
    )  # fmt: skip
    minidl.save(folder / "model.safetensors", model, note="fuzzed")
    within = next(file for file in folder.glob("step-*.safetensors") if "17" in file.name)
    return {"run": within.read_bytes(), "model": (folder / "model.safetensors").read_bytes()}


def signed(data: bytes) -> bytes:
    """`data` with the right checksum in its place, where there still is one."""
    found = DIGEST.search(data[:400])
    if found is None:
        return data
    blank = data[: found.start(1)] + b"0" * 64 + data[found.end(1) :]
    return blank[: found.start(1)] + hashlib.sha256(blank).hexdigest().encode() + blank[found.end(1) :]


def altered(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """One way to spoil a file, and the file."""
    length = int.from_bytes(data[:8], "little")
    kind = rng.choice(
        "flip flip header cut grow splice length zero value value value shape offset duplicate bomb raw".split()
    )
    body, header = bytearray(data), data[8 : 8 + length].decode()
    if kind == "flip":
        for _ in range(rng.choice((1, 1, 5, 100))):
            body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    elif kind == "header":
        body[rng.randrange(8, 8 + length)] = rng.randrange(256)
    elif kind == "cut":
        del body[rng.randrange(len(body)) :]
    elif kind == "grow":
        body += rng.randbytes(rng.randrange(1, 5000))
    elif kind == "splice":
        a, b = sorted(rng.randrange(len(body)) for _ in range(2))
        body[a:b] = rng.randbytes(rng.randrange(200))
    elif kind == "length":
        body[:8] = rng.choice((0, 1, length - 1, length + 8, 2**31, 2**63, 2**64 - 1)).to_bytes(8, "little")
    elif kind == "zero":
        a = rng.randrange(len(body))
        body[a : a + 4096] = bytes(len(body[a : a + 4096]))
    elif kind == "raw":
        body = bytearray(rng.randbytes(rng.randrange(300)))
    else:
        return kind, with_header(data, rewritten(kind, header, rng))
    return kind, bytes(body)


def with_header(data: bytes, header: str) -> bytes:
    """`data` with another header."""
    written = header.encode("utf-8", "surrogatepass")
    written += b" " * (-len(written) % 8)
    return len(written).to_bytes(8, "little") + written + data[8 + int.from_bytes(data[:8], "little") :]


def rewritten(kind: str, header: str, rng: random.Random) -> str:
    """The header with values, shapes or offsets of an attacker's choice."""
    if kind == "value":  # in the content, somewhere in its tree
        tree = json.loads(header)
        content = json.loads(tree["__metadata__"]["minidl"])
        holder, key = content, rng.choice([k for k in content if k != "sha256"])
        while isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.8:
            holder = holder[key]
            key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        if isinstance(holder, dict) and rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = json.loads(rng.choice(VALUES))
        tree["__metadata__"]["minidl"] = json.dumps(content)
        return json.dumps(tree, separators=(",", ":"))
    if kind == "shape":
        return altered_list(header, "shape", rng)
    if kind == "offset":
        return altered_list(header, "data_offsets", rng)
    if kind == "duplicate":
        entries = re.findall(r'"[^"\\]+":\{"dtype":[^}]*\}', header)
        return header.rstrip(" }") + "}," + rng.choice(entries) + "}"
    bomb = rng.choice(("[],", '{"a":0},', "[" * 9 + "]" * 9 + ",", "1,")) * rng.randrange(10, 60_000)
    inside = rng.random() < 0.5
    if inside:
        return header.replace(r"\"history\": [", r"\"history\": [" + bomb.replace('"', r"\""), 1)
    return header.rstrip(" ")[:-1] + ',"x":[' + bomb[:-1] + "]}"


def altered_list(header: str, name: str, rng: random.Random) -> str:
    lists = list(re.finditer(rf'"{name}":\[([^\]]*)\]', header))
    chosen = rng.choice(lists)
    numbers = [int(n) for n in chosen[1].split(",") if n]
    at = rng.randrange(len(numbers)) if numbers else 0
    wild = rng.choice((0, -1, 1, 7, 2**31, 2**62, 2**64, (numbers or [0])[at - 1], (numbers or [8])[at] + 4))
    numbers[at : at + 1] = rng.choice(([wild], [wild], [], [wild, wild]))
    return header[: chosen.start(1)] + ",".join(map(str, numbers)) + header[chosen.end(1) :]


def loader_of(folder: Path) -> Callable[[str, Path], None]:
    """The function that loads a file, of either kind, as a user would."""
    model, optimizer, data = small()
    before, state = model.state_dict(), optimizer.state_dict()

    def load(kind: str, path: Path) -> None:
        if kind == "model":
            minidl.load(path)
            return
        run = Run(model, optimizer, 2, 10, data)
        patience, keeper = EarlyStopping(9), Checkpoint(folder)
        with keeper.attached(run, Loader(data, 20), [patience], resume=True):
            patience.on_start(run)
            keeper.on_start(run)

    def checked(kind: str, path: Path) -> None:
        try:
            load(kind, path)
        except MinidlError:
            same = all((array == before[name]).all() for name, array in model.state_dict().items())
            assert same, "the model was changed, although the file was refused"
            raise
        model.load_state_dict(before)
        optimizer.load_state_dict(state)

    return checked


def fuzz(count: int, seed: int) -> Counter[str]:
    """Try `count` altered files; returns how they ended. Raises ``AssertionError``, naming the file, for a bad end."""
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    largest = 0.0
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = originals(Path(place, "origin"))
        path = {"run": Path(place, "runs", "step-00000017.safetensors"), "model": Path(place, "model.safetensors")}
        path["run"].parent.mkdir()
        load = loader_of(path["run"].parent)
        for kind, data in whole.items():
            path[kind].write_bytes(data)
            load(kind, path[kind])
        watch = Watch()
        for number in range(count):
            kind = rng.choice(("run", "model"))
            how, data = altered(whole[kind], rng)
            right = rng.random() < 0.7
            data = signed(data) if right else data
            path[kind].write_bytes(data)
            what = f"file {number} of seed {seed} ({kind}, {how}, checksum made right: {right}, {len(data)} bytes)"
            message = str(path[kind])
            watch.seen.clear()
            watch.on = True
            tracemalloc.start()
            try:
                load(kind, path[kind])
                outcome = "loaded"
            except MinidlError as error:
                outcome, message = type(error).__name__, str(error)
            except BaseException as error:
                raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
            finally:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                watch.on = False
            assert peak <= max(4 * len(data), SMALL), f"{what}: {peak} bytes were allocated at once"
            assert str(path[kind]) in message, f"{what}: the error does not name the file: {message}"
            assert not watch.seen, f"{what}: {watch.seen}"
            outcomes[f"{outcome}{' unaltered' if data == whole[kind] else ''}"] += 1
            largest = max(largest, peak / len(data) if len(data) > 1 << 16 else 0)
    print(f"{count} files: {dict(outcomes)}; at most {largest:.2f} times a file's size allocated")
    return outcomes


class Watch:
    """Notes, while `on`, what a load has no business doing: writing, starting processes, connecting, unpickling."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            writes = args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(args[2], int) else True
            if writes and not str(args[0]).endswith(".lock"):
                self.seen.append(f"open {args}")
        elif (
            event.partition(".")[0] in ("os", "subprocess", "socket", "shutil", "pickle", "exec")
            and event not in HARMLESS
        ):
            self.seen.append(f"{event} {args}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    fuzz(given.count, given.seed)
