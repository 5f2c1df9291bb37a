"""What runs in a contender's process: python -m benchmarks.worker SECTION REQUEST prints one line of JSON.

SECTION is a file of sections/, whose `work` answers the request, or "versions".
"""

import json
import sys
from importlib import import_module, metadata
from platform import python_version
from typing import Any


def versions(request: dict[str, Any]) -> dict[str, Any]:
    """The versions of the packages asked for; fails if one is not there, or does not work."""
    for package in request["packages"]:
        if package != "scikit-learn":
            import_module(package)
    import_module(f"benchmarks.contenders.{request['module']}")
    names = dict.fromkeys([*request["packages"], "numpy"])
    return {"versions": {"python": python_version()} | {name: metadata.version(name) for name in names}}


def main() -> None:
    section, request = sys.argv[1], json.loads(sys.argv[2])
    if request["without"]:
        sys.modules[request["without"]] = None  # type: ignore[assignment]  # importing it fails, as if it were not there
    work = versions if section == "versions" else import_module(f"benchmarks.sections.{section}").work
    print(json.dumps(work(request)))


if __name__ == "__main__":
    main()
