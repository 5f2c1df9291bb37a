"""The laboratory on a port of this machine: the page's files, and a session for each websocket."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import OptionError
from ..system.extras import missing_extra
from .guard import Guard
from .session import LONGEST, LabSession

try:
    import uvicorn
    import websockets  # noqa: F401 (uvicorn's; without it there would be a page that never connects)
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import FileResponse, Response
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles
    from starlette.websockets import WebSocket, WebSocketDisconnect
except ImportError as error:
    package = str(getattr(error, "name", None)).partition(".")[0]
    raise missing_extra("minidl lab needs Starlette, uvicorn and websockets", package, "lab", error) from error

STATIC = Path(__file__).with_name("static")
SESSIONS = 8  # at a time
RATE = 200  # messages a second of a session
_TRIED = 20  # ports, from the one that was asked for


def application(token: str, hosts: Sequence[str], port: int) -> Guard:
    """The laboratory as an ASGI app, behind its guard."""
    sessions: set[WebSocket] = set()

    async def connected(socket: WebSocket) -> None:
        await socket.accept()
        if len(sessions) >= SESSIONS:
            await socket.close(1013, f"{SESSIONS} pages are open already: close one")
            return
        sessions.add(socket)
        try:
            await _serve(socket)
        except WebSocketDisconnect:  # a page that was closed, also in the middle of a reply
            pass
        finally:
            sessions.discard(socket)

    routes = [
        Route("/", _page),
        Route("/favicon.ico", _icon),
        Mount("/static", StaticFiles(directory=STATIC)),
        WebSocketRoute("/socket", connected),
    ]
    return Guard(Starlette(routes=routes), token, hosts, f"minidl-lab-{port}")


async def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _icon(_: Request) -> Response:
    return FileResponse(STATIC / "icon.svg")


async def _serve(socket: WebSocket) -> None:
    """Answer the messages of one page, one after the other, until it leaves."""
    session, second, count = LabSession(), 0, 0
    while True:
        text = await socket.receive_text()
        now = int(time.monotonic())
        second, count = (second, count + 1) if now == second else (now, 1)
        if count > RATE:
            await socket.close(1008, f"more than {RATE} messages a second")
            return
        await socket.send_text(await run_in_threadpool(session.handle, text))


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at the first free port from `port` on. Raises `OptionError` if there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for tried in range(port, min(port + _TRIED, 65_536)):
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, tried))
            found.listen(64)
        except OSError as error:
            found.close()
            reason = error.strerror or str(error)
            continue
        return found
    raise OptionError(f"--port {port} --host {host}: nothing can listen there, nor at the next {_TRIED}: {reason}")


def server(app: Guard) -> uvicorn.Server:
    """uvicorn, as the laboratory needs it: small messages, uncompressed, no log."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=4 * LONGEST,  # bytes: a character may take four
        ws_per_message_deflate=False,  # it doubles the time of a reply
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
