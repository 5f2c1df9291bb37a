"""The laboratory in a browser: ``minidl lab``.

`LabSession` is all of it that computes, without a web: JSON in, JSON out. server.py puts it behind a websocket,
guard.py in front of that, and static/ is the page. Not imported by ``import minidl``.
"""

from .session import LabSession

__all__ = ["LabSession"]
