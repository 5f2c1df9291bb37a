"""Which processor this is."""

import platform
from pathlib import Path


def cpuinfo() -> dict[str, str]:
    """The fields of /proc/cpuinfo; none on another system."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def processor() -> str:
    """Its name, as far as it is known."""
    return cpuinfo().get("model name") or platform.processor() or platform.machine()
