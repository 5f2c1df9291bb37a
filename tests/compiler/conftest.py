"""The ways to make a training's steps, machine code among them, with what it needs compiled beforehand."""

import pytest
from own_loops import RULES, chooser

from minidl import nn
from minidl.data import mnist
from minidl.train.engines.compiled import Compiled


@pytest.fixture(params=["machine code", "replay", "eager"])
def engine(request, monkeypatch, machine_code):
    """Each way to make a step; the options of `fit` that ask for it."""
    if request.param == "machine code":
        monkeypatch.setattr(Compiled, "_worth_loading", lambda self, bound: True)
    else:
        monkeypatch.setattr(Compiled, "_native", lambda self, block, apart: None)
    return request.param, {"compile": False} if request.param == "eager" else {}


@pytest.fixture
def warm(monkeypatch, machine_code):
    """Machine code for however short a run."""
    monkeypatch.setattr(Compiled, "_worth_loading", lambda self, bound: True)


@pytest.fixture
def at_once(monkeypatch, machine_code):
    """Machine code in loops of one's own too, from the first step on that is not recorded."""
    monkeypatch.setattr("minidl.compiler.native.cache.worth.LOADING", 0.0)


@pytest.fixture(scope="session")
def every_rule():
    """The machine code of every rule, in the cache."""
    pytest.importorskip("numba")
    from minidl.compiler.native.cache.background import compile_now
    from minidl.compiler.native.executor import needed

    for rule in RULES:
        compile_now(needed(rule(nn.Dense(2, 2).parameters())))


@pytest.fixture
def choose(monkeypatch, every_rule):
    """A function that lets an own loop be made with machine code, or without."""
    return chooser(monkeypatch)


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:600]
