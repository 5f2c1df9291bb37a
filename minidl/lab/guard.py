"""Who may ask: the browser that holds the token, at an address of this machine, from a page of the laboratory's own.

A page elsewhere could send requests to a port of this machine, and a host name that its owner points here (DNS
rebinding) would even make them same-origin. So a request needs the token (in the address once, then in a cookie), a
``Host`` from a fixed list, and an ``Origin`` of that list or none; a websocket needs one in any case.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http.cookies import CookieError, SimpleCookie
from secrets import compare_digest
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_REFUSED = b"minidl lab: open the address that the command has printed, with its token.\n"


class Guard:
    """An ASGI app in front of another; `hosts` are those that a request may name, such as 127.0.0.1:8570."""

    def __init__(self, app: App, token: str, hosts: Sequence[str], cookie: str) -> None:
        self.app, self.token, self.hosts, self.cookie = app, token, tuple(hosts), cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        if scope["type"] == "websocket":
            if self._trusted(headers, origin_needed=True) and self._holds_cookie(headers):
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
            return
        if not self._trusted(headers, origin_needed=False):
            await _answer(send, 403, _REFUSED)
        elif scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"minidl lab: only GET\n")
        elif scope["path"] == "/" and "token" in (given := parse_qs(scope["query_string"].decode("latin-1"))):
            await self._enter(send, given["token"][0])
        elif self._holds_cookie(headers):
            await self.app(scope, receive, _with_headers(send))
        else:
            await _answer(send, 403, _REFUSED)

    async def _enter(self, send: Send, token: str) -> None:
        """Exchange the token in the address for a cookie, so that it leaves the address bar."""
        if not _same(token, self.token):
            await _answer(send, 403, _REFUSED)
            return
        cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"
        await _answer(send, 303, b"", (b"location", b"/"), (b"set-cookie", cookie.encode()))

    def _trusted(self, headers: list[tuple[str, str]], origin_needed: bool) -> bool:
        """Whether host and origin are the laboratory's."""
        hosts, origins = ([value for name, value in headers if name == asked] for asked in ("host", "origin"))
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts or len(origins) > 1:
            return False
        return origins[0] in [f"http://{host}" for host in self.hosts] if origins else not origin_needed

    def _holds_cookie(self, headers: list[tuple[str, str]]) -> bool:
        try:
            cookies = SimpleCookie("; ".join(value for name, value in headers if name == "cookie"))
        except CookieError:
            return False
        return self.cookie in cookies and _same(cookies[self.cookie].value, self.token)


def _same(given: str, token: str) -> bool:
    return compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def _with_headers(send: Send) -> Send:
    """`send`, with the headers of `HEADERS` in each response."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = [(name, value) for name, value in message["headers"] if name.decode().lower() not in HEADERS]
            message["headers"] = own + [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send(message)

    return sending


async def _answer(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *more]
    send = _with_headers(send)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
