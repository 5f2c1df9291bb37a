"""A laboratory and a browser for the tests of its page, one of each for a module."""

from urllib.parse import urlsplit

import pytest
from browser import chromium
from lab_page import READY
from lab_server import laboratory


@pytest.fixture(scope="module")
def lab():
    with laboratory() as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser, lab):
    """Opens the page; whatever leaves the machine or is said on the console fails the test."""
    contexts, faults = [], []

    def ours(address):
        return urlsplit(address).netloc == lab.host

    def route(one):
        if ours(one.request.url):
            one.continue_()
        else:
            faults.append(one.request.url)
            one.abort()

    def open_page(state="", width=1280, height=900, **options):
        contexts.append(
            browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", **options)
        )
        contexts[-1].route("**/*", route)
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)  # a busy machine takes its time
        page.on(
            "console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("websocket", lambda socket: None if ours(socket.url) else faults.append(socket.url))
        page.goto(lab.address)
        assert "token" not in page.url
        if state:
            page.goto(f"http://{lab.host}/#{state}")
            page.reload()
        page.wait_for_selector(READY)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
