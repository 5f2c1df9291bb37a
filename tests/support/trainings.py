"""Train functions for studies, and a program that runs one of them: ``python trainings.py FOLDER NAME``."""

import ctypes
import os
import signal
import sys
import time

from minidl import study
from minidl.errors import NonFiniteError

SPACE = {"lr": study.LogUniform(1e-5, 1e-1)}
loads = []


def bowl(config, seed):
    """A loss that is least at 0.001, and other for each seed."""
    return {"loss": abs(config["lr"] - 0.001) * (1 + seed), "curve": [1.0, 0.5], "lr_used": config["lr"]}


def slow_bowl(config, seed):
    time.sleep(0.03)
    return bowl(config, seed)


def mixed(config, seed):
    """Raises, diverges in two ways, or goes well, as its rate is."""
    if config["lr"] > 0.01:
        raise ValueError("no such\nfile")
    if config["lr"] > 0.001:
        return {"loss": float("inf")}
    if config["lr"] > 0.0001:
        raise NonFiniteError("step 3: the loss is not finite")
    return {"loss": 1.0 + seed}


def kills_its_worker(config, seed):
    if config["lr"] > 0.05:
        os.kill(os.getpid(), signal.SIGKILL)
    return slow_bowl(config, seed)


def hangs(config, seed):
    if config["lr"] > 0.05:
        time.sleep(100)
    return bowl(config, seed)


def hangs_for_good(config, seed):
    """Deaf to signals, and Python waits for it."""
    if config["lr"] > 0.05:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        ctypes.PyDLL(None).sleep(100)
    return bowl(config, seed)


def whose(config, seed):
    """Which process this is, how many threads it has for its arithmetic, and how many trials it has seen."""
    from minidl.hardware.thread_limit import limit
    from minidl.hardware.threads import blas_threads

    loads.append(seed)
    return {"pid": os.getpid(), "limit": limit(), "blas": blas_threads(), "seen": len(loads)}


def no_dict(config, seed):
    return 1.0


if __name__ == "__main__":
    folder, name = sys.argv[1:]
    trained = study.Study(folder, space=SPACE, trials=60, seeds=2, train=globals()[name])
    print(trained.run(workers=2, progress=False), flush=True)
