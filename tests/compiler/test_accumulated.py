"""Accumulated, clipped and averaged training: every engine makes the same bits, and none goes eager for it."""

import numpy as np
import pytest
from watched_cases import BATCH, SIZE, bits, engines, network, train

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader, mnist
from minidl.errors import NonFiniteError
from minidl.train import fit


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:SIZE]


@pytest.fixture(scope="module")
def averaging_code(machine_code):
    from minidl.compiler.native.cache.background import compile_now
    from minidl.compiler.native.executor import needed

    compile_now(needed(optim.Adam(nn.Dense(2, 2).parameters(), ema=0.9)))


def numbers(history):
    return [{k: v for k, v in row.items() if k not in ("seconds", "engine")} for row in history.rows]


@pytest.mark.parametrize("checks", ["stop", "continue"])
@pytest.mark.parametrize("options", [{"accumulate": 3}, {"clip_norm": 0.05, "clip_value": 0.01}], ids=str)
def test_accumulated_and_clipped_steps_are_compiled_to_the_same_bits(digits, engine, options, checks):
    """Seven updates of three batches: the last one of two, and of one that is smaller."""
    name, how = engine
    model, history = train(digits, on_nonfinite=checks, **options, **how)
    other, reference = train(digits, compile=False, on_nonfinite=checks, **options)
    assert engines(history) == [name, name]
    assert history.reason is None
    assert history[-1]["step"] == (14 if "accumulate" in options else 42)
    assert bits(model) == bits(other)
    assert numbers(history) == numbers(reference)
    assert bits(model) != bits(train(digits)[0])


def test_averages_are_compiled_to_the_same_bits(digits, engine, averaging_code):
    name, how = engine
    found = []
    for options in (how, {"compile": False}):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=2e-3, ema=0.9)
        _, history = train(digits, model, optimizer, validation=digits, **options)
        found.append((bits(model), optimizer.state["average"].tobytes(), numbers(history)))
        assert engines(history) == [name if options is how else "eager"] * 2
    assert found[0] == found[1]


@pytest.mark.parametrize("place", [0, 2])
def test_a_bad_number_in_one_of_an_updates_batches_leaves_out_all_of_them(digits, engine, place):
    """And the running statistics are those from before the first, whichever it was."""
    _, how = engine
    inputs = digits.inputs.astype(np.float32) / 255
    inputs[4 * BATCH + place * BATCH] = np.nan
    data = Dataset(inputs, digits.labels)
    found = []
    for options in (how, {"compile": False}):
        minidl.seed(0)
        model = network()
        history = fit(model, Loader(data, BATCH, shuffle=False), optimizer=optim.Adam(model.parameters()), epochs=2,
                      accumulate=4, on_nonfinite="skip", progress=False, guards=False, **options)  # fmt: skip
        assert history["skipped"] == [1, 1]
        assert history["step"] == [5, 10]
        found.append(bits(model))
    assert found[0] == found[1]
    model = network()
    before = bits(model)
    with pytest.raises(
        NonFiniteError, match=rf"batch 2 of 6\): .* it began in dense.* first in sample {(4 + place) * BATCH} of"
    ) as error:
        fit(model, Loader(data, BATCH, shuffle=False), optimizer=optim.SGD(model.parameters(), lr=0), epochs=1,
            accumulate=4, progress=False, guards=False, **how)  # fmt: skip
    assert error.value.history.rows == []
    unchanged = [name for name in before if "running" not in name]
    assert {n: bits(model)[n] for n in unchanged} == {n: before[n] for n in unchanged}


@pytest.mark.parametrize("options", [{"accumulate": 2}, {"clip_norm": 0.5}], ids=str)
@pytest.mark.parametrize("checks", ["stop", "continue"])
def test_recorded_steps_of_other_losses_are_accumulated_and_clipped_too(digits, options, checks):
    data, found = Dataset(digits.inputs, digits.inputs[:, :4] / np.float32(255) + digits.labels[:, None]), []
    for compile in (None, False):
        minidl.seed(1)
        model = nn.Sequential(nn.Dense(784, 8), nn.BatchNorm(8), nn.Tanh(), nn.Dropout(0.2), nn.Dense(8, 4))
        history = fit(model, data, optimizer=optim.Adam(model.parameters()), loss=nn.mean_squared_error, epochs=3,
                      batch_size=BATCH, progress=False, compile=compile, on_nonfinite=checks, **options)  # fmt: skip
        found.append((bits(model), numbers(history)))
        assert history.reason is None
        assert (history[-1]["engine"] == "eager") is (compile is False)
    assert found[0] == found[1]
