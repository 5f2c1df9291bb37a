"""`fit` trains any model and loss by recorded steps, and says so where it cannot."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import OptionError
from minidl.train import fit
from tests.support.drawn_models import WIDTH, huber


class Scaled(nn.Module):
    def __init__(self):
        self.dense, self.scale = nn.Dense(WIDTH, WIDTH), 1.0

    def forward(self, x):
        return self.dense(x) * self.scale


class Looking(Scaled):
    def forward(self, x):
        y = super().forward(x)
        return y * 2 if float(y.sum()) > 0 else y


def to_the_class_number(output, y):
    """A regression, as of ages or of stars."""
    return huber(output, y.astype(np.float32)[:, None])


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return Dataset(rng.standard_normal((2000, WIDTH)).astype("f"), rng.integers(0, 5, 2000))


def test_fit_trains_regressions_and_losses_of_ones_own_by_recorded_steps(points):
    found = []
    for compiled in (True, False):
        minidl.seed(1)
        model = Scaled()
        optimizer = optim.Adam(model.parameters())
        history = fit(model, Loader(points, 32), optimizer=optimizer, loss=to_the_class_number, epochs=3,
                      progress=False, compile=compiled)  # fmt: skip
        found.append((history["loss"], {name: a.tobytes() for name, a in model.state_dict().items()}))
        if compiled:
            assert history.reason is None
            assert history.rows[-1]["engine"] in ("replay", "machine code")
    assert found[0] == found[1]


def test_fit_records_no_steps_unasked_and_refuses_if_it_cannot_record_them(points):
    """A loss of one's own may do what nobody sees: it is called in every step, unless the user says otherwise."""
    calls = []

    def told(output, y):
        calls.append(1)
        return to_the_class_number(output, y)

    options = {"epochs": 2, "progress": False, "guards": False}
    model = Scaled()
    history = fit(model, Loader(points, 16), optimizer=optim.SGD(model.parameters()), loss=told, **options)
    assert len(calls) == 2 * 125
    assert "told" in history.reason
    model = Looking()
    with pytest.raises(OptionError, match=r"compile=True: its numbers are read or written in Python"):
        fit(model, Loader(points, 16), optimizer=optim.SGD(model.parameters()), loss=to_the_class_number,
            compile=True, **options)  # fmt: skip
