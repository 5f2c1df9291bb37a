"""The cell of a notebook, where one is running: what is shown there and replaced as it changes."""

import sys
from typing import Any


def in_notebook() -> bool:
    """Whether this program is the cell of a Jupyter notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class Output:
    """A place below the cell. `show` puts something there, an object or HTML, in the place of what it showed before."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, content: Any) -> None:
        """Show an object as the last line of a cell would be; a string is HTML."""
        from IPython.display import HTML, display

        content = HTML(content) if isinstance(content, str) else content
        if self._handle is None:
            self._handle = display(content, display_id=True)
        else:
            self._handle.update(content)
