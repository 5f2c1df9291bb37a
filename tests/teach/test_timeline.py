"""A training that goes back: any walk through a timeline ends where the straight run would be, to the bit."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import OptionError, StateError
from minidl.teach import Timeline
from minidl.train import Callback, fit

RNG = np.random.default_rng(0)
POINTS = Dataset(RNG.standard_normal((70, 5)).astype("f"), RNG.integers(0, 3, 70))


def start(optimizer=optim.Adam, wide=False, **options):
    minidl.seed(4)
    width = 2000 if wide else 8
    model = nn.Sequential(nn.Dense(5, width), nn.BatchNorm(width), nn.ReLU(), nn.Dropout(0.2), nn.Dense(width, 3))
    return model, optimizer(model.parameters(), **options), nn.softmax_cross_entropy, Loader(POINTS, 16)


def state(line):
    model = {name: array.tobytes() for name, array in line.model.state_dict().items()}
    return model, {name: vector.tobytes() for name, vector in line.optimizer.state.items()}, line.optimizer.t


@functools.cache
def straight(steps, changed_at=None):
    """The state after so many steps of a timeline that never goes back; `beta1` is another from a step on."""
    line = Timeline(*start())
    for k in range(steps):
        if k == changed_at:
            line.optimizer.groups[0]["beta1"] = 0.5
        line.step()
    return state(line)


def test_a_timeline_makes_the_steps_of_fit():
    line = Timeline(*start())
    line.step(12)

    class Stop(Callback):
        def on_step(self, run):
            if run.step == 12:
                run.stop("enough")

    model, optimizer, loss, loader = start()
    fit(model, loader, optimizer=optimizer, loss=loss, epochs=5, callbacks=[Stop()], progress=False, guards=False)
    found = {name: array.tobytes() for name, array in model.state_dict().items()}
    assert found == state(line)[0] == straight(12)[0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["step", "back", "goto", "fork"]), st.integers(0, 14)), max_size=8))
def test_any_walk_ends_where_the_straight_run_would_be(walk):
    line, forked_at = Timeline(*start()), None
    for act, number in walk:
        if act == "step":
            line.step(number)
        elif act == "back":
            line.back(min(number, line.t))
        elif act == "goto":
            line.goto(number)
        elif forked_at is None:
            forked_at = line.t
            line = line.fork(beta1=0.5)
    assert state(line) == straight(line.t, forked_at if forked_at is not None and forked_at < line.t else None)


def test_a_large_model_keeps_few_states_and_goes_back_all_the_same():
    line = Timeline(*start(wide=True))
    found = {}
    for _ in range(45):
        line.step()
        found[line.t] = state(line)
    assert sorted(line._frames) == [0, 20, 40]
    for t in (44, 3, 21, 40, 20, 39):
        assert state(line.goto(t)) == found[t]


def test_when_memory_is_short_every_second_state_goes(monkeypatch):
    monkeypatch.setattr("minidl.teach._timeline.MEMORY", 30_000)
    line = Timeline(*start()).step(60)
    assert line.nbytes <= 30_000
    assert len(line._frames) < 40
    assert state(line.back(31)) == straight(29)


def test_a_fork_shares_the_past_and_leaves_the_other_alone():
    line = Timeline(*start()).step(9)
    fork = line.fork(beta1=0.5, lr=0.02)
    assert fork.label == "beta1=0.5, lr=0.02 from step 9 on"
    fork.step(6)
    assert state(line) == straight(9)
    assert fork.losses[:10] == line.step().losses[:10]  # the loss of step 10 is that before its update
    assert fork.losses[10] != line.step().losses[10]
    assert state(fork.goto(9)) != state(fork.goto(10))
    assert fork.optimizer.groups[0]["beta1"] == 0.5
    assert state(fork.goto(4)) == straight(4)
    assert fork.optimizer.groups[0]["beta1"] == 0.9  # that was before the fork
    with pytest.raises(OptionError, match="Adam has no 'beta'; it has lr, beta1"):
        line.fork(beta=0.5)
    with pytest.raises(OptionError, match="lr"):
        line.fork(lr=-1.0)


def test_a_fork_with_another_weight_is_made_again_whenever_it_is_passed():
    line = Timeline(*start()).step(7)

    def zero(model, optimizer):
        model.layers[0].weight.data[0, 0] = 0
        model.layers[0].weight.changed()

    fork = line.fork(zero)
    assert fork.model.layers[0].weight.data[0, 0] == 0 != line.model.layers[0].weight.data[0, 0]
    after = state(fork.step(5))
    assert state(fork.back(10)) == straight(2)
    assert state(fork.step(10)) == after


def test_a_timeline_goes_back_to_an_epoch_with_the_inputs_that_a_transform_made_for_it():
    noisy = POINTS.with_transform(lambda inputs, rng: inputs + rng.standard_normal(inputs.shape, np.float32))

    def steps(count):
        model, optimizer, loss, _ = start()
        return Timeline(model, optimizer, loss, Loader(noisy, 16)).step(count)

    line = steps(13)  # of 5 in an epoch
    assert float(line.graph().nodes[-1].value) == line.losses[12]  # the loss of the thirteenth
    for t in (2, 7, 12, 4, 13):
        assert state(line.goto(t)) == state(steps(t))
    fork = line.goto(6).fork()
    assert state(fork.step(7)) == state(steps(13)) == state(line.goto(13))


def test_timelines_are_compared_in_a_table_and_a_picture():
    line = Timeline(*start()).step(5)
    fork = line.fork(lr=0.1).step(10)
    line.step(8)
    found = line.compare(fork)
    assert found.labels == ["as it began", "lr=0.1 from step 5 on"]
    assert found.parted == 7  # step 6 is the first with the other rate, and step 7 the first whose loss shows it
    assert found.rows[6] == (7, line.losses[6], fork.losses[6])
    assert found.rows[-1][1:] == (None, fork.losses[-1])
    assert found.distances[0]["layers.0.weight"] > 0
    assert "lr=0.1 from step 5 on: weights differ most in" in str(found)
    assert len(found.plot().axes[0].lines) == 3
    assert line.compare(line.fork()).parted is None


def test_the_last_update_is_explained_and_its_gradient_asked():
    line = Timeline(*start()).step(11)
    before = state(line)
    weight = line.model.layers[4].weight.data[2, 1]
    entry = line.entry("layers.4.weight", (2, 1))
    assert (entry.t, entry.after["theta"]) == (11, weight)
    receipt = line.graph().receipt("layers.4.weight", (2, 1))
    assert receipt.value == entry.g
    assert state(line) == before
    assert state(line.step()) == straight(12)
    with pytest.raises(OptionError, match=r"step\(\) first"):
        line.goto(0).entry("layers.4.weight", (2, 1))


def test_random_numbers_outside_are_neither_used_nor_moved():
    line = Timeline(*start())
    minidl.seed(99)
    expected = minidl.backend.generator("dropout").random(3).tolist()
    minidl.seed(99)
    line.step(6)
    assert minidl.backend.generator("dropout").random(3).tolist() == expected
    assert state(line.back(3).step(3)) == straight(6)


def test_a_training_that_nobody_seeded_goes_back_too(monkeypatch):
    monkeypatch.setattr("minidl.backend._process", minidl.backend._Streams(None))
    model = nn.Sequential(nn.Dense(5, 8), nn.Dropout(0.2), nn.Dense(8, 3))
    line = Timeline(model, optim.SGD(model.parameters()), nn.softmax_cross_entropy, POINTS).step(3)
    found = state(line)
    line._frames = {0: line._frames[0]}
    assert state(line.goto(0).step(3)) == found


def test_a_step_that_cannot_be_made_again_is_an_error():
    def noisy(output, y):
        return nn.softmax_cross_entropy(output, y) * float(np.random.rand())

    model, optimizer, _, loader = start(wide=True)
    line = Timeline(model, optimizer, noisy, loader).step(5)
    with pytest.raises(StateError, match="step 1, made again, gave the loss"):
        line.goto(2)


def test_a_training_that_diverges_can_be_gone_back_from():
    model, optimizer, loss, loader = start(optim.SGD, lr=1e30)
    line = Timeline(model, optimizer, loss, loader).step(6)
    assert not np.isfinite(line.losses[-1])
    line.goto(0)
    assert np.isfinite(line.model.layers[0].weight.data).all()
    assert np.isfinite(line.fork(lr=0.1).step(6).losses).all()


def test_what_is_no_timeline_is_said():
    model, optimizer, loss, _ = start()
    with pytest.raises(OptionError, match="Loader or a Dataset, got a list"):
        Timeline(model, optimizer, loss, [])
    line = Timeline(model, optimizer, loss, POINTS).step(2)
    with pytest.raises(OptionError, match="only 2 updates"):
        line.back(3)
    with pytest.raises(OptionError, match="goto: t"):
        line.goto(-1)
