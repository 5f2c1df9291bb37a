"""Ranks that are ended at random moments: ``python tests/support/stress_ranks.py --rounds 20 [KIND...]``.

Each round starts `minidl train --ranks` (or, for errors, a program under mpiexec), and ends one rank in one of these ways
at a random moment after the first checkpoint. Then no process may be left after 10 s, the exit status and the line that is
said have to be right, and `--resume` has to lead to the bits of the run that nobody ended; the last round of each kind also
goes on with one rank and with three, to rounding. A line for each kind tells what was counted; the exit status is 1 if
anything was wrong. tests/parallel/test_stress_ranks.py runs a share of it.

- `killed 0`, `killed 1`: kill -9 of that rank; `stopped`: SIGSTOP, which only the deadline (2 s) finds;
- `terminated`, `interrupted`: SIGTERM and Ctrl-C, at `minidl train` or at one of the ranks;
- `raises`, `exits`: an error, and sys.exit(3), in a callback of one rank.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from minidl.data import Dataset
from minidl.parallel.board import BOARD

GONE = 10.0  # seconds after which no process may be left
DEADLINE = 2
LIMIT = 120.0  # seconds after which a run that nobody ends hangs
EPOCHS = 40
TRAIN = f"--validation 59000 --layers 16 --batch-size 50 --seed 4 --no-guards --quiet --epochs {EPOCHS}"
# How each kind ends: the signal, the exit status, and the line that says so.
SIGNALS = {
    "killed 0": (
        signal.SIGKILL,
        9,
        r"Error: rank 0 of 2 .*: ended by signal 9; saved at step \d.*; to go on: minidl train",
    ),
    "killed 1": (
        signal.SIGKILL,
        9,
        r"Error: rank 1 of 2 .*: ended by signal 9; saved at step \d.*; to go on: minidl train",
    ),
    "stopped": (signal.SIGSTOP, 75, r"Error: rank [01] of 2 .*: has not come for \d+ s \(deadline\); saved at step \d"),
    "terminated": (signal.SIGTERM, 143, r"interrupted; saved at step \d.*; to go on: minidl train --ranks 2 --resume"),
    "interrupted": (signal.SIGINT, 130, r"interrupted; saved at step \d.*; to go on: minidl train --ranks 2 --resume"),
}
ERRORS = {
    "raises": (1, r"Error: rank [01] of 2 .*: ended by ValueError: a mistake; saved at step \d"),
    "exits": (3, r"Error: rank [01] of 2 .*: ended by sys.exit\(3\); saved at step \d"),
}


class Wrong(Exception):
    """What a round has found."""


def launched(folder, ranks):
    """`minidl train` by so many ranks in `folder`."""
    what = ["--resume"] if folder.exists() else [*TRAIN.split(), "--checkpoint-every", "20 steps", "--output"]
    many = ["--ranks", str(ranks), "--oversubscribe", "--deadline", str(DEADLINE)] if ranks > 1 else []
    return started([sys.executable, "-m", "minidl", "train", *what, str(folder), *many])


def programmed(folder, ranks, *failure):
    """This file's own training by so many ranks in `folder`."""
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    return started([mpiexec, "-n", str(ranks), sys.executable, __file__, "--child", str(folder), *map(str, failure)])


def started(command):
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def processes(folder):
    """All that belong to the run in `folder`: their numbers, and which rank each is, if it is one."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            typed = (entry / "cmdline").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            variables = (entry / "environ").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue
        if str(folder).encode() in typed.split(b"\0") and state != "Z":
            rank = next((int(v.partition(b"=")[2]) for v in variables if v.startswith(b"PMI_RANK=")), None)
            found[int(entry.name)] = rank
    return found


def wait_for_checkpoint(folder, process):
    until = time.monotonic() + LIMIT
    while not (folder / "checkpoints/latest.safetensors").exists() and not (folder / "latest.safetensors").exists():
        if process.poll() is not None or time.monotonic() > until:
            raise Wrong(f"no checkpoint: {process.communicate(timeout=5)[0]}")
        time.sleep(0.01)


def ended(process, since, limit):
    """What it has printed, its exit status, and after how many seconds all was over."""
    try:
        said, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise Wrong(f"still there after {limit:.0f} s: {process.communicate()[0]}") from None
    return said, process.returncode, time.monotonic() - since


def signalled(kind, folder, rng):
    """End a run of `minidl train` by a signal; returns what it said, its status, the seconds, and whether it was over."""
    number, _, _ = SIGNALS[kind]
    process = launched(folder, 2)
    wait_for_checkpoint(folder, process)
    time.sleep(rng.uniform(0, 1.5))
    ranks = {rank: pid for pid, rank in processes(folder).items() if rank is not None}
    which = int(kind[-1]) if kind[-1].isdigit() else rng.choice([0, 1])
    target = process.pid if kind in ("terminated", "interrupted") and rng.random() < 0.5 else ranks.get(which)
    since = time.monotonic()
    if target is None or process.poll() is not None:
        process.communicate()
        return None  # it was over before
    os.kill(target, number)
    # It may hang as long as 20 times the longest step so far, which on a busy machine may have waited long.
    return ended(process, since, LIMIT if kind == "stopped" else GONE)


def failed(kind, folder, rng):
    """The same of an error in a callback."""
    since = time.monotonic()
    process = programmed(folder, 2, kind, rng.randrange(20, 300), rng.choice([0, 1]))
    wait_for_checkpoint(folder, process)
    return ended(process, since, LIMIT)


def check(kind, found, folder):
    said, status, seconds = found
    _, expected, line = SIGNALS.get(kind) or (None, *ERRORS[kind])
    if status != expected:
        raise Wrong(f"exit status {status}, not {expected}: {said}")
    if not re.search(line, said):
        raise Wrong(f"it did not say {line!r}: {said}")
    until = time.monotonic() + 1
    while processes(folder) and time.monotonic() < until:
        time.sleep(0.05)
    if left := processes(folder):
        raise Wrong(f"processes are left after {seconds:.1f} s: {left}")


def weights(folder, kind):
    if kind in ERRORS:
        return dict(np.load(folder / "weights.npz"))
    return load_file(folder / "model.safetensors")


def gone_on(folder, kind, ranks):
    """The weights once the run in `folder` has gone on to its end."""
    process = (programmed if kind in ERRORS else launched)(folder, ranks)
    said, status, _ = ended(process, time.monotonic(), LIMIT)
    if status:
        raise Wrong(f"--resume with {ranks} ranks: exit status {status}: {said}")
    return weights(folder, kind)


def rounds(kind, count, whole, base, rng):
    """End so many runs, and go on with each; returns what was counted, and what was wrong."""
    over, slowest, wrong = 0, 0.0, []
    for number in range(count):
        folder = base / f"{kind.replace(' ', '-')}-{number}"
        try:
            found = (failed if kind in ERRORS else signalled)(kind, folder, rng)
            if found is None:
                over += 1
                continue
            check(kind, found, folder)
            slowest = max(slowest, found[2])
            if number == count - 1:
                for ranks in (1, 3):
                    shutil.copytree(folder, other := base / f"{folder.name}-by-{ranks}")
                    far = max(np.abs(a - whole[key]).max() for key, a in gone_on(other, kind, ranks).items())
                    if not far < 1e-4:
                        raise Wrong(f"--resume with {ranks} ranks: {far:.1e} away")
            same = gone_on(folder, kind, 2)
            if not all(np.array_equal(a, whole[key]) for key, a in same.items()):
                raise Wrong("--resume led to other bits")
        except Wrong as reason:
            wrong.append(f"{kind}, round {number}: {reason}")
            for pid in processes(folder):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    return over, slowest, wrong


def child(folder, what="nothing", step="0", culprit="-1"):
    """A training that fails at a step; behind it, or without one, it goes on and leaves its weights."""
    import minidl
    from minidl import nn, optim, parallel
    from minidl.train import Callback, Checkpoint, fit

    ranks = parallel.world(deadline=DEADLINE)

    class Fails(Callback):
        def on_step(self, run):
            if run.step == int(step) and ranks.rank == int(culprit):
                if what == "raises":
                    raise ValueError("a mistake")
                sys.exit(3)

    minidl.seed(0)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2000, 12)).astype(np.float32)
    model = nn.Sequential(nn.Dense(12, 16), nn.BatchNorm(16), nn.ReLU(), nn.Dropout(0.2), nn.Dense(16, 5))
    fit(
        model, Dataset(x, x[:, :5].argmax(axis=1)), optimizer=optim.SGD(model.parameters()), epochs=10, batch_size=50,
        progress=False, guards=False, callbacks=[Fails()], checkpoint=Checkpoint(folder, "10 steps"),
        resume=what == "nothing", parallel=ranks if ranks.size > 1 else None,
    )  # fmt: skip
    if ranks.rank == 0:
        np.savez(f"{folder}/weights.npz", **model.state_dict())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    os.environ.pop(BOARD, None)
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        base, rng = Path(name), random.Random(given.seed)
        whole = {}
        for kind in given.kinds or [*SIGNALS, *ERRORS]:
            own = kind in ERRORS
            if own not in whole:
                whole[own] = gone_on(base / f"whole-{own}", kind, 2)
            over, slowest, found = rounds(kind, given.rounds, whole[own], base, rng)
            wrong += found
            late = f", {over} were over before" if over else ""
            print(
                f"{kind}: {given.rounds} rounds{late}, {len(found)} wrong; the slowest end {slowest:.2f} s", flush=True
            )
            for reason in found:
                print(reason, flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
