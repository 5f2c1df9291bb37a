"""Kill real training processes at random moments, resume them, and compare with a run that nobody killed.

    python tests/support/kill_harness.py --kills 200

Each training saves a checkpoint every few updates. Half of the kills (SIGKILL: no last words) come at a random moment,
of start or training, half as soon as a save is seen to be under way. A run is killed again and again until it ends by itself; its last checkpoint must then equal the uninterrupted
run's, bit for bit: weights, running statistics, optimizer, random streams, history (its seconds aside).
"""

import argparse
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVERY = 3  # updates between checkpoints
KILLS = 25  # that one run suffers before it is left alone
RULES = "Adam", "Nesterov", "AdaDelta", "AdamW"


def train(folder: Path, rule: str) -> None:
    """Train on real digits, going on from what is in `folder`: what the child processes do."""
    import minidl
    from minidl import nn, optim
    from minidl.data import read_idx
    from minidl.data.dataset import Dataset
    from minidl.train import EarlyStopping, fit
    from minidl.train.saving.checkpoints import Checkpoint

    files = Path(minidl.__file__).parent / "data" / "files" / "mnist"
    images, labels = (read_idx(next(files.glob(f"t10k-{kind}*"))) for kind in ("images", "labels"))
    digits = Dataset(images.reshape(len(images), -1), labels.astype("int64"))
    minidl.seed(5)
    model = nn.Sequential(nn.Dense(784, 128), nn.BatchNorm(128), nn.ReLU(), nn.Dropout(0.2), nn.Dense(128, 10))
    optimizer = getattr(optim, rule)(model.parameters(), lr=optim.schedules.cosine(0.01, 300))
    print("ready", flush=True)
    fit(
        model, digits[:1200], optimizer=optimizer, epochs=12, batch_size=48, validation=digits[1200:1500],
        callbacks=[EarlyStopping(patience=50)], checkpoint=Checkpoint(folder, every=EVERY), resume=True, progress=False,
    )  # fmt: skip


def compiled_ahead() -> None:
    """Where Numba is there, have machine code carry the runs out from their first update."""
    from minidl import nn, optim

    try:
        from minidl.compiler.native.cache.background import compile_now
        from minidl.compiler.native.cache.objects import installed
        from minidl.compiler.native.executor import needed
    except ModuleNotFoundError:  # that folder may be deleted
        return
    if installed():
        for rule in RULES:
            compile_now(needed(getattr(optim, rule)(nn.Dense(2, 2).parameters())))


def child(folder: Path, rule: str) -> "subprocess.Popen[str]":
    command = [sys.executable, __file__, "--child", str(folder), "--rule", rule]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> None:
    _, errors = process.communicate(timeout=600)
    if process.returncode:
        raise SystemExit(f"a training could not be resumed (exit {process.returncode}):\n{errors}")


def final(folder: Path) -> tuple[dict[str, bytes], dict[str, object]]:
    """The last checkpoint: its arrays' bytes, and its content without what may differ."""
    from minidl.train.saving.archive import read_archive

    arrays, content = read_archive(folder / "latest.safetensors", "run")
    for row in content["history"]:
        del row["seconds"]
    del content["sha256"]
    return {name: array.tobytes() for name, array in arrays.items()}, content


def hurt(folder: Path, rule: str, kills: int, rng: random.Random) -> tuple[int, int]:
    """Kill a run `kills` times, or until it ends; returns how many kills there were, and how many fell into a save."""
    done = saving = 0
    while done < kills:
        process = child(folder, rule)
        assert process.stdout is not None
        if rng.random() < 0.9:
            process.stdout.readline()  # "ready": the rest are killed while they start and read
        time.sleep(rng.uniform(0, 0.5))
        if rng.random() < 0.5:
            await_save(folder, process)
        if process.poll() is not None:
            finish(process)
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.communicate()
        done += 1
        saving += any(folder.glob(".*.tmp"))
        check_latest(folder)
    finish(child(folder, rule))
    return done, saving


def await_save(folder: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until the process has a temporary file, or has ended."""
    while process.poll() is None and not any(folder.glob(".*.tmp")):
        pass


def check_latest(folder: Path) -> None:
    """What the link leads to is whole, at any moment."""
    link = folder / "latest.safetensors"
    if link.is_symlink():
        final(folder)
    elif folder.exists():
        assert len([f for f in folder.iterdir() if re.fullmatch(r"step-\d+\.safetensors", f.name)]) <= 1


def harness(kills: int, seed: int) -> None:
    """Carry out so many kills; exits with a message if a run cannot be resumed, or differs by a bit."""
    compiled_ahead()
    rng = random.Random(seed)
    runs = done = saving = 0
    with tempfile.TemporaryDirectory() as place:
        expected = {}
        while done < kills:
            rule = RULES[runs % len(RULES)]
            if rule not in expected:
                finish(child(Path(place, rule), rule))
                expected[rule] = final(Path(place, rule))
            folder = Path(place, f"run{runs}")
            count, inside = hurt(folder, rule, min(KILLS, kills - done), rng)
            runs, done, saving = runs + 1, done + count, saving + inside
            arrays, content = final(folder)
            for name, array in expected[rule][0].items():
                if arrays.get(name) != array:
                    raise SystemExit(f"run {runs} ({rule}): {name} differs from the uninterrupted run's")
            if (arrays.keys(), content) != (expected[rule][0].keys(), expected[rule][1]):
                raise SystemExit(
                    f"run {runs} ({rule}): its history or random streams differ from the uninterrupted run's"
                )
            print(
                f"run {runs} ({rule}): {count} kills, {inside} of them in a save; resumed, equal bit for bit",
                flush=True,
            )
    print(f"{done} kills, {saving} of them in a save, in {runs} runs: 0 runs unresumable, 0 bits differ")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rule", choices=RULES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        train(given.child, given.rule)
    else:
        harness(given.kills, given.seed)
