"""The command ``minidl lab``."""

import ipaddress
import secrets
import threading
import webbrowser

from ..errors import OptionError
from ..system.terminal import tell
from .server import application, listening, server


def run_lab(host: str, port: int, browser: bool, known: bool) -> None:
    """Serve the laboratory until Ctrl-C, and open a browser there."""
    if not _is_loopback(host) and not known:
        raise OptionError(
            f"--host {host}: others on the network could then reach the laboratory, and only the token in its address, "
            f"which travels unencrypted, would keep them out. Add --i-know if that is what you want"
        )
    found = listening(host, port)
    port = found.getsockname()[1]
    token = secrets.token_urlsafe(32)
    shown = f"[{host}]" if ":" in host else host
    hosts = dict.fromkeys([f"{shown}:{port}", f"127.0.0.1:{port}", f"localhost:{port}"])
    address = f"http://{shown}:{port}/?token={token}"
    tell("minidl lab; Ctrl-C ends it. Open in a browser:")
    tell(address)
    if browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    with found:
        server(application(token, list(hosts), port)).run(sockets=[found])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        raise OptionError(f"--host {host}: give an address of this machine, such as 127.0.0.1") from error
