"""The callbacks of docs/interop.md for MLflow and Weights & Biases, with stand-ins for those packages.

A stand-in has the functions that the page calls, with the parameters that the packages document, and no others.
"""

import contextlib
import sys
from types import ModuleType

import pytest
from pages import BLOCKS

BLOCK = {b.mark.split()[3].rstrip(";"): b for b in BLOCKS if b.page == "docs/interop.md" and b.mark}
NUMBERS = {"epoch", "step", "lr", "loss", "accuracy", "seconds"}


class Tracked(ModuleType):
    """Both packages, as far as the page calls them; `points` has what was logged, by step."""

    def __init__(self, name):
        super().__init__(name)
        self.points, self.params, self.open, self.ended = {}, {}, False, False

    @contextlib.contextmanager
    def start_run(self):
        self.open = True
        yield self
        self.ended = True

    def log_params(self, params):
        self.params |= params

    def log_metrics(self, metrics, step=None):
        self.log({name: float(value) for name, value in metrics.items()}, step)

    def init(self, project=None):
        self.open, self.params = True, {"project": project}
        return self

    def log(self, data, step=None):
        assert self.open
        assert not self.ended
        self.points.setdefault(step, {}).update(data)

    def finish(self):
        self.ended = True


@pytest.mark.parametrize(("package", "params"), [("mlflow", {"optimizer", "lr"}), ("wandb", {"project"})])
def test_the_pages_callback_logs_each_epochs_numbers_once(package, params, monkeypatch, capsys):
    there = Tracked(package)
    monkeypatch.setitem(sys.modules, package, there)
    exec(BLOCK[package].code, {"__name__": "page"})
    assert list(there.points) == [8, 16]
    assert all(set(row) >= NUMBERS for row in there.points.values())
    assert there.points[16]["loss"] < there.points[8]["loss"]
    assert set(there.params) == params
    assert there.ended
