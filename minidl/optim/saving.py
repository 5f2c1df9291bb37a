"""An optimizer's state, out and in again: what `Optimizer.state_dict` and `load_state_dict` do."""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import array_module, to_numpy
from ..errors import MinidlError, StateError
from .hyperparameters import LR, Choice, check_eps

if TYPE_CHECKING:
    from .optimizer import Optimizer


def saved(optimizer: "Optimizer") -> dict[str, Any]:
    """Do what `Optimizer.state_dict` promises."""
    groups = []
    for group in optimizer.groups:
        settings = {name: _storable(value) for name, value in group.items() if name != "params"}
        if settings["ema"] is None:  # as in the states of versions that had no averages
            del settings["ema"]
        groups.append({"shapes": [list(p.data.shape) for p in group["params"]], **settings})
    state = {name: np.array(to_numpy(vector)) for name, vector in optimizer.vectors.state.items()}
    return {"rule": optimizer.rule.__name__, "t": optimizer.t, "groups": groups, "state": state}


def restore(optimizer: "Optimizer", given: Any) -> None:
    """Do what `Optimizer.load_state_dict` promises."""
    wrong = mismatches(optimizer, given)
    if wrong:
        raise StateError(f"{type(optimizer).__name__}: this state does not fit:\n" + "\n".join(f"- {w}" for w in wrong))
    optimizer.t = given["t"]
    for group, settings in zip(optimizer.groups, given["groups"], strict=True):
        for name, value in settings.items():
            if isinstance(value, dict):
                group[name].load_state_dict(value)
            elif name != "shapes" and not callable(group[name]):
                group[name] = value
    for name, vector in optimizer.vectors.state.items():
        vector[...] = array_module(vector).asarray(given["state"][name])


def _storable(value: Any) -> Any:
    """A number or an option as it is; for a schedule its memory, or None if it has none."""
    if not callable(value):
        return value
    return value.state_dict() if hasattr(value, "state_dict") else None


def mismatches(optimizer: "Optimizer", given: Any) -> list[str]:
    """Every reason not to load `given`, in words."""
    here = saved(optimizer)
    if not isinstance(given, dict) or given.keys() != here.keys():
        got = list(given) if isinstance(given, dict) else type(given).__name__
        return [f"it should be a dict of {list(here)}, but is {got}"]
    groups, state = given["groups"], given["state"]
    if not (isinstance(groups, list) and all(isinstance(group, dict) for group in groups) and isinstance(state, dict)):
        return ["its groups should be a list of dicts, and its state a dict of vectors"]
    wrong = []
    if given["rule"] != here["rule"]:
        wrong.append(f"it is the state of {given['rule']}, not of {here['rule']}")
    if type(given["t"]) is not int or given["t"] < 0:
        wrong.append(f"t is {given['t']!r}, which is no number of updates")
    if len(given["groups"]) != len(here["groups"]):
        wrong.append(f"it has {len(given['groups'])} groups, this optimizer {len(here['groups'])}")
    for i, (theirs, ours) in enumerate(zip(given["groups"], here["groups"], strict=False)):
        if theirs.keys() != ours.keys():
            wrong.append(f"group {i} has {list(theirs)}, here {list(ours)}")
            continue
        if theirs["shapes"] != ours["shapes"]:
            wrong.append(f"group {i}: its parameters have shapes {theirs['shapes']}, here {ours['shapes']}")
        for name, value in theirs.items():
            if name != "shapes":
                reason = _unfit(optimizer, name, optimizer.groups[i][name], value)
                wrong += [f"group {i}: {reason}"] if reason else []
    for name in sorted(given["state"].keys() | here["state"].keys()):
        theirs, ours = (_described(side["state"].get(name)) for side in (given, here))
        if theirs != ours:
            wrong.append(f"state {name!r}: saved {theirs}, here {ours}")
    return wrong


def _unfit(optimizer: "Optimizer", name: str, current: Any, value: Any) -> str | None:
    """Why `value`, as saved, cannot take the place of a group's `current` value of `name`; None if it can."""
    allowed = LR if name == "lr" else optimizer.rule.hyperparameters[name]
    if isinstance(allowed, Choice):
        return None if value == current else f"{name} was {value!r}, here it is {current!r}"
    scheduled = isinstance(value, dict) or (value is None and current is not None)
    if callable(current) != scheduled:
        was = "a schedule (or None)" if scheduled else f"{value!r}"
        return f"{name} was {was} when saved, here it is {current!r}: make the optimizer as it was made then"
    try:
        if isinstance(value, dict):  # tried out on a copy: nothing may change before all of it fits
            copy.copy(current).load_state_dict(value)
        elif not callable(current):
            number = allowed.checked(optimizer.rule.__name__, name, value)
            check_eps(
                optimizer.rule.__name__, number if name == "eps" else None, optimizer.vectors.parameters[0].data.dtype
            )
    except (MinidlError, AttributeError) as error:
        return str(error)
    return None


def _described(vector: Any) -> str:
    if vector is None:
        return "nothing"
    return f"{vector.dtype}{list(vector.shape)}" if hasattr(vector, "dtype") else f"a {type(vector).__name__}"
