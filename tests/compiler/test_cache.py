"""The cache of machine code: what is loaded from it is what minidl wrote there, for this user, and nothing else."""

import ast
import hashlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minidl import nn, optim

pytest.importorskip("numba")
from minidl.compiler.native.cache import objects, store, trust
from minidl.compiler.native.cache.background import compile_now
from minidl.compiler.native.executor import needed

SOURCES = needed(optim.SGD(nn.Dense(2, 2).parameters()))
MACHINE, LOOP = SOURCES


@pytest.fixture(scope="module")
def compiled():
    """Object files as minidl has compiled them, by name."""
    compile_now(SOURCES)
    names = [objects.object_name(source) for source in SOURCES]
    return {name: (store.home() / name).read_bytes() for name in names}


@pytest.fixture
def place(compiled, tmp_path, monkeypatch):
    """A cache of this test's own, with machine code in it that has not been read yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("_loaded", "_read"):
        monkeypatch.setattr(objects, name, {})
    monkeypatch.setattr(trust, "_warned", [])
    place = tmp_path / "minidl"
    place.mkdir(0o700)
    for name, content in compiled.items():
        (place / name).write_bytes(content)
        (place / name).chmod(0o600)
    return place


def python(program, **options):
    """What a Python of its own prints: a crash there is a failure here."""
    command = [sys.executable, "-P", "-W", "error", "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(Path(objects.__file__).parents[4])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


NEEDED = """
from minidl import nn, optim
from minidl.compiler.native.cache import background, objects
from minidl.compiler.native.executor import needed
MACHINE, LOOP = needed(optim.SGD(nn.Dense(2, 2).parameters()))
"""

# what is loaded


def damaged():
    """Sixty ways in which a file may not be what was written."""
    numbers = random.Random(0)
    for _ in range(34):
        at, bit = numbers.random(), 1 << numbers.randrange(8)
        yield lambda old, other, at=at, bit=bit: flipped(old, int(at * len(old)), bit)
    for at in (1, 5, 40, 70):
        yield lambda old, other, at=at: flipped(old, len(old) - at, 1)
    for share in (0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999):
        yield lambda old, other, share=share: old[: int(share * len(old))]
    for cut in (1, 2, 64, 80, 81, 82):
        yield lambda old, other, cut=cut: old[:-cut]
    for text in (b"", b"\0", b"text", b"\x7fELF", b"\n" * 5000, b"minidl object 1 " + b"0" * 64):
        yield lambda old, other, text=text: text
    yield lambda old, other: other  # whole, but of another function
    yield lambda old, other: old + b"\n"


def flipped(content, at, bit):
    return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]


@pytest.mark.slow
def test_sixty_damaged_files_are_not_loaded_but_removed(place, compiled):
    ways = list(damaged())
    assert len(ways) == 60
    for source, other in (SOURCES, SOURCES[::-1]):
        file = place / objects.object_name(source)
        for damage in ways:
            file.write_bytes(damage(compiled[file.name], compiled[objects.object_name(other)]))
            assert not objects.cached(source)
            assert not file.exists()
            with pytest.raises(OSError, match="is not cached"):
                objects.load(source)


TRAINING = """
import numpy as np, minidl
from minidl.data import Dataset
from minidl.train import fit
rng = np.random.default_rng(0)
data = Dataset(rng.normal(size=(400, 20)).astype("float32"), rng.integers(0, 3, 400))
def trained(**options):
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(20, 8), nn.ReLU(), nn.Dense(8, 3))
    fit(model, data, optimizer=optim.SGD(model.parameters()), epochs=25, batch_size=8, progress=False, **options)
    return [p.numpy().tobytes() for p in model.parameters()]
right = trained(compile=False)
"""


@pytest.mark.slow
def test_after_damage_trainings_give_the_right_numbers_and_have_machine_code_again(place, compiled):
    """A training meets a damaged loop and has it compiled beside it; the next, in the same process or not, uses it."""
    program = (NEEDED + TRAINING) + (
        "seen = [background.ready([LOOP], 60.0), trained() == right, objects.loaded()]\n"
        "for process in background._compiling.values(): process.wait()\n"
        "print(*seen, trained() == right, objects.loaded())\n"
    )
    name = objects.object_name(LOOP)
    for content in (flipped(compiled[name], 300, 4), compiled[name][:1000]):
        (place / name).write_bytes(content)
        assert python(program) == "False True False True True\n"
        assert store.read(name) is not None


def test_a_file_is_kept_with_its_digest_for_its_owner_alone(place):
    store.write("update-0.o", b"code")
    data = (place / "update-0.o").read_bytes()
    assert data.endswith(hashlib.sha256(b"update-0.o\ncode").hexdigest().encode())
    assert stat.S_IMODE((place / "update-0.o").stat().st_mode) == 0o600
    assert store.read("update-0.o") == b"code"
    (place / "update-0.o").rename(place / "update-1.o")
    assert store.read("update-1.o") is None


def test_a_link_that_waits_for_the_temporary_file_is_not_followed(place, monkeypatch):
    victim = place.parent / "victim"
    victim.write_bytes(b"mine")
    monkeypatch.setattr("secrets.token_hex", lambda count: "guessed")
    (place / ".update-0.o.guessed.tmp").symlink_to(victim)
    with pytest.raises(OSError, match="cannot be written"):
        store.write("update-0.o", b"code")
    assert victim.read_bytes() == b"mine"


# whose it is


def refused(match):
    """Nothing is loaded, and one line says why."""
    with pytest.warns(UserWarning, match=match) as said:
        assert not any(objects.cached(source) for source in SOURCES + SOURCES)
    assert len(said) == 1 == len(str(said[0].message).splitlines())


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write_to_is_not_used_and_one_line_says_so(place, mode):
    place.chmod(mode)
    refused(f"{place} can be written to by others: .*{place.parent}/home/.cache/minidl is used instead")


def test_a_folder_in_one_that_everybody_can_write_to_is_not_used_unless_that_is_like_tmp(place):
    place.parent.chmod(0o777)
    refused("lies where everybody can write: chmod o-w")
    place.parent.chmod(0o1777)
    assert all(objects.cached(source) for source in SOURCES)


def test_a_folder_of_another_user_is_not_used(place, monkeypatch):
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    refused(f"belongs to another user .number {mine}.")


def test_no_folder_is_made_in_another_users_home(place, tmp_path, monkeypatch):
    """As under sudo, which may keep HOME."""
    monkeypatch.setattr(trust, "_foreign", lambda found, *others: "belongs to another user (number 7)")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "theirs"))
    with pytest.warns(UserWarning, match="NumPy does the work"), pytest.raises(OSError, match="minidl info"):
        store.write("update-0.o", b"code")
    assert not (tmp_path / "theirs").exists()


def test_a_folder_that_is_a_link_is_not_used(place):
    place.rename(place.parent / "elsewhere")
    place.symlink_to(place.parent / "elsewhere")
    refused("is a symbolic link: remove it")


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "writable"])
def test_what_is_no_file_of_the_users_own_is_not_loaded(place, kind):
    file = place / objects.object_name(MACHINE)
    content = file.read_bytes()
    if kind == "writable":
        file.chmod(0o666)
    else:
        file.unlink()
    if kind == "link":
        (place / "elsewhere").write_bytes(content)
        file.symlink_to(place / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    with pytest.warns(UserWarning, match=file.name) as said:
        assert not objects.cached(MACHINE)
    assert len(said) == 1
    assert objects.cached(LOOP)
    assert kind != "link" or (place / "elsewhere").read_bytes() == content


def test_a_file_of_another_user_is_not_loaded(place, monkeypatch):
    """Root may give files away; whoever else runs this test has the system say so."""
    file = place / objects.object_name(LOOP)
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
    else:
        whose = file.stat().st_ino
        foreign = trust._foreign
        monkeypatch.setattr(
            trust, "_foreign", lambda found, *others: "belongs to" if found.st_ino == whose else foreign(found, *others)
        )
    with pytest.warns(UserWarning, match="belongs to"):
        assert not objects.cached(LOOP)
    assert objects.cached(MACHINE)


def test_a_relative_cache_home_is_ignored_as_its_standard_says(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    store.write("update-0.o", b"code")
    assert not Path("relative").exists()
    assert Path("home/.cache/minidl/update-0.o").exists()
    assert stat.S_IMODE(Path("home/.cache/minidl").stat().st_mode) == 0o700


def test_where_a_system_has_no_owners_and_no_locks_the_cache_works(place):
    program = (
        "import os, sys\n"
        "for name in ('geteuid', 'getuid', 'register_at_fork', 'fork', 'nice', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_DIRECTORY'):\n"
        "    delattr(os, name)\n"
        "sys.modules['fcntl'] = None\n"
    ) + (NEEDED + "print(background.ready([MACHINE, LOOP], 60.0), objects.load(LOOP) != 0)\n"
         "from minidl.compiler.native.cache import store\n"
         "with store.locked(): store.write('update-0.o', b'code')\n"
         "print(store.read('update-0.o'))")  # fmt: skip
    assert python(program) == "True True\nb'code'\n"


# what it is called


def imported(file):
    """The files of minidl whose functions a module uses, and theirs in turn: what Numba makes one function of."""
    found, waiting = set(), [file]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                names = [folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in node.names)]
                waiting += [name for name in names if name.exists()]
    return found


def test_a_byte_changed_in_any_source_that_is_compiled_is_another_name(tmp_path, monkeypatch):
    folder = Path(objects.__file__).parents[1]
    parts = imported(folder / "jit" / "interpreter.py")
    assert {file.name for file in parts} == {file.name for file in (folder / "jit").glob("[!_]*.py")}
    parts |= {folder / "cache" / "build.py"}
    copy = tmp_path / "native"
    shutil.copytree(folder, copy)
    monkeypatch.setattr(objects, "_JIT", copy / "jit")
    monkeypatch.setattr(objects.build, "__file__", str(copy / "cache" / "build.py"))
    names = {objects.object_name.__wrapped__(MACHINE)}
    assert names == {objects.object_name(MACHINE)}
    for part in sorted(parts):
        other = copy / part.relative_to(folder)
        content = other.read_bytes()
        other.write_bytes(flipped(content, len(content) // 2, 1))
        names.add(objects.object_name.__wrapped__(MACHINE))
        other.write_bytes(content)
    assert len(names) == 1 + len(parts)


def test_another_python_numpy_numba_llvm_or_processor_is_another_name(monkeypatch):
    names = [objects.object_name(MACHINE), objects.object_name(LOOP)]
    for package in objects.NEEDS[:2]:
        with monkeypatch.context() as patch:
            release = objects._release
            patch.setattr(objects, "_release", lambda name, p=package, r=release: r(name) + b"+" * (name == p))
            names.append(objects.object_name.__wrapped__(MACHINE))
    for target in ("sys.version", "numpy.__version__"):
        with monkeypatch.context() as patch:
            patch.setattr(target, "3.99")
            names.append(objects.object_name.__wrapped__(MACHINE))
    with monkeypatch.context() as patch:
        patch.setattr("llvmlite.binding.get_host_cpu_name", lambda: "another")
        names.append(objects.object_name.__wrapped__(MACHINE))
    assert len(set(names)) == 7


# threads and forks


def test_two_threads_that_load_at_once_get_the_same_code_fifty_times(place):
    program = NEEDED + (
        "from threading import Barrier, Thread\n"
        "kept, both = [], Barrier(2)\n"
        "def use(found):\n"
        "    both.wait()\n"
        "    found.append(objects.load(LOOP))\n"
        "for _ in range(50):\n"
        "    kept.append(dict(objects._loaded)); objects._loaded.clear()\n"
        "    found = []\n"
        "    threads = [Thread(target=use, args=(found,)) for _ in range(2)]\n"
        "    for thread in threads: thread.start()\n"
        "    for thread in threads: thread.join()\n"
        "    assert found == [objects._loaded[LOOP][1]] * 2, found\n"
        "print(len(kept))\n"
    )
    assert python(program) == "50\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_while_a_thread_loads_can_load_too(place):
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with objects._lock:
            entered.set()
            leave.wait(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if objects.cached(LOOP) else 1)
    thread.join()
    ended, end = (0, 0), time.monotonic() + 30
    while ended[0] == 0 and time.monotonic() < end:
        ended = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    if ended[0] == 0:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)
