"""A training one of whose ranks does what it should not at step 20: ``rank_failures.py WHAT FOLDER [RANK]``.

Behind it, or with "nothing" as WHAT, it goes on in the same folder, and leaves its weights there.
"""

import os
import signal
import sys

import numpy as np
from rank_cases import dense, samples

import minidl
from minidl import optim, parallel
from minidl.train import Callback, Checkpoint, fit

what, folder, *which = sys.argv[1:]
culprit = int(which[0]) if which else 1
ranks = parallel.world(deadline=1 if what == "hangs" else 20)
data = samples(count=2000)
if ranks.rank == culprit:
    if what == "other data":
        data.inputs[7, 3] += 1
    if what == "fails early":
        raise FileNotFoundError("no such data here")


class Misbehaves(Callback):
    def on_step(self, run):
        if run.step != 20 or ranks.rank != culprit:
            return
        if what == "raises":
            raise ValueError("a mistake in a callback")
        if what == "exits":
            sys.exit(3)
        if what == "vanishes":
            os._exit(0)
        if what in ("SIGKILL", "SIGTERM", "SIGINT"):
            os.kill(os.getpid(), getattr(signal, what))
        if what == "hangs":
            os.kill(os.getpid(), signal.SIGSTOP)
        if what == "drifts":
            run.optimizer.parameters[0].data[0, 0] += np.float32(1e-3)


minidl.seed(ranks.rank if what == "other seed" else 0)
model = dense(minidl.nn.Dropout(0.3))
if what == "bad data":
    data.inputs[1234, 2] = np.inf
if ranks.rank and what == "other model":
    model = dense(minidl.nn.BatchNorm(16))
fit(
    model,
    data,
    optimizer=optim.SGD(model.parameters()),
    epochs=3,
    batch_size=50,
    progress=False,
    guards=False,
    callbacks=[Misbehaves()],
    checkpoint=Checkpoint(folder, "10 steps"),
    resume=what == "nothing",
    parallel=ranks,
)
if ranks.rank == 0:
    np.savez(f"{folder}/weights.npz", **model.state_dict())
