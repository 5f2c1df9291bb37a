"""Programs in several processes, by the mpiexec of the extra mpi."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) if find_spec("mpi4py") else None


def ranks(count, script, *arguments, **options):
    """What so many ranks of a script in this folder have printed, their exit status, and whether all went well."""
    command = [MPIEXEC, "-n", str(count), sys.executable, str(HERE / script), *map(str, arguments)]
    path = {"PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parents[1]), os.environ.get("PYTHONPATH")]))}
    # A rank that hangs after all shall not hang the tests: mpiexec ends what it has started.
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **path},
        stdin=subprocess.DEVNULL,
        **options,
    )
