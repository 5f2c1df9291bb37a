"""The laboratory without a server: a folder on any file server answers as the session does, where it can."""

import functools
import http.server
import json
import re
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import chromium, violations
from lab_messages import RACE

from minidl.errors import WriteError
from minidl.lab import LabSession
from minidl.lab.export import export
from minidl.lab.lanes import RULES
from minidl.lab.presets import FIVE, ROWS

READY = "html[data-ready]"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the recordings of one row and one note, over one that was there before."""
    found = tmp_path_factory.mktemp("site")
    (found / "index.html").write_text("old")
    export(found, rows=["A3"], notes=["A"])
    return found


@pytest.fixture(scope="module")
def site(folder):
    """Its address on a plain file server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join(20)


@pytest.fixture(scope="module")
def page(site):
    faults = []
    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(60_000)  # a busy machine takes its time
        opened.on(
            "console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None
        )
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on(
            "request", lambda one: None if urlsplit(one.url).netloc == urlsplit(site).netloc else faults.append(one.url)
        )
        opened.on("websocket", lambda socket: faults.append(socket.url))
        opened.goto(site)
        opened.wait_for_selector(READY)
        yield opened
    assert faults == []


def by_session(op, **fields):
    return json.loads(LabSession().handle(json.dumps({"id": 1, "op": op, **fields})))["ok"]


def by_page(page, op, **fields):
    asked = json.dumps([op, fields])
    return page.evaluate(
        f"async () => {{ const {{answer}} = await import('./static/js/offline.js'); return answer(...{asked}); }}"
    )


def test_the_folder_holds_programs_of_every_rule_and_surface_and_nothing_of_python(folder):
    rules = (folder / "static/written/rules.js").read_text(encoding="utf-8")
    assert {rule for rule in RULES if f"rule: '{rule}'" not in rules} == set()
    assert 'name="minidl-lab"' in (folder / "index.html").read_text(encoding="utf-8")
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {
        ".html",
        ".css",
        ".js",
        ".mjs",
        ".json",
        ".svg",
        ".toml",
        "",
    }
    hello = json.loads((folder / "static/written/hello.json").read_text(encoding="utf-8"))
    assert len(hello["recorded"]) == len([*FIVE]) == 5  # A3's run is one of them
    assert all((folder / "static/written" / one["file"]).is_file() for one in hello["recorded"] + hello["maps"])


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="--export"):
        export(tmp_path / "file")


RUNS = {
    "the five": {"lanes": FIVE},
    "every rule as it is": {"lanes": [{"rule": name} for name in RULES], "steps": 60},
    "note B's conventions": {"lanes": [{"rule": name} for name in RULES], "note": "B"},
    "options": {"lanes": [
        {"rule": "Adam", "settings": {"lr": 0.4, "eps_mode": "hat", "amsgrad": True, "weight_decay": 0.1}},
        {"rule": "NAdam", "settings": {"lr": 0.4, "momentum_decay": None}},
        {"rule": "AdaGrad", "settings": {"lr": 2, "initial_accumulator": 0.5}},
        {"rule": "Momentum", "settings": {"lr": 0.1, "form": "averaged"}}]},
    "a fork": {"lanes": [{"rule": "Momentum", "settings": {"lr": 0.1}, "fork": {"at": 7, "settings": {"beta": 0.99, "lr": 0.3}}}]},
    "diverging": {"lanes": [*ROWS["A2"], {"rule": "SGD", "settings": {"lr": 1e9}}, *ROWS["A9"][-1:]], "steps": 60},
    "Rosenbrock": {"surface": {"name": "rosenbrock"}, "start": [-1.5, 1.0], "lanes": [{"rule": "Adam", "settings": {"lr": 0.1}}], "steps": 300},
    "one coordinate": {"surface": {"name": "two-valleys"}, "start": [1.5], "lanes": [{"rule": "Momentum", "settings": {"lr": 0.05}}, {"rule": "SGD"}]},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_race_in_the_page_has_the_bits_of_the_session(page, name):
    fields = {**RACE, "surface": {"name": "bowl"}, "start": [-5, -2], "note": "code", "preset": None, **RUNS[name]}
    ours, theirs = by_session("surface.race", **fields), by_page(page, "surface.race", **fields)
    for lane, other in zip(ours["lanes"], theirs["lanes"], strict=True):
        assert [other[key] for key in ("rule", "end", "diverged")] == [lane[key] for key in ("rule", "end", "diverged")]
        path, values, far = (np.array(lane[key], float) for key in ("path", "values", "distance"))  # null is NaN
        if lane["rule"] == "NAdam" and lane["settings"]["momentum_decay"] != "None":  # a power that is no whole number
            np.testing.assert_allclose(np.array(other["path"], float), path, rtol=1e-12)
        else:
            np.testing.assert_array_equal(np.array(other["path"], float), path)  # to the bit
        np.testing.assert_allclose(np.array(other["values"], float), values, rtol=1e-14)  # NumPy's scalars have powers
        np.testing.assert_allclose(np.array(other["distance"], float), far, rtol=1e-14)  # of their own
    assert (theirs["nearest"], theirs["by"]) == (ours["nearest"], ours["by"])
    np.testing.assert_allclose(theirs["domain"], ours["domain"], atol=1e-6)


@pytest.mark.slow
def test_fields_ledgers_and_maps_are_those_of_the_session(page):
    surface = {"surface": {"name": "saddle"}, "n": 12, "domain": None}
    ours, theirs = by_session("surface.field", **surface), by_page(page, "surface.field", **surface)
    assert theirs.keys() == ours.keys()
    assert theirs["values"] == pytest.approx(ours["values"], rel=1e-5, abs=1e-5)
    asked = {**RACE, "lanes": FIVE, "lane": 1, "t": 6, "coordinate": 1, "language": "it"}
    assert by_page(page, "ledger", **asked) == by_session("ledger", **asked)
    asked = {"surface": {"name": "bowl"}, "start": [-5, -2], "lane": FIVE[1], "steps": 20, "note": "A"}
    ours, theirs = by_session("surface.stability", **asked, n=48), by_page(page, "surface.stability", **asked, n=64)
    assert theirs == ours


@pytest.mark.slow
def test_the_same_flows_as_with_a_server(page, site):
    page.goto(f"{site}#t=0")
    page.reload()
    page.wait_for_selector(READY)
    page.get_by_role("button", name="Play").click()
    page.locator(".question").get_by_role("button", name="AdaGrad").click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("slider", name="Step").fill("20")
    page.get_by_text("At t = 20 AdaGrad is nearest to the minimum: ").wait_for()
    assert "As you predicted." in page.locator(".question").inner_text()
    page.select_option("#preset", "A3")
    page.get_by_text("as note A prints it: x1: 0.007188, x2: 0.002553").wait_for()
    page.get_by_text("Step 20 of Momentum moved x2 by").wait_for()
    page.get_by_role("button", name="it", exact=True).click()
    page.get_by_text("Al passo 20, Momentum ha spostato x2").wait_for()
    page.locator(".handle").first.focus()
    page.keyboard.press("ArrowUp")
    page.get_by_text("senza minidl dietro").wait_for()  # another run: its paths are there, its ledger is not
    shown = page.locator(".pick").first.inner_text()
    ours = by_session("surface.race", **{**RACE, "start": [-5, -1.9], "lanes": ROWS["A3"]})["lanes"][0]["path"]
    assert [float(x.replace("−", "-")) for x in re.findall(r"[−\d.e]+", shown)] == pytest.approx(
        [axis[20] for axis in ours], rel=1e-3
    )
    assert violations(page) == {}
