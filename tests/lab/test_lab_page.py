"""The laboratory in a browser that reaches nothing but it: numbers, access, languages, what it looks like.

With SCREENSHOTS=FOLDER in the environment the pictures of docs/lab.md are written there.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser import violations
from lab_page import READY, lane_text, settled
from lab_server import laboratory

from minidl.lab.server import STATIC
from minidl.optim import rules
from minidl.teach import race
from minidl.teach.functions import START, bowl


def test_the_page_begins_with_a_script_and_a_style_of_its_own():
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    assert '<script type="module" src="static/js/app.js">' in text
    assert "<style" not in text


def shot(page, name, **options):
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", **options)


@pytest.mark.slow
def test_presets_show_what_is_printed_and_tables_show_every_bit(opened):
    page = opened("table=1")
    for row, printed in {"A2": "x1: −0.387814, x2: −1673.365109", "A3": "x1: 0.007188, x2: 0.002553"}.items():
        page.select_option("#preset", row)
        settled(page)
        assert f"as note A prints it: {printed}" in page.locator(".check.yes").inner_text()
    page.select_option("#preset", "A2")
    settled(page)
    assert "diverged at step 1: η·λ = 2.4 > 2" in lane_text(page, 0)
    assert "It grows without end: η·λ = 0.6 · 4 = 2.4 > 2" in page.locator(".why").inner_text()
    shown = page.locator(".of-table table").nth(1).locator("tbody tr").all_inner_texts()
    lane = race(bowl, [(rules.SGD(), 0.6)], START, 20).lanes[0]
    rows = [line.replace("−", "-").split("\t") for line in shown]
    assert [[float(x) for x in row[1:3]] for row in rows] == lane.path.tolist()
    assert [float(row[3]) for row in rows] == lane.values.tolist()


@pytest.mark.slow
def test_the_start_and_the_maps_mark_are_dragged(opened):
    page = opened("t=5&predict=0&lane=1")
    box = page.locator("canvas.picture").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 140, steps=5)
    page.mouse.up()
    settled(page)
    x1, x2 = (float(page.locator(f"#start-{i}").input_value()) for i in (0, 1))
    assert (x1, x2) != START
    path = race(bowl, [(rules.Momentum(beta=0.5), 0.6)], (x1, x2), 20).lanes[0].path
    assert f"({path[5][0]:.4g}".replace("-", "−") in page.locator(".lane").nth(1).inner_text()
    page.locator("canvas.map").scroll_into_view_if_needed()
    box = page.locator("canvas.map").bounding_box()
    page.mouse.move(box["x"] + 120, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + 150, steps=4)
    page.mouse.up()
    settled(page)
    assert float(page.locator("#lr-1 + input").input_value()) > 0.9
    assert "it diverges" in page.locator(".of-map").inner_text()


@pytest.mark.slow
def test_the_address_brings_back_the_state_and_what_is_not_allowed_is_named(opened):
    page = opened(
        "f=saddle&start=1.5,0.01&lanes=Momentum:lr=0.1,beta=0.8;Adam:lr=0.2,fork=4,then.lr=0.05&t=7&lane=1&i=0&note=B&lang=it&steps=30"
    )
    page.wait_for_timeout(300)
    address = page.url
    before = page.locator("main").inner_text()
    page.reload()
    page.wait_for_selector(READY)
    settled(page)
    assert page.url == address
    assert page.locator("main").inner_text() == before
    assert "Adam, t = 7: x1" in before
    assert "dal passo 4 con questi" in before
    assert page.locator("html").get_attribute("lang") == "it"
    page.goto(f"{address.partition('#')[0]}#lanes=Momentum:beta=3&lang=en")
    page.reload()
    page.get_by_role("alert").wait_for()
    assert "beta=3.0: beta must be a number in [0, 1)" in page.get_by_role("alert").inner_text()


@pytest.mark.slow
def test_a_step_is_walked_through_line_by_line_both_ways(opened):
    page = opened("predict=0&t=5&lane=4&note=B")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    settled(page)
    lines = page.locator(".lines li")
    assert lines.count() == 6
    assert page.locator("output").inner_text() == "t = 6"
    for place in range(6):
        assert [place < k for k in range(6)] == ["later" in lines.nth(k).get_attribute("class") for k in range(6)]
        assert not page.locator(".why").is_visible()
        page.keyboard.press("ArrowRight")
        settled(page)
    assert page.locator(".why").is_visible()
    page.keyboard.press("ArrowLeft")
    settled(page)
    assert "now" in lines.nth(5).get_attribute("class")
    page.keyboard.press("ArrowUp")
    settled(page)
    assert page.locator(".why").is_visible()


@pytest.mark.slow
def test_the_program_that_is_downloaded_runs_and_asserts_what_was_shown(opened, tmp_path):
    page = opened("predict=0&t=7&lane=1&note=A&lang=it")
    with page.expect_download() as found:
        page.get_by_role("button", name=".py").click()
    path = tmp_path / found.value.suggested_filename
    found.value.save_as(path)
    assert path.name == "run.py"
    done = subprocess.run([sys.executable, "-W", "error", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert page.locator(".why p").first.inner_text().replace("−", "-").replace(".", ",") in done.stdout.replace(
        ".", ","
    )


@pytest.mark.slow
def test_everybody_can_read_it_in_every_language_and_colour(opened):
    page = opened("t=6&lane=4&note=B&table=1&predict=0")
    page.locator(".lane summary").nth(4).click()
    for language in ("en", "es", "it"):
        page.get_by_role("button", name=language, exact=True).click()
        for theme in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            settled(page)
            assert violations(page) == {}, (language, theme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            settled(page)
            assert clipped(page) == [], (language, width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.set_viewport_size({"width": 1280, "height": 900})


def clipped(page):
    """Elements whose text does not fit into them, unless they scroll or are chosen from."""
    return page.evaluate("""() => [...document.querySelectorAll("main *, header *")].filter((one) => {
        const style = getComputedStyle(one);
        const may = one.matches("select, input, canvas, svg, svg *, math *, .scroll, .scroll *, .u-wrap, .u-wrap *, .chart, .uplot");
        return !may && one.checkVisibility() && style.display !== "inline" && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1;
    }).map((one) => one.outerHTML.slice(0, 120))""")


@pytest.mark.slow
def test_a_laboratory_that_ends_is_missed_and_found_again(browser):
    with laboratory() as first:
        page = browser.new_page()
        page.set_default_timeout(60_000)  # a busy machine takes its time
        page.goto(first.address)
        page.wait_for_selector(READY)
    page.get_by_text("The laboratory does not answer").wait_for()
    with laboratory(first.port) as again:
        assert again.port == first.port
        page.get_by_text("The laboratory does not answer").wait_for(state="detached")
        page.get_by_role("button", name="One step", exact=True).click()
        page.get_by_text("t = 1: x2").wait_for()
        page.close()


@pytest.mark.slow
def test_what_it_looks_like(opened):
    """Written where SCREENSHOTS says; without that only that each state can be painted."""
    states = {
        "lab": {"state": "t=6&lane=1&i=1&note=A&lang=en"},
        "lab-dark": {"state": "t=9&lane=4&i=1&note=B&lang=it", "color_scheme": "dark"},
        "lab-phone": {"state": "t=6&lane=1&i=1&note=A&lang=en", "width": 390, "height": 800},
    }
    for name, options in states.items():
        page = opened(**options)
        settled(page)
        pixels = page.evaluate("""() => {
            const canvas = document.querySelector("canvas.picture");
            return new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size;
        }""")
        assert pixels > 40  # contours, paths, letters
        shot(page, name)
