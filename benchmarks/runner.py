"""Runs each contender in a process of its own, in its own environment."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .contenders import CONTENDERS, Contender
from .workloads import Samples

ROOT = Path(__file__).parent.parent
LONGEST = 900  # seconds that one process may take


@dataclass
class Bench:
    """One benchmark run: who takes part, how often, and where the files lie that the processes share.

    `peers` is the folder of the environments that peers.sh makes, or a single one that holds all the other
    frameworks. minidl falls back on the interpreter that runs the benchmark.
    """

    folder: Path
    rounds: int
    smoke: bool
    peers: Path
    only: Sequence[str] = ()
    contenders: list[Contender] = field(default_factory=list)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def muster(self) -> None:
        """Find out who is there: fills `contenders`, `versions` and `missing`."""
        for contender in CONTENDERS:
            if self.only and contender.name not in self.only:
                continue
            found = self.run(contender, "versions", packages=contender.packages)
            if "error" in found:
                self.missing[contender.name] = found["error"]
            else:
                self.contenders.append(contender)
                self.versions[contender.name] = found["versions"]

    def in_turn(self, section: str) -> Iterator[tuple[int, Contender]]:
        """Round by round, everyone who takes part in `section`."""
        for number in range(self.rounds):
            for contender in self.contenders:
                if number < contender.rounds and section in contender.sections:
                    yield number, contender

    def python(self, environment: str) -> str:
        """The interpreter of an environment."""
        own = self.peers / environment / "bin" / "python"
        if own.exists():
            return str(own)
        return sys.executable if environment.startswith("minidl") else str(self.peers / "bin" / "python")

    def run(self, contender: Contender, section: str, caches: Path | None = None, **request: Any) -> dict[str, Any]:
        """What the worker says, with the "seconds" from start to exit; {"error": why} if it fails."""
        request |= {"module": contender.module, "without": contender.without, "folder": str(self.folder)}
        command = [self.python(contender.environment), "-m", "benchmarks.worker", section, json.dumps(request)]
        found = self.time(command, contender, caches)
        told = found["error"] if "error" in found else f"{found['seconds']:.1f} s"
        print(f"  {section}: {contender.name}: {told}", file=sys.stderr, flush=True)
        return found

    def time(self, command: list[str], contender: Contender | None, caches: Path | None = None) -> dict[str, Any]:
        """Run a command in a contender's settings, with its compilers' caches in `caches`; see `run`."""
        ours = "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"  # installed packages come with their bytecode
        inherited = {n: v for n, v in os.environ.items() if not n.endswith("_NUM_THREADS") and n not in ours}
        environment = inherited | _settings(command[0], caches or self.folder / "caches")
        environment |= dict(contender.settings) if contender else {}
        start = time.perf_counter()
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
            )
        except FileNotFoundError:
            return {"error": "not installed (bash benchmarks/peers.sh)"}
        except subprocess.TimeoutExpired:
            return {"error": f"took longer than {LONGEST} s"}
        seconds = time.perf_counter() - start
        if done.returncode:
            return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        lines = done.stdout.splitlines()
        return {**(json.loads(lines[-1]) if lines else {}), "seconds": seconds}


def _settings(python: str, caches: Path) -> dict[str, str]:
    """The environment variables of every process: compilers keep what they made in `caches`; no GPU."""
    return {
        "PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "XDG_CACHE_HOME": str(caches),
        "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
        "JAX_COMPILATION_CACHE_DIR": str(caches / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "DEV": "CPU",  # tinygrad's
    }


def share_samples(folder: Path, train: Samples, test: Samples) -> None:
    """Put the samples where every process reads them."""
    for name, samples in {"train": train, "test": test}.items():
        np.save(folder / f"{name}-images.npy", samples.images)
        np.save(folder / f"{name}-labels.npy", samples.labels)


def shared_samples(folder: Path, name: str, count: int | None = None) -> Samples:
    """The first `count` samples of "train" or "test", in memory of their own."""
    parts = (np.load(folder / f"{name}-{part}.npy", mmap_mode="r")[:count] for part in ("images", "labels"))
    return Samples(*(np.array(part) for part in parts))
