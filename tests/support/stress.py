"""Trainings beside one another, forks and signals at any moment: ``python tests/support/stress.py --rounds 200``.

Each part prints what it counted and exits with 1 if anything was wrong, hung or crashed. tests/system/test_stress.py runs a
share of it.

- `threads`: two trainings, predictions, an evaluation and compiled steps at the same time, in threads; made eagerly, by
  NumPy's replay and by machine code. All but the plain predictions have to give the very bits that they give alone.
- `forks`: processes forked from a training's callbacks, which evaluate and train; all have to end, with the right numbers.
- `signals`: Ctrl-C twice, at random moments: no hang, the last checkpoint is whole, and nothing is left behind.
"""

import argparse
import contextlib
import faulthandler
import functools
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

import minidl
from minidl import nn, optim, train
from minidl.data import Dataset, Loader
from minidl.hardware import threads
from minidl.train.saving.archive import read_archive

LIMIT = 120  # seconds after which a round hangs


def digits(count, seed):
    """Pictures like digits: mostly zeros, and learnable."""
    rng = np.random.default_rng(seed)
    inputs = (rng.random((count, 784)) < 0.2) * rng.integers(60, 256, (count, 784))
    labels = rng.integers(0, 10, count)
    inputs[:, :10] = 0
    inputs[np.arange(count), labels] = 255
    return Dataset(inputs.astype(np.uint8), labels, classes="0123456789")


def network(seed, hidden=512):
    """A model whose first numbers depend on `seed` alone, and on no stream that threads share."""
    model = nn.Sequential(nn.Dense(784, hidden), nn.BatchNorm(hidden), nn.ReLU(), nn.Dropout(0.1), nn.Dense(hidden, 10))
    rng = np.random.default_rng(seed)
    for p in model.parameters():
        p.data = rng.normal(0, 0.05, p.shape).astype(np.float32)
    return model


def fitted(seed, count, compile):
    """All that a training leaves: losses and weights."""
    model = network(seed)
    history = train.fit(
        model, Loader(digits(count, seed), 128), optimizer=optim.Adam(model.parameters()), epochs=4, progress=False,
        compile=compile, guards=False,
    )  # fmt: skip
    weights = hashlib.sha256(b"".join(p.data.tobytes() for p in model.parameters()))
    return [row["loss"] for row in history.rows], weights.hexdigest()


def evaluated():
    return train.evaluate(network(7), digits(1000, 7))


def stepped():
    """The losses of compiled steps of one's own."""
    model, batch = network(8), digits(128, 8)
    model.layers[3].rate = 0.0  # no masks: their stream is shared
    step = minidl.compile(model, nn.softmax_cross_entropy, optim.Adam(model.parameters()))
    x = batch.inputs.astype(np.float32) / 255
    return [float(step(x, batch.labels)) for _ in range(8)]


def predicted(model, x):
    with minidl.no_grad():
        return model(x).numpy().copy()


def side_by_side(*calls):
    """What these return, called at once in threads of their own; an exception is a result, too; None for a hang."""
    results = [None] * len(calls)
    begin = threading.Barrier(len(calls))

    def run(i):
        begin.wait()
        try:
            results[i] = calls[i]()
        except BaseException as error:
            results[i] = error

    workers = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(calls))]
    for worker in workers:
        worker.start()
    until = time.monotonic() + LIMIT
    for worker in workers:
        worker.join(max(until - time.monotonic(), 0.1))
    return results


def stress_threads(rounds, seed):
    """Rounds of everything at once; returns how many results were wrong, and how many did not come."""
    from minidl.train.engines.compiled import Compiled

    original, wrong, hung = Compiled._native, 0, 0
    sizes = 640, 1900
    other = network(9).eval()
    x = np.random.default_rng(0).random((256, 784), np.float32)
    for mode in ("eager", "replay", "machine code"):
        Compiled._native = original if mode == "machine code" else lambda self, block, apart: None
        compile = False if mode == "eager" else None
        calls = [functools.partial(fitted, i, size, compile) for i, size in enumerate(sizes)]
        calls += [evaluated, stepped]
        alone = []
        for call in calls:
            minidl.seed(seed)
            alone.append(call())
        want = predicted(other, x)

        def predict(want=want):
            return max(float(np.abs(predicted(other, x) - want).max()) for _ in range(30))

        before = threads.blas_threads()
        for _ in range(-(-rounds // 3)):
            minidl.seed(seed)
            *results, error = side_by_side(*calls, predict)
            wrong += sum(
                found is not None and not same(found, right) for found, right in zip(results, alone, strict=True)
            )
            wrong += error is not None and error != 0.0
            hung += sum(found is None for found in (*results, error))
            wrong += threads.blas_threads() != before
        Compiled._native = original
    return wrong, hung


def same(found, right):
    return not isinstance(found, BaseException) and found == right


def child(what, queue):
    """What a forked process does."""
    queue.put(evaluated() if what == "evaluate" else fitted(0, 640, None) if what == "fit" else stepped())


def stress_forks(count):
    """Forks from within a training; returns how many gave a wrong number, and how many never ended."""
    right = {}
    for what, call in (("evaluate", evaluated), ("fit", lambda: fitted(0, 640, None)), ("step", stepped)):
        minidl.seed(0)
        right[what] = call()
    minidl.seed(0)
    context = multiprocessing.get_context("fork")
    counts = {"made": 0, "wrong": 0, "hung": 0}

    def fork(run):
        if counts["made"] >= count:
            run.stop("enough")
            return
        counts["made"] += 1
        what = ("evaluate", "fit", "step")[counts["made"] % 3]
        queue = context.SimpleQueue()
        process = context.Process(target=seeded_child, args=(what, queue))
        with warnings.catch_warnings():  # from 3.12 on Python warns of a fork beside a thread
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            process.start()
        process.join(LIMIT)
        if process.is_alive():
            counts["hung"] += 1
            process.kill()
        elif process.exitcode or queue.empty() or queue.get() != right[what]:
            counts["wrong"] += 1

    class Forks(train.Callback):
        def interval(self, run):
            return 3

        def on_pause(self, run):
            fork(run)

        def on_gradients(self, run):
            if run.step % 7 == 0:
                fork(run)

    for watcher in ([fork], [Forks()]):
        half = count // 2 if watcher[0] is fork else count
        while counts["made"] < half:
            model = network(1)
            train.fit(model, Loader(digits(1280, 1), 128), optimizer=optim.Adam(model.parameters()), epochs=4,
                      progress=False, callbacks=watcher, guards=False)  # fmt: skip
    return counts["wrong"], counts["hung"]


def seeded_child(what, queue):
    minidl.seed(0)
    child(what, queue)


def stress_signals(count, seed):
    """Ctrl-C twice within a training; returns how often something was wrong afterwards. A hang ends the process."""
    rng, wrong, raised = random.Random(seed), 0, 0
    folder = Path(tempfile.mkdtemp())
    handler, before = signal.getsignal(signal.SIGINT), threads.blas_threads()
    minidl.seed(0)
    reference = fitted(0, 640, None)

    def twice(delay, gap):
        for wait in (delay, gap):
            time.sleep(wait)
            os.kill(os.getpid(), signal.SIGINT)

    for number in range(count):
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        run = folder / str(number)
        delay, gap = rng.uniform(0, 0.3), rng.choice([0, rng.uniform(0, 0.002), rng.uniform(0, 0.05)])
        sender = threading.Thread(target=twice, args=(delay, gap))
        checkpoint = run if number % 2 else None
        try:
            sender.start()
            model = network(number)
            train.fit(model, Loader(digits(1280, 1), 128), optimizer=optim.Adam(model.parameters()), epochs=1000,
                      progress=False, checkpoint=checkpoint, guards=False, compile=(None, False)[number % 3 == 2],
                      callbacks=[train.Callback()])  # fmt: skip
        except KeyboardInterrupt:
            raised += 1
        while sender.is_alive():  # the second may come only now
            with contextlib.suppress(KeyboardInterrupt):
                sender.join()
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(0.001)
        if checkpoint is not None and (run / "latest.safetensors").exists():
            read_archive(run / "latest.safetensors", "run")
        assistants = sum(t.name == "minidl-assistant" for t in threading.enumerate())
        state = signal.getsignal(signal.SIGINT) is handler, threads.blas_threads() == before, assistants <= 1
        wrong += not all(state)
        if not all(state):
            print(f"signals: after number {number}: handler, BLAS threads, one assistant at most: {state}", flush=True)
        shutil.rmtree(run, ignore_errors=True)
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    minidl.seed(0)
    wrong += fitted(0, 640, None) != reference
    wrong += raised != count
    faulthandler.cancel_dump_traceback_later()
    return wrong, 0


PARTS = {
    "threads": lambda o: stress_threads(o.rounds, o.seed),
    "forks": lambda o: stress_forks(o.forks),
    "signals": lambda o: stress_signals(o.signals, o.seed),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)}; all, if none is named")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--forks", type=int, default=100)
    parser.add_argument("--signals", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    code = 0
    for part in options.parts or PARTS:
        start = time.perf_counter()
        wrong, hung = PARTS[part](options)
        count = {"threads": options.rounds, "forks": options.forks, "signals": options.signals}[part]
        print(f"{part}: {count} rounds: {wrong} wrong, {hung} hung ({time.perf_counter() - start:.0f} s)", flush=True)
        code |= wrong > 0 or hung > 0
    return code


if __name__ == "__main__":
    sys.exit(main())
