"""What each worker is at, in a small file of its own: so that after its death one knows which trial was to blame."""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .table import Trial

FOLDER = ".workers"
_WIDTH = 21  # bytes of a trial's number and what ends it


class Note:
    """This worker's note in a study's `folder`; where none can be written, nothing is noted.

    `file` is the number of the open file, None if there is none.
    """

    def __init__(self, folder: str) -> None:
        self.file: int | None = None
        with suppress(OSError):  # a full disk, or another machine that does not see this folder
            os.makedirs(os.path.join(folder, FOLDER), exist_ok=True)
            name = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
            self.file = os.open(os.path.join(folder, FOLDER, name), os.O_RDWR | os.O_CREAT)

    def write(self, id: int | None) -> None:
        """Note that the worker is at this trial; None: at none."""
        if self.file is not None:
            with suppress(OSError):
                os.lseek(self.file, 0, os.SEEK_SET)
                os.write(self.file, f"{'' if id is None else id:{_WIDTH - 1}}\n".encode())
                os.ftruncate(self.file, _WIDTH)

    def __del__(self) -> None:
        if self.file is not None:
            os.close(self.file)


def take(folder: Path, trials: Iterable[Trial] | None = None) -> dict[int, bool]:
    """The trials at which workers were when they died, of these `trials` or of all. What is taken is gone.

    True where the worker ended itself, since the trial took too long.
    """
    ids = None if trials is None else {trial.id for trial in trials}
    found = {}
    for path in (folder / FOLDER).glob("*"):
        try:
            content = path.read_bytes()
            text = content[:_WIDTH].strip().decode()
            if ids is None or (text.isdecimal() and int(text) in ids):
                path.unlink()
                if text.isdecimal():
                    found[int(text)] = b"Timeout" in content
        except OSError:
            continue
    return found
