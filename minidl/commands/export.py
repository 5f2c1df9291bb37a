"""The command ``minidl export``."""

from pathlib import Path

from .. import export
from ..system.terminal import printable, tell
from ..train.saving.model_file import load
from .trained import find_model


def export_run(model: Path | None, output: Path | None, pixels: bool) -> None:
    """Execute ``minidl export``: an ONNX file beside the model's own, or at `output`; says where it wrote."""
    file = find_model(model)
    path = file.with_suffix(".onnx") if output is None else output
    export.onnx(load(file), path, pixels=pixels)
    taken = "uint8 pixels, 0 to 255" if pixels else "float32, pixels scaled to [0, 1]"
    tell(f"{printable(path)}: written; takes {taken}")
