"""On what machine, and when."""

import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np


def describe() -> dict[str, str | int]:
    """The processor, how many cores of it are ours, and the library behind NumPy's matrix products."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory": f"{_memory():.0f} GiB" if _memory() else "unknown",
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "blas": f"{blas['name']} {blas['version']}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }


def family(described: Mapping[str, Any]) -> str:
    """What a described machine's processor can do, "avx512" or "avx2": results are kept for each."""
    processor = str(described["processor"])
    return next((name for name in ("avx512", "avx2") if f"({name}" in processor), "other")


def _processor() -> str:
    """The processor's name, and whether it has AVX-512."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    widest = next((w for w in ("avx512f", "avx2") if w in named.get("flags", "").split()), "")
    return " ".join(filter(None, [named.get("model name", platform.processor()), widest and f"({widest})"]))


def _memory() -> float:
    """Gibibytes; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError):
        return 0.0
