"""Pages that are written before Sphinx reads them, each list of them in a folder of its own."""

from pathlib import Path


def write_pages(folder: Path, pages: dict[str, str]) -> None:
    """Let the files of `folder` be these `pages`, text by name: what is unchanged stays, and is not built anew."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
