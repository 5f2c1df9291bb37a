"""Systems without what Unix has: minidl is imported, trains, resumes and runs its commands there all the same.

In a process of its own, from which everything is taken away, before minidl is imported, that Windows (or macOS, or a
browser) does not have.
"""

import subprocess
import sys

import pytest

TAKEN = """
import ctypes, multiprocessing, os, signal, sys
for name in ("fork", "register_at_fork", "getuid", "geteuid", "getgid", "getegid", "sched_getaffinity", "sched_setaffinity",
             "nice", "setpriority", "getpriority", "pread", "pwrite", "mkfifo", "sysconf", "getloadavg", "posix_spawn",
             "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_DIRECTORY", "fchmod", "chown", "fchown", "kill",
             "getpgid", "setsid", "memfd_create", "umask"):
    if hasattr(os, name):
        delattr(os, name)
def refuse(*arguments, **options):
    raise OSError("this system has no symbolic links")
os.symlink = os.link = refuse
for name in ("SIGHUP", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2", "pthread_sigmask", "pthread_kill"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
class Library(ctypes.CDLL):
    def __getattr__(self, name):
        if name in ("prctl", "sched_yield", "mprotect", "mmap", "flock", "fork"):
            raise AttributeError(name)
        return super().__getattr__(name)
ctypes.CDLL = Library
"""

FIT = """
import numpy as np, minidl
from minidl import nn, optim, train
from minidl.data import Dataset
x = np.random.default_rng(0).normal(size=(400, 9)).astype("f4")
data = Dataset(x, (x[:, 0] > 0).astype(int))
def run(epochs, folder, resume=False):
    minidl.seed(1)
    model = nn.Sequential(nn.Dense(9, 16), nn.ReLU(), nn.Dense(16, 2))
    train.fit(model, data, optimizer=optim.Adam(model.parameters()), epochs=epochs, batch_size=20, progress=False,
              checkpoint=train.Checkpoint(folder, "1 epoch"), resume=resume)
    return model
whole = run(4, "whole")
run(2, "parts")
parts = run(4, "parts", resume=True)
assert all((a == b).all() for a, b in zip(whole.state_dict().values(), parts.state_dict().values()))
minidl.save("m.safetensors", parts)
assert (minidl.load("m.safetensors")(x).numpy() == parts(x).numpy()).all()
print("bit for bit")
"""

COMMANDS = """
from PIL import Image
from minidl.cli import main
from minidl.data import mnist
Image.fromarray(mnist()[1].inputs[0].reshape(28, 28)).save("digit.png")
for line in ("train --epochs 1 --layers 4 --batch-size 5000 --output run", "train --resume run", "evaluate --model run",
             "predict digit.png --model run", "explain --problem note-a --steps 2", "reproduce A1 --quick"):
    try:
        main(line.split())
    except SystemExit as end:
        assert not end.code, (line, end.code)
print("all commands")
"""


def without_unix(program, folder):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", TAKEN + program], cwd=folder, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_a_training_is_resumed_bit_for_bit_without_what_unix_has(tmp_path):
    assert "bit for bit" in without_unix(FIT, tmp_path)


@pytest.mark.slow
def test_every_command_runs_without_what_unix_has(tmp_path):
    assert "all commands" in without_unix(COMMANDS, tmp_path)
