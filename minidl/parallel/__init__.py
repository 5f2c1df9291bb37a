"""One model trained by several processes, its *ranks*, over MPI: ``fit(..., parallel=minidl.parallel.world())``.

Each rank has the whole model, and computes its share of every batch; the gradients' sum is the same in all. This folder
may be deleted: all else works without it.
"""

from .communicator import Alone, Communicator
from .world import world

__all__ = ["Alone", "Communicator", "world"]
