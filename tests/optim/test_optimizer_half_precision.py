"""Steps in half precision, where small numbers become zero."""

import numpy as np
import pytest

from minidl import Tensor, optim
from minidl.errors import (
    OptionError,
)


def test_half_precision_stays_half():
    p = Tensor(np.ones(3, np.float16), requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)
    p.grad = Tensor(np.ones(3, np.float16))
    optimizer.step()
    assert p.dtype == np.float16
    assert p.tolist() == [0.5] * 3


ADAPTIVE = [kind for kind in optim.Optimizer.__subclasses__() if "eps" in kind.rule.hyperparameters]


@pytest.mark.parametrize("kind", [k for k in optim.Optimizer.__subclasses__() if k.__module__.startswith("minidl")])
def test_half_precision_stands_still_without_a_gradient_or_says_what_to_do(kind):
    def step(**options):
        p = Tensor(np.ones(3, np.float16), requires_grad=True)
        optimizer = kind([p], **options)
        p.grad = Tensor(np.zeros(3, np.float16))
        optimizer.step()
        return p.numpy()

    decay = {"weight_decay": 0.0}
    if kind.rule.__name__ in ("Adam", "AdamW", "NAdam"):  # 1e-8 is 0 in float16
        with pytest.raises(
            OptionError, match=rf"{kind.__name__}: eps=1e-08 is lost in float16, .*: .*eps=0.0001, or make"
        ):
            step(**decay)
        decay["eps"] = 1e-4
    assert (step(**decay) == 1).all()


@pytest.mark.parametrize("kind", ADAPTIVE)
@pytest.mark.parametrize(
    ("dtype", "lost", "kept"), [("float16", 5e-8, 6e-8), ("float32", 1e-38, 1.2e-38), ("float64", 1e-308, 2.3e-308)]
)
def test_an_eps_that_the_dtype_cannot_hold_is_refused_wherever_it_comes_from(kind, dtype, lost, kept):
    p = Tensor(np.ones(3, dtype), requires_grad=True)
    with pytest.raises(OptionError, match=f"is lost in {dtype}"):
        kind([p], eps=lost)
    optimizer = kind([p], eps=kept)
    optimizer.groups[0]["eps"] = lost
    with pytest.raises(OptionError, match=f"is lost in {dtype}"):
        optimizer.step()
    optimizer.groups[0]["eps"] = lambda k: kept if k == 0 else lost
    p.grad = Tensor(np.zeros(3, dtype))
    optimizer.step()
    with pytest.raises(OptionError, match=f"step 2: eps=.* is lost in {dtype}"):
        optimizer.step()
    rule = kind.rule(eps=lost)
    with pytest.raises(OptionError, match=f"is lost in {dtype}"):
        rule(p.numpy(), p.numpy(), *rule.init(p.numpy()), lr=0.1, t=1)
    assert kind([p], eps=0).groups[0]["eps"] == 0  # as asked for


def test_a_model_that_becomes_half_precision_is_looked_at_again():
    p = Tensor(np.ones(3, np.float32), requires_grad=True)
    optimizer = optim.Adam([p])
    p.data = p.data.astype(np.float16)
    with pytest.raises(OptionError, match="eps=1e-08 is lost in float16"):
        optimizer.step()
