"""What interrupts a training from outside: signals, closed pipes, full disks, locked and read-only folders."""

import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest

import minidl
from minidl import nn, optim
from minidl.data import mnist
from minidl.train import Callback, Checkpoint, fit
from minidl.train.saving.archive import read_archive

OPTIONS = (
    "--dataset digits --layers 24 --batch-norm after --dropout 0.1 --batch-size 20 --validation 100 --epochs 40".split()
)
MINIDL = [sys.executable, "-m", "minidl.cli"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small data set, in "digits", and a run that nobody interrupted, in "whole"."""
    folder = tmp_path_factory.mktemp("signals")
    (folder / "digits").mkdir()
    for name, part, count in (("train", mnist()[0], 600), ("t10k", mnist()[1], 100)):
        images, labels = part.inputs[:count].tobytes(), part.labels[:count].astype("u1").tobytes()
        (folder / f"digits/{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + images)
        (folder / f"digits/{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels)
    subprocess.run([*MINIDL, "train", *OPTIONS, "--output", "whole"], cwd=folder, check=True, capture_output=True)
    return folder


def started(place, name, *options, lines=2, **how):
    """A training that has printed its first epochs."""
    process = subprocess.Popen(
        [*MINIDL, "train", *OPTIONS, *options, "--output", name], cwd=place, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how,
    )  # fmt: skip
    while lines:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines -= line.startswith("epoch")
    return process


def resumed(place, name):
    return subprocess.run([*MINIDL, "train", "--resume", name], cwd=place, capture_output=True, text=True, timeout=120)


def rows(run):
    """The history but for its seconds."""
    return [line.split(', "seconds"')[0] for line in (run / "history.jsonl").read_text().splitlines()]


def assert_as_if_never_interrupted(place, name):
    """Resume the run in `name`; it must leave what the uninterrupted one left."""
    result = resumed(place, name)
    assert result.returncode == 0, result.stderr
    assert (place / name / "model.safetensors").read_bytes() == (place / "whole/model.safetensors").read_bytes()
    assert sorted(p.name for p in (place / name).iterdir()) == sorted(p.name for p in (place / "whole").iterdir())
    assert rows(place / name) == rows(place / "whole")
    again = resumed(place, name)
    assert again.returncode == 0
    assert "this run is finished: nothing to do" in again.stdout


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow)],
)
def test_a_signal_saves_and_says_how_to_go_on(place, number, code):
    name = number.name
    process = started(place, name)
    process.send_signal(number)
    asked = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert time.monotonic() - asked < (5 if os.getloadavg()[0] <= 2 else 30)  # a busy machine takes longer
    assert "Traceback" not in errors
    saved = errors.split("saved at step ")[1].split(";")[0]
    assert errors.strip().endswith(f"interrupted; saved at step {saved}; to go on: minidl train --resume {name}")
    assert read_archive(place / name / "checkpoints/latest.safetensors", "run")[1]["run"]["step"] == int(saved)
    if number == signal.SIGINT:
        assert_as_if_never_interrupted(place, name)


def test_ctrl_c_twice_ends_at_once_and_leaves_the_last_checkpoint_whole(place):
    process = started(place, "twice", "--checkpoint-every", "5")
    process.send_signal(signal.SIGINT)
    time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert read_archive(place / "twice/checkpoints/latest.safetensors", "run")[1]["run"]["step"] >= 50


@pytest.mark.slow
def test_a_closed_pipe_ends_training_as_head_does_and_nothing_is_lost(place):
    process = started(place, "pipe", lines=1)
    process.stdout.close()
    with process:
        errors = process.stderr.read()
    assert process.returncode == 141
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors
    assert "to go on: minidl train --resume pipe" in errors
    assert_as_if_never_interrupted(place, "pipe")


@pytest.mark.slow
def test_a_full_disk_costs_a_warning_and_no_training(place):
    def small_files():  # a limit that the system itself enforces, as it does a disk's
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = subprocess.run(
        [*MINIDL, "train", *OPTIONS, "--output", "full", "--checkpoint-every", "200"], cwd=place, capture_output=True,
        text=True, timeout=120, preexec_fn=small_files,
    )  # fmt: skip
    lines = process.stderr.strip().splitlines()
    assert (
        "Warning: no checkpoint: full/checkpoints/step-00000200.safetensors: cannot be written (File too large)"
        in lines[0]
    )
    assert lines[0].endswith("there is none yet; training goes on")
    assert "epoch 40" in process.stdout
    shutil.rmtree(place / "full")


@pytest.mark.slow
def test_the_way_to_the_disk_may_be_mended_and_the_run_resumed(place):
    def tiny_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))

    process = subprocess.run(
        [*MINIDL, "train", *OPTIONS, "--output", "tiny"], cwd=place, capture_output=True, text=True, timeout=120,
        preexec_fn=tiny_files,
    )  # fmt: skip
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert process.stderr.strip().endswith("once that is fixed, to go on: minidl train --resume tiny")
    assert_as_if_never_interrupted(place, "tiny")


@pytest.mark.slow
def test_two_processes_on_one_run_are_told_apart(place):
    first = started(place, "shared", "--epochs", "100000", lines=1)
    second = resumed(place, "shared")
    assert second.returncode == 1
    assert f"in use by process {first.pid}, which is training there" in second.stderr
    assert "Traceback" not in second.stderr
    first.kill()
    first.communicate()


def test_a_folder_that_cannot_be_written_to_is_said_before_training(place):
    (place / "file").write_text("in the way")
    result = subprocess.run(
        [*MINIDL, "train", *OPTIONS, "--output", "file/run"], cwd=place, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert (
        result.stderr
        == "Error: --output file/run: cannot make this folder (Not a directory); choose another with --output\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "nowhere"], "--resume nowhere: no run is kept there: it has no config.json"),
        (["--resume", "whole", "--lr", "1", "--epochs", "3"], "leave out --lr, --epochs"),
        (["--checkpoint-every", "often"], 'give a number of updates, or such as "500 steps"'),
    ],
)
def test_a_wrong_use_of_resume_is_one_line(place, arguments, message):
    result = subprocess.run([*MINIDL, "train", *arguments], cwd=place, capture_output=True, text=True)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (place / "runs").exists()


def test_a_config_that_was_altered_is_refused(place):
    shutil.copytree(place / "whole", place / "odd")
    (place / "odd/model.safetensors").unlink()
    (place / "odd/config.json").write_text('{"lr": 3}')
    result = resumed(place, "odd")
    assert result.returncode == 1
    assert "odd: its config.json is not as `minidl train` wrote it" in result.stderr


# in Python


class Interrupting(Callback):
    """Sends this process a signal in the middle of training."""

    def __init__(self, number):
        self.number = number

    def on_step(self, run):
        if run.step == 5:
            signal.raise_signal(self.number)


def fitted(folder=None, *callbacks, **options):
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(784, 8), nn.ReLU(), nn.Dense(8, 10))
    data = mnist()[0][:200]
    keep = Checkpoint(folder) if folder else None
    return model, fit(model, data, optimizer=optim.Adam(model.parameters()), epochs=2, batch_size=20, validation=data,
                      callbacks=callbacks, checkpoint=keep, progress=False, guards=False, **options)  # fmt: skip


def same(model, other):
    return all(
        a.tobytes() == b.tobytes()
        for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_fit_saves_before_it_raises_and_puts_the_handlers_back(number, kind, tmp_path):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(kind):
        fitted(tmp_path, Interrupting(number))
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    assert same(fitted(tmp_path, resume=True)[0], fitted()[0])


def test_a_second_ctrl_c_does_not_wait_for_a_save(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, Interrupting(signal.SIGINT), Interrupting(signal.SIGINT))
    assert not list(tmp_path.glob("*.safetensors"))


def test_without_a_checkpoint_ctrl_c_waits_for_the_update_to_end():
    steps = []

    class Count(Callback):
        def on_step(self, run):
            steps.append(run.step)

    with pytest.raises(KeyboardInterrupt):
        fitted(None, Interrupting(signal.SIGINT), Count())
    assert steps[-1] >= 5


@pytest.mark.slow
def test_a_signal_in_the_validation_does_not_wait_for_its_end(tmp_path):
    seen = []

    def loss(output, labels):
        value = nn.softmax_cross_entropy(output, labels)
        if not value.requires_grad:
            seen.append(1)
            if len(seen) == 1:
                signal.raise_signal(signal.SIGTERM)
        return value

    with pytest.raises(SystemExit):
        fitted(tmp_path, loss=loss)
    assert len(seen) == 1
    content = read_archive(tmp_path / "latest.safetensors", "run")[1]
    assert (content["run"]["batch"], len(content["history"])) == (10, 0)
    assert same(fitted(tmp_path, resume=True)[0], fitted()[0])


def test_in_another_thread_fit_leaves_signals_alone(tmp_path):
    results = []
    thread = threading.Thread(target=lambda: results.append(fitted(tmp_path)))
    thread.start()
    thread.join()
    assert len(results[0][1]) == 2
