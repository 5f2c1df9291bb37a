"""A case of an op, for the registry (op_cases.py): how it is called, on arrays of which shapes, drawn from where."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


# --- what the arguments are drawn from, away from where a derivative jumps -------------------------------------------
def real(rng, shape):
    return rng.uniform(0.3, 2, shape) * rng.choice([-1, 1], shape)


def positive(rng, shape):
    return rng.uniform(0.5, 2, shape)


def unit(rng, shape):
    return rng.uniform(-0.8, 0.8, shape)


def distinct(rng, shape):
    return rng.permutation(math.prod(shape)).reshape(shape) * 0.37 - 1.1


# --- the registry ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Case:
    """`call(xp, *arrays)` with xp either minidl or NumPy; `shapes`: one tuple of shapes for each set of arguments."""

    name: str  # of the op; after a space, which variant of it
    call: Callable[..., Any]
    shapes: tuple[tuple[tuple[int, ...], ...], ...]
    domains: tuple[Callable[..., Any], ...] = (real,)

    @property
    def op(self):
        return self.name.partition(" ")[0]

    def draw(self, shapes):
        rng = np.random.default_rng(1)
        domains = itertools.chain(self.domains, itertools.repeat(self.domains[-1]))
        return [domain(rng, shape) for domain, shape in zip(domains, shapes, strict=False)]


ONE = (((2, 3),), ((),), ((0, 3),))
TWO = (((2, 3), (2, 3)), ((2, 1), (3,)), ((), (2, 2)), ((), ()), ((0, 3), (3,)))
CUBE = (((2, 3, 2),),)
