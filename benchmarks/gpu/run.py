"""The parts of ``bash benchmarks/on_gpu.sh``: each a process of its own, with a time limit, one after the other.

A part that fails is noted, and the next one begins; a part that would begin after the last minute is left out. What
each printed goes to OUT/on_gpu.log; how it ended, and what it measured, to OUT/on_gpu.json, after each part.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

ROOT = Path(__file__).parents[2]
WORKERS = str(min(12, os.cpu_count() or 1))  # each compiles kernels, which takes cores, not the GPU
PYTEST = (
    *("-m", "pytest", "-q", "--tb=short", "-W", "default"),
    *("-p", "no:cacheprovider", "-p", "no:benchmark", "--maxfail=20"),
)


@dataclass
class Part:
    """A part: arguments of Python, after how many seconds it is ended, and who else runs meanwhile."""

    name: str
    arguments: tuple[str, ...]
    seconds: int
    beside: bool = False  # begin it, and go on with the next one
    process: Any = field(default=None, repr=False)
    began: float = 0.0


def group(name: str, *arguments: str, seconds: int, workers: str = WORKERS, beside: bool = False) -> Part:
    """Some of tests/gpu, stopped after 20 failures."""
    return Part(f"tests: {name}", (*PYTEST, "-n", workers, *arguments), seconds, beside)


def parts(cpu: bool, only: tuple[str, ...]) -> list[Part]:
    """All parts, from the most basic up; on the CPU as much of them as there is."""
    device = ("--cpu",) if cpu else ()
    checks = "-m", "benchmarks.gpu.checks", *device
    steps = "-m", "benchmarks.gpu.steps", *device
    training = "tests/gpu/test_gpu_training.py"
    found = [
        Part("versions", (*checks, "versions"), 20),
        Part("first", (*checks, "first"), 60),
        group("ops", "tests/gpu/test_gpu_ops.py", seconds=120, beside=not cpu),
        group("kernels, rules, batches", "tests/gpu/test_gpu_kernels.py", "tests/gpu/test_gpu_loader.py", seconds=90),
        group("training, checkpoints, graphs", training, "-k", "not out_of_memory", seconds=90, workers="4"),
        group("memory that runs out", training, "-k", "out_of_memory", seconds=30, workers="0"),
        Part("profile", (*checks, "profile"), 45),
        Part("curves", (*checks, "curves"), 45),
        Part("mnist", (*checks, "mnist"), 45),
        Part("cold", (*checks, "cold"), 45),
        Part("steps", steps, 210),
        Part("memory", (*checks, "memory"), 30),
    ]
    return [part for part in found if not only or any(word in part.name for word in only)]


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--cpu", is_flag=True, help="Where there is no GPU: to try the script, not to measure.")
@click.option("--minutes", default=5.0, show_default=True, help="After these no further part is begun.")
@click.option("--only", multiple=True, help="Only parts with this in their name; may be given again.")
def main(out: Path, cpu: bool, minutes: float, only: tuple[str, ...]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d %H:%M"), "command": sys.argv[1:], "parts": {}}
    with TemporaryDirectory() as folder, (out / "on_gpu.log").open("a") as log:
        beside: list[Part] = []
        results = Path(folder)
        for part in parts(cpu, only):
            elapsed = time.perf_counter() - start
            if elapsed > 60 * minutes:
                found["parts"][part.name] = {"left_out": f"after {elapsed:.0f} s"}
            else:
                begin(part, results)
                beside += [part] if part.beside else []
                if not part.beside:
                    end(part, results, found, log)
            for other in [other for other in beside if other.process.poll() is not None or part.name == "curves"]:
                beside.remove(other)
                end(other, results, found, log)
            (out / "on_gpu.json").write_text(json.dumps(found, indent=1) + "\n")
        for other in beside:
            end(other, results, found, log)
        found["seconds"] = round(time.perf_counter() - start, 1)
        (out / "on_gpu.json").write_text(json.dumps(found, indent=1) + "\n")
    failed = [name for name, part in found["parts"].items() if part.get("exit") not in (0, 5)]  # 5: nothing collected
    print(f"{found['seconds']} s; " + (f"failed: {', '.join(failed)}" if failed else "every part has succeeded"))
    sys.exit(bool(failed))


def begin(part: Part, results: Path) -> None:
    """Start its process; what it prints goes to a file."""
    part.began = time.perf_counter()
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "RESULT": str(results / f"{part.name}.json")}
    with (results / f"{part.name}.log").open("w") as output:
        part.process = subprocess.Popen(
            [sys.executable, *part.arguments],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def end(part: Part, results: Path, found: dict[str, Any], log: Any) -> None:
    """Wait for its end, or bring it about; log what it printed, and note what came of it."""
    left = part.began + part.seconds - time.perf_counter()
    try:
        code: int | str = part.process.wait(max(left, 0.1))
    except subprocess.TimeoutExpired:
        os.killpg(part.process.pid, signal.SIGKILL)
        part.process.wait()
        code = f"ended after {part.seconds} s"
    seconds = round(time.perf_counter() - part.began, 1)
    printed = (results / f"{part.name}.log").read_text(errors="replace")
    log.write(f"===== {part.name}: exit {code}, {seconds} s\n{printed}\n")
    log.flush()
    last = printed.strip().splitlines()[-1:] or [""]
    print(f"{part.name}: exit {code}, {seconds} s: {last[0]}", flush=True)
    outcome = found["parts"][part.name] = {"exit": code, "seconds": seconds, "last_line": last[0]}
    result = results / f"{part.name}.json"
    if result.exists():
        outcome["found"] = json.loads(result.read_text())


if __name__ == "__main__":
    main()
