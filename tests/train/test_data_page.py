"""What docs/data.md trains comes out as it says there, and is compiled."""

import numpy as np
import pytest
from pages import ROOT, blocks_of

import minidl

BLOCKS = [b.code for b in blocks_of(ROOT / "docs" / "data.md") if b.language == "python" and "fit(" in b.code]


@pytest.fixture(scope="module")
def names():
    minidl.seed(1)
    names = {}
    for code in BLOCKS:
        exec(compile(code, "docs/data.md", "exec"), names)
    return names


def test_the_line_through_the_stopping_distances_is_that_of_least_squares(names):
    speed, feet = np.array(names["speed"]), np.array(names["feet"])
    slope, intercept = np.polyfit(speed, feet, 1)
    assert (slope, intercept) == pytest.approx((3.9324, -17.5791), abs=1e-4)  # as textbooks have it: no number is wrong
    assert names["cars"]["r2"][-1] == pytest.approx(np.corrcoef(speed, feet)[0, 1] ** 2, abs=0.02)
    assert names["stops_after"].item() == pytest.approx(slope * 21 + intercept, abs=2)


def test_several_labels_an_autoencoder_and_weighted_classes_learn(names):
    assert names["facts"]["exact_match"][-1] > 0.5
    assert names["autoencoder"]["loss"][-1] < names["autoencoder"]["loss"][0]
    for name in ("weighted", "smoothed", "streamed"):
        assert names[name]["validation_accuracy"][-1] > 0.5


@pytest.mark.parametrize("name", ["cars", "facts", "autoencoder", "weighted", "smoothed", "streamed"])
def test_all_of_it_is_compiled(name, names):
    assert names[name].reason is None
    assert names[name][-1]["engine"] in ("replay", "machine code")
