"""The numbers of a training where TensorBoard shows them, while it goes on."""

from pathlib import Path
from typing import Any

from ..errors import WriteError
from ..system.extras import missing_extra
from ..system.terminal import printable
from .callbacks import Callback, Run

_PLACES = {"epoch", "step"}  # in the history's rows these say where, not what


class TensorBoard(Callback):
    """Writes each epoch's numbers for TensorBoard: ``fit(..., callbacks=[TensorBoard("runs/a/tensorboard")])``.

    A point for each number of the history's row, at its count of updates: "loss/train" and "loss/validation" in one
    chart, "lr/train", "seconds/train", ... ``tensorboard --logdir runs`` shows them; it is a package of its own, which
    minidl does not need. A run that is resumed, or begun anew, in this folder takes the place of the points that were
    made before from there on, so that no epoch is shown twice.

    Args:
        folder: made if it is not there; one for each run.

    Raises:
        MissingExtraError: from `fit`, before anything is trained, without the extra ``tensorboard`` (tensorboardX).
        WriteError: from `fit`, likewise, if the folder cannot be made.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._writer: Any = None

    def on_start(self, run: Run) -> None:
        """Look for tensorboardX, and make the folder."""
        try:
            import tensorboardX  # noqa: F401
        except ImportError as error:
            what = "the callback TensorBoard needs tensorboardX"
            raise missing_extra(what, "tensorboardX", "tensorboard", error) from error
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(f"TensorBoard: {printable(self.folder)}: no such folder can be made ({error})") from error

    def on_epoch(self, run: Run) -> None:
        """Write the epoch's numbers."""
        from tensorboardX import SummaryWriter

        row = run.history[-1]
        if self._writer is None:  # only now is it known where a resumed run goes on
            place = {"purge_step": row["step"], "filename_suffix": f".{row['step']:08}"}
            self._writer = SummaryWriter(str(self.folder), flush_secs=1, **place)
        for name, value in row.items():
            if name not in _PLACES and isinstance(value, int | float):
                self._writer.add_scalar(_tag(name), value, row["step"])

    def on_end(self, run: Run) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _tag(name: str) -> str:
    """TensorBoard's name for a number: what it puts into one chart has one beginning."""
    of_validation = name.startswith("validation_")
    return f"{name.removeprefix('validation_')}/{'validation' if of_validation else 'train'}"
