"""The complete state of a training run as arrays and JSON values; and restoring it."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from ...backend import backend_of, restore_rng, rng_state
from ...data import Dataset
from ...data.transform import label
from ...errors import DataError
from ...hardware.threads import blas_threads
from ...optim.saving import mismatches as optimizer_mismatches
from ..callbacks import Callback, Run
from ..metrics import RunningMetrics

_ARRAY = "__array__"  # among the JSON values an array is {_ARRAY: its name}
_COUNTS = "epoch", "batch", "steps", "step"
_OTHERS = "epochs", "lr", "stopped", "straight", "transform_seed"
_METRICS = {"samples": "samples", "skipped": "skipped", "loss": "loss", "right": "correct"}  # a file's name: ours

Arrays = dict[str, np.ndarray]


def capture(run: Run, callbacks: Sequence[Callback], data: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """The state of `run` between two updates, for a checkpoint: its arrays by name, and JSON values.

    Weights and buffers are called "model." and the name that ``state_dict()`` gives them, the optimizer's flat vectors
    "optimizer.state." and theirs, the epoch's permutation "order". `data` is the `fingerprint` of the training data.
    """
    callback_states = {name: state for name, callback in _named(callbacks) if (state := callback.state_dict())}
    unfinished = run.epoch > len(run.history)
    arrays: Arrays = {}
    content = {
        "model": _split("model", run.model.state_dict(), arrays),
        "optimizer": _split("optimizer", run.optimizer.state_dict(), arrays),
        "callbacks": _split("callbacks", callback_states, arrays),
        "order": _split("order", run.order if unfinished else None, arrays),
        "run": {name: getattr(run, name) for name in (*_COUNTS, *_OTHERS)} | {"made": run.steps_by_engine},
        "tally": {key: _python_number(getattr(run.metrics, name)) for key, name in _METRICS.items()},
        "measures": {name: _python_number(total) for name, total in run.metrics.others.items()},
        "spread": [_python_number(number) for number in run.metrics.spread or ()],
        "history": run.history.rows,
        "rng": rng_state(),
        "description": repr(run.model),
        "data": data,
        "circumstances": circumstances(run),
    }
    return arrays, content


def mismatches(
    run: Run, callbacks: Sequence[Callback], data: dict[str, Any], arrays: Arrays, content: dict[str, Any]
) -> list[str]:
    """Why `run` cannot resume from the state that `capture` gave: every reason, in words; an empty list if it can.

    Raises `DataError` for a `content` that `capture` does not give.
    """
    _check(content)
    expected, found = run.model.state_dict(), _joined(content["model"], arrays)
    _check_order(_joined(content["order"], arrays), content["data"]["samples"])
    wrong = [
        f"{name}: expected {_shape(expected.get(name))}, found {_shape(found.get(name))}"
        for name in [*expected, *(name for name in found if name not in expected)]
        if _shape(expected.get(name)) != _shape(found.get(name))
    ]
    layers = repr(run.model)
    if not wrong and layers != content["description"] and " at 0x" not in layers:
        pairs = zip_longest(layers.splitlines(), content["description"].splitlines(), fillvalue="none")
        wrong += [f"the model: expected {a.strip()}, found {b.strip()}" for a, b in pairs if a != b]
    saved = _joined(content["optimizer"], arrays)
    wrong += [f"optimizer: {line}" for line in optimizer_mismatches(run.optimizer, saved)]
    if run.epochs < (done := len(content["history"])):
        wrong.append(f"epochs: {done} are done already, and only {run.epochs} asked for")
    if run.steps != (steps := content["run"]["steps"]):
        wrong.append(f"updates in an epoch: expected {run.steps}, found {steps} (another batch_size?)")
    if data != content["data"]:
        wrong.append(f"training data: expected {_data_summary(data)}, found {_data_summary(content['data'])}")
    stateful = [name for name, callback in _named(callbacks) if callback.overrides("state_dict")]
    missing = [name for name in content["callbacks"] if name not in stateful]
    if missing:
        wrong.append(f"callbacks with a memory: expected {', '.join(stateful) or 'none'}, found {', '.join(missing)}")
    return wrong


def restore(run: Run, callbacks: Sequence[Callback], arrays: Arrays, content: dict[str, Any]) -> None:
    """Restore `run`, its callbacks and the random streams to a state in which `mismatches` found nothing wrong."""
    for name, callback in _named(callbacks):
        if name in content["callbacks"]:
            callback.load_state_dict(_joined(content["callbacks"][name], arrays))
    restore_rng(content["rng"])
    run.optimizer.load_state_dict(_joined(content["optimizer"], arrays))
    run.model.load_state_dict(_joined(content["model"], arrays))
    run.epoch, run.batch, _, run.step = (content["run"][name] for name in _COUNTS)
    run.lr, run.stopped = content["run"]["lr"], content["run"]["stopped"]
    run.straight = bool(content["run"].get("straight", content["run"].get("sparse")))  # its older name
    run.steps_by_engine = Counter(content["run"].get("made", {}))
    run.order, run.transform_seed = _joined(content["order"], arrays), content["run"].get("transform_seed")
    run.metrics = RunningMetrics(run.measures)
    for key, name in _METRICS.items():
        setattr(run.metrics, name, content["tally"][key])
    run.metrics.others = content.get("measures", {})
    run.metrics.spread = tuple(content.get("spread", ())) or None
    run.history.rows[:] = content["history"]


def circumstances(run: Run) -> dict[str, Any]:
    """What may change the last bits of the results if it is different when the run resumes."""
    parameters = run.model.parameters()
    schedules = [
        f"{name}={value!r}"
        for group in getattr(run.optimizer, "groups", [])
        for name, value in group.items()
        if callable(value) and " at 0x" not in repr(value)
    ]
    return {
        "backend": backend_of(parameters[0].data) if parameters else None,
        "BLAS threads": blas_threads(),
        "NumPy": np.__version__,
        "schedules": ", ".join(schedules),
        "ranks": 1 if run.ranks is None else run.ranks.size,
    }


def fingerprint(data: Dataset) -> dict[str, Any]:
    """The number of samples, a SHA-256 over inputs, labels and any weights, and the name of the transform if any."""
    digest = hashlib.sha256(f"{data.inputs.dtype}{data.inputs.shape}{data.labels.dtype}".encode())
    for array in (data.inputs, data.labels, () if data.sample_weight is None else data.sample_weight):
        for start in range(0, len(array), 4096):
            digest.update(np.ascontiguousarray(array[start : start + 4096]).data)
    found = {"samples": len(data), "sha256": digest.hexdigest()}
    return found if data.transform is None else found | {"transform": label(data.transform)}


def _named(callbacks: Sequence[Callback]) -> Iterator[tuple[str, Callback]]:
    """Each callback with a unique name: its class's, and a number from the second of a class on."""
    seen = Counter[str]()
    for callback in callbacks:
        name = type(callback).__name__
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name}-{seen[name]}"), callback


def _split(name: str, value: Any, arrays: Arrays) -> Any:
    """`value` as JSON values: its arrays are moved to `arrays`, each under the path that leads to it."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {key: _split(f"{name}.{key}", item, arrays) for key, item in value.items()}
    return value


def _joined(value: Any, arrays: Arrays) -> Any:
    """The inverse of `_split`: `value` with its arrays put back."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {_ARRAY}:
        return arrays[value[_ARRAY]]
    return {key: _joined(item, arrays) for key, item in value.items()}


def _python_number(sum: Any) -> Any:
    """A sum of `RunningMetrics`, which may be on the GPU, as a Python number; None if it was not measured."""
    return sum.item() if hasattr(sum, "dtype") else sum


def _check(content: dict[str, Any]) -> None:
    """Raise `DataError` unless the parts of `content` have the types that `capture` gives them."""
    at, tally, rows = content["run"], content["tally"], content["history"]
    numbers = int, float
    good = (
        all(type(at[name]) is int and at[name] >= 0 for name in _COUNTS)
        and at["batch"] <= at["steps"]
        and type(rows) is list
        and all(type(row) is dict for row in rows)
        and at["epoch"] - len(rows) in (0, 1)
        and type(at["lr"]) in numbers
        and isinstance(at["stopped"], str | None)
        and (at.get("transform_seed") is None or (type(at["transform_seed"]) is int and at["transform_seed"] >= 0))
        and all(isinstance(at.get(name), bool | None) for name in ("straight", "sparse"))
        and all(type(count) is int for count in at.get("made", {}).values())
        and tally.keys() == _METRICS.keys()
        and all(sum is None or type(sum) in numbers for sum in tally.values())
        and all(type(sum) in numbers for sum in content.get("measures", {}).values())
        and len(content.get("spread", ())) in (0, 4)
        and all(type(number) in numbers for number in content.get("spread", ()))
        and all(type(content[name]) is dict for name in ("model", "optimizer", "callbacks", "rng", "data"))
        and type(content["circumstances"]) is dict
        and type(content["description"]) is str
    )
    if not good:
        raise DataError("its parts are not those of a checkpoint")


def _check_order(order: Any, samples: int) -> None:
    """Raise `DataError` unless `order` is None, or a vector of sample indices."""
    if order is not None:
        vector = isinstance(order, np.ndarray) and order.ndim == 1 and order.dtype.kind in "iu" and order.size
        if not vector or order.min() < 0 or order.max() >= samples:
            raise DataError("its order is not one of the samples")


def _shape(array: Any) -> str:
    return "none" if array is None else f"{array.dtype}{list(array.shape)}"


def _data_summary(data: Any) -> str:
    made = f" and transform {data['transform']}" if "transform" in data else ""
    return f"{data['samples']} samples with SHA-256 {str(data['sha256'])[:8]}{made}"
