"""What reaches the terminal: text, whatever a name or a file holds, in letters that the stream has."""

import io
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from command_line import OBEYED, said
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.system.terminal import printable, tell
from minidl.train import fit

# What a command line can hold: characters, and bytes that are none, which Python spells as surrogates of this range.
NO_CHARACTERS = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
LETTERS = st.one_of(st.characters(max_codepoint=0xFF), st.characters(exclude_categories=["Cs"]), NO_CHARACTERS)
NAMES = st.text(LETTERS, min_size=1, max_size=12)
COMMAND = [sys.executable, "-m", "minidl"]


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_printable(text):
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", printable(text))
    assert printable(printable(text)) == printable(text)
    assert printable(text, lines=True).count("\n") == text.count("\n")
    printable(text).encode()  # not half a character either
    assert printable("été θ 日本.png") == "été θ 日本.png"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    minidl.save(path, nn.Sequential(nn.Dense(784, 10)))
    return str(path)


@pytest.mark.slow
@given(name=NAMES)
@settings(max_examples=60, deadline=None)
def test_no_name_on_the_command_line_gives_orders_to_the_terminal(name, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    (folder / "full").mkdir()
    (folder / "full/file").touch()
    path = str(folder / "full" / name.replace("/", "").replace("\0", ""))
    for arguments in (
        ["predict", path, "--model", model], ["predict", "x.png", "--model", path], ["evaluate", "--model", path],
        ["evaluate", "--dataset", path], ["train", "--dataset", path], ["train", "--resume", path],
        *(["train", option, f"x{name}"] for option in ("--layers", "--optimizer", "--activation", "--lr", "--epochs",
                                                       "--batch-size", "--dropout", "--checkpoint-every")),
        ["train", f"--x{name}"], [f"x{name}"], [f"--x{name}"], ["reproduce", f"x{name}"],
        ["explain", "--problem", "note-a", "--element", f"x{name}"], ["explain", "--set", f"x{name}"],
    ):  # fmt: skip
        printed, code = said(*arguments)
        assert code in (1, 2), arguments
        assert printed
        assert not OBEYED.search(printed), arguments


@given(name=NAMES, content=st.sampled_from([b"", b"text", None]))
@settings(max_examples=60, deadline=None)
def test_no_file_gives_orders_to_the_terminal_by_its_name(name, content, model, tmp_path_factory):
    name = os.fsdecode(os.fsencode(name.replace("/", "").replace("\0", "").encode(errors="ignore"))) or "x"
    folder = tmp_path_factory.mktemp("files") / "in"
    folder.mkdir()
    path = folder / f"x{name}"
    path.mkdir() if content is None else path.write_bytes(content)
    for arguments in (["predict", str(path), "--model", model], ["predict", "x", "--model", str(path)],
                      ["evaluate", "--model", model, "--dataset", str(path)], ["train", "--resume", str(path)]):  # fmt: skip
        printed, code = said(*arguments)
        assert code in (1, 2)
        assert not OBEYED.search(printed), arguments


def test_a_newline_in_a_name_begins_no_line(model, tmp_path):
    path = str(tmp_path / "a\nError: your disk is full\x1b[31m.png")
    for arguments in (["predict", path, "--model", model], ["evaluate", "--model", path], ["train", "--resume", path],
                      ["evaluate", "--model", model, "--dataset", path], ["train", "--optimizer", path]):  # fmt: skip
        printed, _ = said(*arguments)
        assert len(printed.strip().splitlines()) == 1
        assert r"a\nError: your disk is full\x1b[31m.png" in printed


def test_warnings_are_written_out_too(capsys):
    tell("a\x1b]0;title\x07b\r\u202ec\udcff", error=True)
    assert capsys.readouterr().err == "a\\x1b]0;title\\x07b\\r\\u202ec\\udcff\n"


# encodings


@pytest.mark.parametrize(
    "encoding", ["ascii", *(pytest.param(name, marks=pytest.mark.slow) for name in ("latin-1", "cp1252"))]
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "--problem", "note-a", "--steps", "3"],
        ["explain", "--problem", "note-a", "--letters", "B", "--language", "es", "--optimizer", "adam"],
        ["explain", "--problem", "note-a", "--format", "latex"],
        ["explain", "--problem", "note-a", "--format", "mathml"],
        ["explain", "--help"],
        ["reproduce"],
        pytest.param(["reproduce", "A1", "FA3", "--quick", "--output", "out"], marks=pytest.mark.slow),
        ["train", "--help"],
        pytest.param(
            ["train", "--epochs", "1", "--layers", "4", "--batch-size", "5000", "--output", "ö"], marks=pytest.mark.slow
        ),
        ["predict", "é.png", "日.png", "--model", "θ"],
    ],
    ids=" ".join,
)
def test_every_command_speaks_in_the_letters_that_the_stream_has(arguments, encoding, tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    result = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, env=environment, timeout=120)
    printed = (result.stdout + result.stderr).decode(
        encoding, "replace"
    )  # click's own lines are UTF-8 where there is only ASCII
    assert "Traceback" not in printed
    assert result.returncode == (1 if arguments[0] == "predict" else 0), printed


def test_letters_are_spelled_rather_than_lost(tmp_path):
    arguments = ["explain", "--problem", "note-a", "--steps", "2", "--letters", "A"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, env=environment, text=True)
    assert "<-" in result.stdout
    assert "eta" in result.stdout
    assert "?" not in result.stdout


def test_a_time_below_a_letter_is_told_from_a_factor():
    assert "wₜ₋₁ - η·vₜ / β₁".encode("ascii", "minidl.spelled") == b"w_{t-1} - eta*v_t / beta_1"


def test_fit_speaks_to_a_stream_of_another_encoding_too(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    tell("training × 日")
    assert stream.buffer.getvalue() == b"training x ?\n"


# streams that are not there


def tiny():
    return Dataset(np.eye(4, dtype=np.float32), [0, 1, 0, 1])


def trained():
    model = nn.Sequential(nn.Dense(4, 2))
    return fit(model, Loader(tiny(), 2), optimizer=optim.SGD(model.parameters()), epochs=2)


def test_fit_needs_no_standard_output(monkeypatch):
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stdout", stream)
        assert len(trained()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_training_with_closed_streams_leaves_all_its_files(closed, tmp_path):
    line = f"{sys.executable} -m minidl train --epochs 1 --layers 4 --batch-size 5000 --output run {closed}"
    result = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert (tmp_path / "run/model.safetensors").exists()
    assert (tmp_path / "run/config.json").read_text().startswith("{\n")


@pytest.mark.parametrize(
    "arguments", ["explain --problem note-a --steps 2", "reproduce", "predict x.png --model .", "--help"]
)
def test_every_command_runs_with_closed_streams(arguments, tmp_path):
    line = f"{sys.executable} -m minidl {arguments} 2>errors >&-"
    code = subprocess.run(line, shell=True, cwd=tmp_path, timeout=120).returncode
    assert "Traceback" not in (tmp_path / "errors").read_text()
    assert code == (1 if "predict" in arguments else 0)


@pytest.mark.slow
def test_no_file_takes_the_number_of_a_closed_stream(tmp_path):
    program = "import os, stat, sys; from minidl.cli import main; main(['explain', '--steps', '1'], standalone_mode=False); " \
              "file = open('mine', 'w'); sys.stderr.write(str(file.fileno() > 2 and stat.S_ISCHR(os.fstat(1).st_mode)))"  # fmt: skip
    line = f'{sys.executable} -c "{program}" >&-'
    result = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.stderr == "True"


# Ctrl-C before anything has begun


@pytest.mark.slow
@pytest.mark.parametrize("module", ["minidl", "minidl.cli"])
@pytest.mark.parametrize("imported", ["numpy", "click", "safetensors"])
def test_ctrl_c_while_the_command_is_imported_shows_no_traceback(module, imported, tmp_path):
    (tmp_path / f"{imported}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", module, "train", "--epochs", "0"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=60)
    assert result.returncode == 130
    assert result.stderr == "" or imported == "safetensors"  # a run had begun: it says how to go on
    assert "Traceback" not in result.stderr


def test_importing_minidl_leaves_ctrl_c_to_the_program():
    program = "import signal, minidl; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "True\n"


def test_python_dash_m_minidl_is_the_command():
    result = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True)
    assert result.stdout == f"minidl, version {minidl.__version__}\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
