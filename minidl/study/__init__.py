"""Studies: many trainings that are planned beforehand, carried out on any number of processes, and kept in one file.

``study.Study(folder, space=..., trials=, seeds=, train=function).run()``; the same program goes on with what is there.
This folder may be deleted: all else works without it.
"""

from .results import Best
from .space import Choice, LogUniform, Uniform
from .study import Study
from .table import Counts

__all__ = ["Best", "Choice", "Counts", "LogUniform", "Study", "Uniform"]
