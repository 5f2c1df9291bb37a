"""The child process that compiles: background.py starts it, with a request on standard input.

It runs isolated (``python -I -S``): it imports from Python's own library and the folders in the
request, never from the folder that somebody happens to train in. It ends when its parent does,
unless that writes a byte, at its own normal end: then it goes on alone, for the next training.
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

ALONE = 600.0  # seconds that it may go on without a parent


def main() -> None:
    """Compile what is not cached; exits with 1 if something could not be compiled."""
    request, more = _read_request()
    _lower_priority(request["nice"], request["policy"])
    threading.Thread(target=_end_with_parent, args=(more,), daemon=True).start()
    faulthandler.enable()
    sys.path += request["path"]
    _import_minidl(request["minidl"])
    os._exit(_compile(request["sources"]))  # at once: a thread still reads standard input


def _read_request() -> tuple[dict[str, Any], bytes]:
    """The parent's request, a line of JSON, and what was read beyond it."""
    text = b""
    while b"\n" not in text and (piece := os.read(0, 1 << 16)):
        text += piece
    line, end, more = text.partition(b"\n")
    if not end:
        os._exit(1)
    return json.loads(line), more


def _lower_priority(nice: int, policy: int | None) -> None:
    """Let other processes go first, as far as the system can."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(nice)
    with contextlib.suppress(OSError, AttributeError):
        if policy is not None:
            os.sched_setscheduler(0, policy, os.sched_param(0))


def _end_with_parent(more: bytes) -> None:
    """Exit when the pipe from the parent is closed, or ALONE seconds after a byte from it."""
    if more or os.read(0, 1):
        time.sleep(ALONE)
    os._exit(1)


def _import_minidl(file: str) -> None:
    """Import minidl from the parent's file, without putting the folder around it on the path."""
    spec = importlib.util.spec_from_file_location("minidl", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported")
    sys.modules["minidl"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["minidl"])


def _compile(sources: list[list[str]]) -> int:
    """Compile what is not cached, one process at a time, and print the seconds of each.

    Returns 1 if something failed; its log says why.
    """
    from minidl.compiler.native.cache import objects, store
    from minidl.compiler.native.cache.build import build

    failures = 0
    with store.locked():
        for source in map(objects.Source._make, sources):
            begin = time.perf_counter()
            name, log = objects.object_name(source), objects.log_name(source)
            handle = store.new_log(log)
            os.dup2(handle, 2)  # standard error goes to the log
            os.close(handle)
            try:
                if not objects.cached(source):
                    store.write(name, build(*source))
            except Exception:  # the others are compiled all the same
                traceback.print_exc()
                failures = 1
            else:
                (store.home() / log).unlink(missing_ok=True)
            print(time.perf_counter() - begin, flush=True)
    return failures


if __name__ == "__main__":
    main()
