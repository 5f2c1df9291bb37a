"""A laboratory on a port of this machine, in a thread of the tests, and raw requests to it."""

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass

from minidl.lab.server import application, listening, server

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Lab:
    """Where it is: its port; `address` is what the command prints."""

    port: int

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def address(self):
        return f"http://{self.host}/?token={TOKEN}"

    @property
    def cookie(self):
        return f"minidl-lab-{self.port}={TOKEN}"


@contextmanager
def laboratory(port=0):
    """A laboratory that is there within the block."""
    found = listening("127.0.0.1", port)
    lab = Lab(found.getsockname()[1])
    app = server(application(TOKEN, [lab.host, f"localhost:{lab.port}"], lab.port))
    thread = threading.Thread(target=app.run, kwargs={"sockets": [found]}, daemon=True)
    thread.start()
    try:
        yield lab
    finally:
        app.should_exit = True
        thread.join(20)
        found.close()
        assert not thread.is_alive()


def asked(lab, path="/", method="GET", host=None, **headers):
    """The answer to a request, written by hand, so that no library mends it: status, headers, body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {lab.host if host is None else host}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as to:
        to.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        answer = b"".join(iter(lambda: to.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in rest}, body


SHAKE = {"Upgrade": "websocket", "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec_WebSocket_Version": "13"}


def shaken(lab, **headers):
    """The status of an answer to a websocket's first request: 101 where it is opened."""
    lines = ["GET /socket HTTP/1.1", f"Host: {headers.pop('host', lab.host)}", "Connection: Upgrade"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in {**SHAKE, **headers}.items()]
    with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as to:
        to.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return int(to.recv(4096).split()[1])
