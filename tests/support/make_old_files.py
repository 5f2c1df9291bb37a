"""Writes tests/support/fixtures: model files and run folders, for test_old_files.py to read with later code.

They are only worth something as the code of their day wrote them, so this is not run again with newer code: what is
there stays, and what a later version writes would go beside it. See tests/support/fixtures/README.md.

    python tests/support/make_old_files.py
"""

import ctypes
import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import minidl
from minidl import nn, optim
from minidl.data import idx_dataset
from minidl.train import Callback, Checkpoint, EarlyStopping, fit

FIXTURES = Path(__file__).with_name("fixtures")


class Stop(Exception):
    pass


class StopAfter(Callback):
    """Breaks training off behind update number `last`, without a word to anyone."""

    def __init__(self, last):
        self.last = last

    def interval(self, run):
        return max(self.last - run.step, 1)

    def on_pause(self, run):
        if run.step >= self.last:
            raise Stop


def kernel():
    """What the last bits of a sum depend on: NumPy's version, and the kernel that OpenBLAS chose for this processor."""
    core = None
    for file in {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "openblas" in line}:
        named = getattr(ctypes.CDLL(file), "scipy_openblas_get_corename64_", None)
        if named is not None:
            named.restype = ctypes.c_char_p
            core = named().decode()
    return {"numpy": np.__version__, "openblas core": core}


# models


def models():
    """A model of each kind, with weights and statistics that nobody starts with."""
    minidl.seed(11)
    made = {
        "mlp": nn.Sequential(
            nn.Dense(64, 12), nn.BatchNorm(12), nn.ReLU(), nn.Dropout(0.3),
            nn.Dense(12, 8, bias=False), nn.BatchNorm(8, eps=1e-3, momentum=0.7), nn.ReLU(), nn.Dense(8, 10),
        ),
        "activations": nn.Sequential(
            nn.Flatten(), nn.Dense(64, 6), nn.ReLU(), nn.Dense(6, 6), nn.LeakyReLU(), nn.Dense(6, 6), nn.Sigmoid(),
            nn.Dense(6, 6), nn.Tanh(), nn.Dense(6, 6), nn.Softplus(), nn.Dense(6, 4), nn.Softmax(),
        ),
        "nested": nn.Sequential(
            nn.Sequential(nn.Dense(64, 8), nn.Sequential(nn.Tanh(), nn.BatchNorm(8))), nn.Sequential(), nn.Dense(8, 3)
        ),
        "double": nn.Sequential(nn.Dense(64, 5), nn.BatchNorm(5), nn.Tanh(), nn.Dense(5, 2)),
    }  # fmt: skip
    x = np.random.default_rng(12).random((20, 64), np.float32)
    for tensor in made["double"]._state().values():
        tensor.data = tensor.data.astype(np.float64) * (1 + 1e-9)
    for name, model in made.items():
        for _ in range(3):
            model(x.astype(np.float64) if name == "double" else x)
    return made, x


def write_models(folder):
    from safetensors.numpy import save_file

    folder.mkdir()
    made, x = models()
    outputs = {"x": x}
    for name, model in made.items():
        minidl.save(folder / f"{name}.safetensors", model, made="here", number=3)
        outputs[name] = model.eval()(x.astype(np.float64) if name == "double" else x).numpy()
    save_file(outputs, folder / "outputs.safetensors")


# runs of `minidl train`

BY_COMMAND = {  # options; the signal, and the update before which it comes: each in the middle of an epoch of 20
    "adam": ("--optimizer adam --layers 12", ["SIGTERM 49"]),
    "momentum": ("--optimizer momentum --lr 0.05 --schedule cosine --layers 12 --checkpoint-every 7", ["SIGKILL 70"]),
    "nesterov": ("--optimizer nesterov --lr 0.02 --schedule linear --layers 12 --activation tanh", ["SIGTERM 33"]),
    "normed": ("--optimizer momentum --lr 0.02 --layers 12,8 --batch-norm before --dropout 0.2", ["SIGTERM 57"]),
    "twice": ("--optimizer rmsprop --layers 12 --dropout 0.1", ["SIGTERM 26", "SIGTERM 71"]),
    "zeros": ("--optimizer sgd --lr 0.02 --schedule constant --layers 64 --batch-size 10 --epochs 21", ["SIGTERM 777"]),
}
COMMON = "train --dataset digits --batch-size 25 --epochs 6 --validation 100 --seed 4 --no-guards"

INTERRUPTED = """
import os, signal, sys
from minidl import cli
from minidl.train import Checkpoint

how, last, *command = sys.argv[1:]
pause = Checkpoint.on_pause

def on_pause(self, run):
    if run.step >= int(last):
        os.kill(os.getpid(), getattr(signal, how))
    pause(self, run)

if how != "SIGKILL":
    Checkpoint.interval = lambda self, run: max(int(last) - run.step, 1)
Checkpoint.on_pause = on_pause
cli.main(command)
"""


def command(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=FIXTURES, capture_output=True, text=True)


def write_run_by_command(name):
    options, stops = BY_COMMAND[name]
    train = [*COMMON.split(), *options.split(), "--output"]
    whole = command("-m", "minidl.cli", *train, f"finished/{name}")
    assert whole.returncode == 0, whole.stderr
    resume = ["train", "--resume", f"stopped/{name}"]
    for number, stop in enumerate(stops):
        arguments = resume if number else [*train, f"stopped/{name}"]
        left = command("-c", INTERRUPTED, *stop.split(), *arguments)
        assert left.returncode in (143, -9), left.stderr
    tidy(FIXTURES / "stopped" / name / "checkpoints")
    for file in (FIXTURES / "finished" / name).iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        elif file.name not in ("model.safetensors", "history.jsonl"):
            file.unlink()


# runs of fit


class Tower(nn.Module):
    """A model of one's own, with layers in a list and a dict, and parameters of its own."""

    def __init__(self):
        self.hidden = [nn.Dense(64, 10), nn.BatchNorm(10)]
        self.heads = {"class": nn.Dense(10, 10)}
        self.scale = nn.Parameter(np.ones(10, np.float32))

    def forward(self, x):
        for layer in self.hidden:
            x = layer(x)
        return self.heads["class"](minidl.tanh(x) * self.scale)


def tied():
    again = nn.Dense(10, 10)
    return nn.Sequential(nn.Dense(64, 10), nn.ReLU(), again, nn.ReLU(), again, nn.ReLU(), nn.Dense(10, 10))


def double():
    model = nn.Sequential(nn.Dense(64, 8), nn.BatchNorm(8), nn.Sigmoid(), nn.Dense(8, 10))
    for tensor in model._state().values():
        tensor.data = tensor.data.astype(np.float64)
    return model


BY_FIT = {  # the model, its optimizer, and after how many updates it is left
    "tied": (tied, optim.Momentum, 47),
    "own": (Tower, optim.Nesterov, 55),
    "double": (double, optim.AdamW, 31),
}


def trained(name, folder, resume=False, stop=None):
    """Model, optimizer and history of run `name`, with its checkpoints in `folder`; None if it was broken off."""
    make, rule, _ = BY_FIT[name]
    minidl.seed(5)
    train, test = idx_dataset("digits", path=FIXTURES / "digits")
    model = make()
    optimizer = rule(model.parameters(), lr=optim.schedules.cosine(0.02, 100))
    callbacks = [EarlyStopping(patience=20), *([] if stop is None else [StopAfter(stop)])]
    try:
        history = fit(
            model, train[:500], optimizer=optimizer, epochs=5, batch_size=25, validation=test, callbacks=callbacks,
            checkpoint=Checkpoint(folder, every=3, best="validation_loss"), resume=resume, progress=False, guards=False,
        )  # fmt: skip
    except Stop:
        return None
    return model, optimizer, history


def write_run_by_fit(name):
    stopped, finished = FIXTURES / "stopped" / name, FIXTURES / "finished" / name
    trained(name, stopped, stop=BY_FIT[name][2])
    tidy(stopped)
    model, optimizer, history = trained(name, finished)
    shutil.rmtree(finished)
    finished.mkdir()
    write_state(finished / "model.safetensors", model, optimizer)
    history.save(finished / "history.jsonl")


def final_state(model, optimizer):
    """All weights, statistics and optimizer's vectors."""
    return model.state_dict() | {f"optimizer {name}": v for name, v in optimizer.state_dict()["state"].items()}


def write_state(path, model, optimizer):
    from safetensors.numpy import save_file

    save_file(final_state(model, optimizer), path)


def tidy(checkpoints):
    """Keep the newest checkpoint: the link to it is for people, and the one before for accidents."""
    for file in [*checkpoints.glob("latest.*"), *sorted(checkpoints.glob("step-*"))[:-1], *checkpoints.glob(".*")]:
        file.unlink()


# data


def write_digits(folder):
    """600 pictures to train on and 100 to test: ten blobs of 8 x 8 pixels, each drawn anew with some noise."""
    rng = np.random.default_rng(8)
    rows, columns = np.mgrid[:8, :8]
    strokes = rng.uniform(1, 6, (10, 3, 2))
    shapes = sum(
        np.exp(-((rows - s[:, :1, None]) ** 2 + (columns - s[:, 1:, None]) ** 2) / 2) for s in strokes.swapaxes(0, 1)
    )
    folder.mkdir()
    for part, count in (("train", 600), ("t10k", 100)):
        labels = rng.permutation(np.arange(count) % 10).astype(np.uint8)
        pictures = shapes[labels] * rng.uniform(0.5, 1.0, (count, 1, 1)) + rng.normal(0, 0.12, (count, 8, 8))
        pixels = (pictures * 8 - 2).clip(0, 7).astype(np.uint8) * 32  # 8 greys, two thirds of them 0
        for kind, values in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes(), mtime=0))


def main():
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=FIXTURES, capture_output=True, text=True).stdout.strip()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for part in ("digits", "models", "stopped", "finished"):
        shutil.rmtree(FIXTURES / part, ignore_errors=True)
    write_digits(FIXTURES / "digits")
    write_models(FIXTURES / "models")
    for name in BY_COMMAND:
        write_run_by_command(name)
    for name in BY_FIT:
        write_run_by_fit(name)
    (FIXTURES / "made.json").write_text(json.dumps({"commit": commit, **kernel()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
