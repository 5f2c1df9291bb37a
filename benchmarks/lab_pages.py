"""How quickly the laboratory's page answers: ``python -m benchmarks.lab_pages`` (extra dev, and Chromium).

It starts `minidl lab` a few times, then takes steps and drags the start in a browser without a screen, which draws with
the processor. A table of medians and 95th percentiles, with the machine's load, for docs/lab.md.
"""

import os
import statistics
import subprocess
import sys
import time
from shutil import which
from typing import Any

from playwright.sync_api import sync_playwright

STARTS, STEPS = 5, 60
READY = "html[data-ready]"
PAINTED = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
STEP = f"""async () => {{
  const forward = document.querySelectorAll(".transport button")[3];
  const found = [];
  for (let i = 1; i <= {STEPS}; i += 1) {{
    const start = performance.now();
    forward.click();
    const script = performance.now() - start;
    while (!document.querySelector(".chip").textContent.includes(`t = ${{i}}:`)) await {PAINTED};
    await {PAINTED};
    found.push([performance.now() - start, script]);
  }}
  return found;
}}"""
DRAG = f"""async () => {{
  const handle = document.querySelector(".handle");
  const box = document.querySelector(".stage").getBoundingClientRect();
  handle.setPointerCapture = () => {{}};
  const send = (name, x, y) => handle.dispatchEvent(new PointerEvent(name, {{
    bubbles: true, pointerId: 1, pointerType: "touch", clientX: box.left + x, clientY: box.top + y }}));
  send("pointerdown", 100, 150);
  const found = [];
  for (let i = 0; i < {STEPS}; i += 1) {{
    const start = performance.now();
    send("pointermove", 100 + 2 * i, 150 + i);
    const script = performance.now() - start;
    await {PAINTED};
    while (document.documentElement.hasAttribute("data-busy")) await new Promise((done) => setTimeout(done, 0));
    await {PAINTED};
    found.push([performance.now() - start, script]);
  }}
  send("pointerup", 0, 0);
  return found;
}}"""


def main() -> None:
    """Measure, and print the table."""
    rows: list[tuple[str, list[float]]] = []
    printed: list[float] = []
    shown: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        for number in range(STARTS):
            begin = time.perf_counter()
            command = [sys.executable, "-m", "minidl", "lab", "--no-browser", "--port", "0"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                address = [process.stdout.readline() for _ in range(2)][1].strip()
                printed.append(1e3 * (time.perf_counter() - begin))
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                begin = time.perf_counter()
                page.goto(address)
                page.wait_for_selector(READY)
                shown.append(1e3 * (time.perf_counter() - begin))
                if number == STARTS - 1:
                    rows = used(page)
                page.close()
                process.terminate()
        browser.close()
    rows = [("address printed", printed), ("first view", shown), *rows]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n\n| ms | p50 | p95 |\n|---|---:|---:|")
    for name, values in rows:
        print(f"| {name} | {statistics.median(values):.1f} | {sorted(values)[int(0.95 * len(values))]:.1f} |")


def used(page: Any) -> list[tuple[str, list[float]]]:
    """Steps and drags: what each took until it was painted, and how long the page's own script held the click."""
    found = []
    for program, length in ((STEP, 200), (DRAG, 20)):
        page.goto(page.url.split("#")[0] + f"#predict=0&t=0&steps={length}&lane=1")
        page.reload()
        page.wait_for_selector(READY)
        found.append(page.evaluate(program))
    steps, drags = found
    return [
        ("a step: its script", [script for _, script in steps]),
        ("a step, with its ledger: painted", [whole for whole, _ in steps]),
        ("a drag: its script", [script for _, script in drags]),
        ("a drag, five paths of 20 steps: painted", [whole for whole, _ in drags]),
    ]


if __name__ == "__main__":
    main()
