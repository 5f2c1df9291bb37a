"""Gradients clipped between backward and step."""

import math

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn, optim
from minidl.data import Dataset
from minidl.errors import OptionError
from minidl.train import Callback, fit


def parameters():
    found = [Tensor(np.ones(3, np.float32), requires_grad=True), Tensor([2.0], requires_grad=True), Tensor([5.0])]
    (found[0] * 3).sum().backward()
    (found[1] * 4).sum().backward()
    return found


def test_gradients_are_scaled_to_the_norm_and_the_norm_before_is_returned():
    found = parameters()
    norm = math.sqrt(3 * 9 + 16)
    assert optim.clip_grad_norm(found, 1.0) == pytest.approx(norm)
    np.testing.assert_allclose(found[0].grad.numpy(), 3 / norm, rtol=1e-6)
    np.testing.assert_allclose(found[1].grad.numpy(), 4 / norm, rtol=1e-6)
    assert found[2].grad is None
    assert optim.clip_grad_norm(found, 1e9) == pytest.approx(1.0)


def test_small_gradients_keep_their_bits():
    found = parameters()
    before = found[0].grad.numpy().copy()
    optim.clip_grad_norm(found, 100.0)
    np.testing.assert_array_equal(found[0].grad.numpy(), before)


def test_what_is_not_finite_is_left_to_be_seen():
    found = parameters()
    found[1].grad.data[...] = np.inf
    assert optim.clip_grad_norm(found, 1.0) == math.inf
    np.testing.assert_array_equal(found[0].grad.numpy(), 3)


def test_each_element_is_limited():
    found = parameters()
    found[0].grad.data[0] = -7
    optim.clip_grad_value(found, 3.5)
    assert found[0].grad.tolist() == [-3.5, 3, 3]
    assert found[1].grad.tolist() == [3.5]


def test_gradients_whose_squares_overflow_are_clipped_above_all():
    w = Tensor(np.ones(3, np.float32), requires_grad=True)
    (w * 3e19).sum().backward()
    assert optim.clip_grad_norm(w, 1.0) == pytest.approx(3e19 * math.sqrt(3))
    np.testing.assert_allclose(w.grad.numpy(), 1 / math.sqrt(3), rtol=1e-6)


@pytest.mark.parametrize("limit", [0, -1.0, math.nan, "1"])
@pytest.mark.parametrize("clip", [optim.clip_grad_norm, optim.clip_grad_value])
def test_a_limit_that_is_none_is_refused(clip, limit):
    with pytest.raises(OptionError, match="must be a number above 0"):
        clip([], limit)


@pytest.mark.parametrize("compile", [True, False])
def test_in_fit_a_callback_clips_and_the_steps_stay_compiled(compile):
    class Clip(Callback):
        norms = ()

        def on_gradients(self, run):
            self.norms = (*self.norms, optim.clip_grad_norm(run.model.parameters(), 0.01))

    rng = np.random.default_rng(0)
    data = Dataset(rng.standard_normal((64, 5)).astype("f"), rng.integers(0, 3, 64))
    minidl.seed(1)
    model = nn.Sequential(nn.Dense(5, 8), nn.ReLU(), nn.Dense(8, 3))
    before = [p.numpy().copy() for p in model.parameters()]
    clip = Clip()
    options = {"epochs": 2, "batch_size": 8, "callbacks": [clip], "progress": False, "guards": False}
    fit(model, data, optimizer=optim.SGD(model.parameters(), lr=1.0), compile=compile, **options)
    moved = math.sqrt(sum(((p.numpy() - b) ** 2).sum() for p, b in zip(model.parameters(), before, strict=True)))
    assert len(clip.norms) == 16
    assert min(clip.norms) > 0.01
    assert moved <= 16 * 0.01 * 1.001
