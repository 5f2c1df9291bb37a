"""The process that compiles, beside the one that trains: background.py starts it, and tells it what on standard input.

It runs isolated (``python -I -S``): Python's own library and the folders that it is told are all that it imports from,
never the folder that somebody happens to train in. It ends when the process that started it does, unless that says, at
its own normal end, that it may go on for the next.
"""

import contextlib
import faulthandler
import importlib.util
import json
import os
import sys
import threading
import time
import traceback
from typing import Any

ALONE = 600.0  # seconds that it may go on alone


def main() -> None:
    """Compile what is missing; ends the process, with 1 if something could not be compiled."""
    told, more = _told()
    _give_way(told["nice"], told["policy"])
    threading.Thread(target=_end_with_parent, args=(more,), daemon=True).start()
    faulthandler.enable()
    sys.path += told["path"]
    _import_minidl(told["minidl"])
    os._exit(_compile(told["sources"]))  # at once, for a thread still listens


def _told() -> tuple[dict[str, Any], bytes]:
    """What the other process has written in a line, and what it has said since."""
    text = b""
    while b"\n" not in text and (piece := os.read(0, 1 << 16)):
        text += piece
    line, end, more = text.partition(b"\n")
    if not end:
        os._exit(1)
    return json.loads(line), more


def _give_way(nice: int, policy: int | None) -> None:
    """Let others go first, as far as the system knows how to."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(nice)
    with contextlib.suppress(OSError, AttributeError):
        if policy is not None:
            os.sched_setscheduler(0, policy, os.sched_param(0))


def _end_with_parent(said: bytes) -> None:
    """Wait for the other process to end: with a word, if this one may go on."""
    if said or os.read(0, 1):
        time.sleep(ALONE)
    os._exit(1)


def _import_minidl(file: str) -> None:
    """Import minidl from where the other process has it: the folder around it is nobody else's to import from."""
    spec = importlib.util.spec_from_file_location("minidl", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported")
    sys.modules["minidl"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["minidl"])


def _compile(sources: list[list[str]]) -> int:
    """Compile what is not there, one process at a time, and print the seconds of each; its log tells why it failed."""
    from minidl.compiler.native.cache import objects, store
    from minidl.compiler.native.cache.build import build

    failures = 0
    with store.held():
        for source in map(objects.Source._make, sources):
            name, log, begin = objects.object_name(source), objects.log_name(source), time.perf_counter()
            handle = store.new_log(log)
            os.dup2(handle, 2)
            os.close(handle)
            try:
                if not objects.there(source):
                    store.write(name, build(*source))
            except Exception:
                traceback.print_exc()
                failures = 1
            else:
                (store.home() / log).unlink(missing_ok=True)
            print(time.perf_counter() - begin, flush=True)
    return failures


if __name__ == "__main__":
    main()
