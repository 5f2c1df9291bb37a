"""The laboratory within the site: ``minidl lab --export``, into its folder lab/, with the runs that note A prints.

From a file server only: browsers load no modules from files.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def export_laboratory(app: Sphinx, error: Exception | None) -> None:
    """Write it beside the pages, once they are there."""
    from minidl.lab.export import export  # the checkout's, which conf.py has put first

    if error is None and app.builder.format == "html":
        export(Path(app.outdir) / "lab", rows=["A1", "A2", "A3", "A4", "A6", "A7"], notes=["A"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("build-finished", export_laboratory)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
