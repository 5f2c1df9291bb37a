"""A browser that opens minidl's pages, and axe-core, which says what keeps readers out."""

import os
import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

_NEEDED = "needs pip install 'minidl[dev]' and Chromium (Debian: apt-get install chromium)"


def missing(what):
    """Skip, or fail where CI says that nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: {_NEEDED}")
    pytest.skip(f"{what}: {_NEEDED}")


@contextmanager
def chromium():
    """A Chromium, driven by Playwright."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright is not here")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("Chromium is not here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


def violations(page):
    """What axe-core finds on a page as it is now shown: of each fault its name and the elements that have it."""
    if (package := find_spec("axe_playwright_python")) is None:
        missing("axe-core is not here")
    page.evaluate(Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10  # it has looked
    return {fault["id"]: [node["html"] for node in fault["nodes"]] for fault in found["violations"]}
