"""A real Slurm of one node, this machine: Debian's slurm-wlm and munge, in a folder of its own, for as long as a block."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

PARTS = "munged", "slurmctld", "slurmd", "srun", "sinfo"
CONFIGURATION = """
ClusterName=one
FirstJobId={job}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=pmi2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:2
"""


def missing():
    """Why there can be no Slurm here; None if there can."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    absent = [name for name in PARTS if shutil.which(name, path=path) is None]
    if absent:
        return f"no Slurm is installed (Debian: slurm-wlm and munge): {', '.join(absent)}"
    return None if os.geteuid() == 0 else "only root can start a Slurm"


@contextmanager
def one_node_slurm(folder):
    """Start one in `folder`; yields the environment in which srun and sbatch find it."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    configuration = folder / "slurm.conf"
    host, ports = socket.gethostname(), [_free_port(), _free_port()]
    configuration.write_text(
        CONFIGURATION.format(
            host=host,
            folder=folder,
            cores=os.cpu_count(),
            controller=ports[0],
            daemon=ports[1],
            job=random.randrange(10_000, 60_000_000),  # MPI's shared memory is named by it, and outlives a killed rank
        )
    )
    environment = {**os.environ, "SLURM_CONF": str(configuration), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    munge = [f"--socket={folder}/munge.socket", f"--key-file={key}", f"--pid-file={folder}/munge.pid"]
    munge += [f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed", "--force", "--foreground"]
    commands = [["munged", *munge], ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]]
    running = []
    try:
        for command in commands:
            running.append(
                subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            time.sleep(0.5)
        _wait_until_idle(environment, folder)
        yield environment
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
        for process in reversed(running):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_until_idle(environment, folder):
    until = time.monotonic() + 30
    while True:
        done = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        if time.monotonic() > until:
            logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("*.log"))
            raise RuntimeError(f"Slurm has not come up: {done.stdout}{done.stderr}\n{logs}")
        time.sleep(0.2)
