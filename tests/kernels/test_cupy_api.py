"""What minidl and its stand-in take CuPy to have, it has: names and parameters, in the CuPy that is installed."""

import inspect

import pytest
from strict import CUPY

pytestmark = pytest.mark.nvrtc
cupy = pytest.importorskip("cupy", reason="needs CuPy: pip install 'minidl[cuda13]'")


def parameters(function):
    """The names of its parameters, stars included; None for what tells none."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return tuple(stars.get(p.kind, "") + p.name for p in found)


def found(name):
    place = cupy
    for part in name.split("."):
        place = getattr(place, part)
    return place


def test_every_name_of_the_stand_in_is_cupys_with_its_parameters():
    wrong = []
    for name, known in CUPY.items():
        there = parameters(found(name))
        if known is not None and there is not None and tuple(p for p in there if p != "self") != known:
            wrong.append((name, known, there))
    assert not wrong


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("cuda.Stream", {"non_blocking"}),
        ("cuda.Stream.begin_capture", set()),
        ("cuda.Stream.end_capture", set()),
        ("cuda.Stream.record", set()),
        ("cuda.Stream.wait_event", {"event"}),
        ("cuda.Graph.launch", set()),
        ("cuda.MemoryPool.malloc", {"size"}),
        ("cuda.using_allocator", {"allocator"}),
        ("cuda.get_current_stream", set()),
        ("cuda.runtime.getDeviceCount", set()),
        ("cuda.runtime.runtimeGetVersion", set()),
        ("cuda.runtime.memGetInfo", set()),
        ("_core._routines_linalg.set_compute_type", {"dtype", "compute_type"}),
        ("_core._routines_linalg.get_compute_type", {"dtype"}),
        ("RawKernel", {"code", "name", "options"}),
    ],
)
def test_what_a_captured_step_calls_is_there(name, used):
    there = parameters(found(name))
    assert there is None or used <= set(there) or any(p.startswith("*") for p in there)


def test_errors_are_caught_under_the_names_that_they_have():
    assert issubclass(cupy.cuda.runtime.CUDARuntimeError, RuntimeError)
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    assert hasattr(cupy._core._routines_linalg, "COMPUTE_TYPE_TF32")
    assert hasattr(cupy._core._routines_linalg, "COMPUTE_TYPE_DEFAULT")
