"""What `fit` prints on a terminal of 80 columns, without colours too."""

import io
import os
import re
import subprocess
import sys

import pytest

from minidl.train import History
from minidl.train.bars import TerminalBar
from minidl.train.history import sentence
from minidl.train.progress import say

PROGRAM = """
import numpy as np, minidl
from minidl import nn, optim, train
minidl.seed(0)
x = np.random.default_rng(0).normal(size=(6000, 400)).astype("f4")
model = nn.Sequential(nn.Dense(400, 300), nn.BatchNorm(300), nn.Tanh(), nn.Dense(300, 10))
print(model.summary())
train.fit(model, x, np.arange(6000) % 10, optimizer=optim.SGD(model.parameters()), epochs=3, batch_size=8, validation=0.1,
          loss=lambda y, labels: nn.softmax_cross_entropy(y, labels) * 1.0, guards=False)
"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_an_epochs_line_fits_a_terminal():
    row = {"epoch": 100, "step": 1, "lr": 1, "loss": 0.2222, "accuracy": 1.0, "validation_loss": 0.1111,
           "validation_accuracy": 1.0, "seconds": 100.0}  # fmt: skip
    assert sentence(row) == "epoch 100  loss 0.2222  acc 100.00%  val loss 0.1111  val acc 100.00%  100.0 s"
    assert len(sentence(row)) <= 80
    assert repr(History([row])) == f"History(1 epochs: {sentence(row)})"


def test_what_is_longer_than_a_terminal_goes_on_word_by_word(monkeypatch):
    text = "steps are made eagerly: " + "because of this and that " * 8
    for stream, longest in ((Terminal(), 80), (io.StringIO(), len(text))):
        monkeypatch.setattr(sys, "stdout", stream)
        say(text)
        assert max(map(len, stream.getvalue().splitlines())) <= longest
        assert stream.getvalue().split() == text.split()


def test_of_many_numbers_none_is_parted_from_its_name(monkeypatch):
    row = {"epoch": 100_000, "loss": 0.1, "mean_absolute_error": 0.2, "r2": 0.9, "validation_loss": 0.3,
           "validation_mean_absolute_error": 0.4, "validation_r2": 0.8, "seconds": 1.0}  # fmt: skip
    monkeypatch.setattr(sys, "stdout", Terminal())
    say(sentence(row))
    assert sys.stdout.getvalue().splitlines() == [
        "epoch 100000  loss 0.1000  MAE 0.2000  R2 0.9000  val loss 0.3000",
        "    val MAE 0.4000  val R2 0.8000  1.0 s",
    ]


def test_where_nobody_knows_how_many_steps_there_will_be_the_numbers_are_shown(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    bar = TerminalBar(None)
    bar.paint(7, "epoch 1/2", "loss 0.5000")
    bar.close()
    assert "epoch 1/2" in sys.stdout.getvalue()
    assert "loss 0.5000" in sys.stdout.getvalue()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
@pytest.mark.parametrize(("encoding", "done", "left"), [("utf-8", "━", "╌"), ("ascii", "#", "-")])
def test_the_bar_is_readable_without_colours_and_no_line_is_wider_than_the_terminal(encoding, done, left):
    ours, theirs = os.openpty()
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "80", "TERM": "xterm", "PYTHONIOENCODING": encoding}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux's way to say that the other side is closed
            part = b""
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait() == 0, shown
    text = re.sub(r"\x1b\[\??[\d;]*[a-zA-Z]", "", shown.decode())
    lines = re.split(r"[\r\n]+", text)
    assert max(map(len, lines)) <= 80
    bars = [line for line in lines if "steps/s" in line]
    assert bars
    assert all(re.search(rf"epoch \d/3 {done}*{left}* [\d,]+ steps/s [\d:-]+ loss \d\.\d+", line) for line in bars), (
        bars
    )
    assert any(done in line and left in line for line in bars)
