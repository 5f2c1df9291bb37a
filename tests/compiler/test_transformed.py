"""Training on inputs that are made anew for each epoch: compiled as before, to the bits of the eager loop."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Augment, Dataset, Loader
from minidl.train import Callback, fit

EPOCHS = 4


def network(normalised=True):
    minidl.seed(4)
    hidden = [*([nn.BatchNorm(64)] if normalised else []), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(nn.Dense(784, 64), *hidden, nn.Dense(64, 10))


def trained(data, batch_size=60, callbacks=(), **options):
    """The weights and the history of a training."""
    model = network(normalised=batch_size > 1)
    optimizer = optim.Adam(model.parameters())
    options |= {"epochs": EPOCHS, "batch_size": None if isinstance(data, Loader) else batch_size}
    history = fit(model, data, optimizer=optimizer, progress=False, guards=False, callbacks=callbacks, **options)
    return {name: array.tobytes() for name, array in model.state_dict().items()}, history


def on_one_array(digits, transform):
    """What `trained` gives on epochs that are made by hand, from one array that is written over between them."""
    data = Dataset(digits.inputs.copy(), digits.labels, shape=(28, 28))
    minidl.seed(4)
    seeds = [minidl.backend.generator("augment").integers(2**63) for _ in range(EPOCHS + 1)]

    def renew(run):
        made = transform(digits.inputs.copy(), np.random.default_rng(seeds[run.epoch]))
        data.inputs[...] = made

    renew(minidl.train.Run(None, None, 0, 0))
    return trained(data, callbacks=[renew])


def measured(history):
    return [(row["loss"], row["accuracy"]) for row in history.rows]


def test_each_engine_trains_on_what_the_transform_makes(digits, engine):
    name, options = engine
    augment = Augment(shift=2, rotate=10, scale=0.1, elastic=34)
    weights, history = trained(digits.with_transform(augment), **options)
    expected, rows = on_one_array(digits, augment)
    assert weights == expected
    assert measured(history) == measured(rows)
    assert [row["engine"] for row in history.rows] == [name] * EPOCHS
    assert history.reason is None
    assert weights != trained(digits)[0]


def other_zeros():
    """A transform that gives, in this order, zeros where digits have them, elsewhere, nowhere and everywhere."""
    makers = iter(
        [
            lambda inputs, rng: inputs,
            lambda inputs, rng: inputs[:, ::-1],
            lambda inputs, rng: rng.integers(1, 256, inputs.shape).astype(inputs.dtype),
            lambda inputs, rng: np.zeros_like(inputs),
        ]
    )
    return lambda inputs, rng: next(makers)(inputs, rng)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize("batch_size", [60, 1])
def test_machine_code_that_skips_zeros_skips_those_of_each_epoch(digits, dtype, batch_size, warm, monkeypatch):
    from minidl.compiler.native.sparse_layout import SparseLayout

    sparse = []
    layout = SparseLayout.__init__
    monkeypatch.setattr(SparseLayout, "__init__", lambda self, *args: sparse.append(self) or layout(self, *args))
    data = Dataset(digits.inputs.astype(dtype), digits.labels)[:: 1 if batch_size > 1 else 20]
    weights, history = trained(data.with_transform(other_zeros()), batch_size)
    assert {row["engine"] for row in history.rows} == {"machine code"}
    assert sparse
    assert weights == trained(data.with_transform(other_zeros()), batch_size, compile=False)[0]


def test_gradients_that_a_callback_sees_are_those_of_the_epochs_own_inputs(digits, engine):
    name, options = engine

    class Clip(Callback):
        def on_gradients(self, run):
            optim.clip_grad_norm(run.optimizer.parameters, 0.5)

    data = digits.with_transform(Augment(shift=2))
    weights, history = trained(data, callbacks=[Clip()], **options)
    assert {row["engine"] for row in history.rows} == {name}
    assert weights == trained(data, callbacks=[Clip()], compile=False)[0]


def test_accumulated_and_averaged_steps_take_the_epochs_inputs_too(digits, engine):
    class Own(Loader):
        """Of a class of the user's, whose batches are joined."""

    name, options = engine
    data = digits.with_transform(Augment(shift=2))
    expected, _ = trained(data, accumulate=2, compile=False)
    weights, history = trained(data, accumulate=2, **options)
    assert {row["engine"] for row in history.rows} == {name}
    assert weights == expected == trained(Own(data, 60), accumulate=2, compile=False)[0]
    assert expected != trained(digits, accumulate=2, compile=False)[0]


def test_models_of_ones_own_are_recorded_on_transformed_inputs(digits):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Dense(784, 16), nn.Dense(16, 10)

        def forward(self, x):
            return self.second(minidl.tanh(self.first(x)))

    def run(compile):
        minidl.seed(2)
        model = Own()
        data = digits.with_transform(Augment(rotate=10))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        fit(model, data, optimizer=optimizer, epochs=2, batch_size=60, progress=False, compile=compile)
        return {name: array.tobytes() for name, array in model.state_dict().items()}

    assert run(compile=True) == run(compile=False)


def test_a_transform_may_be_taken_away_for_the_last_epochs(digits, engine):
    data = digits.with_transform(Augment(shift=2))

    def without(run):
        if run.epoch == 2:
            data.transform = None

    def run(**options):
        data.transform = Augment(shift=2)
        return trained(data, callbacks=[without], **options)

    weights, history = run(**engine[1])
    assert {row["engine"] for row in history.rows} == {engine[0]}
    assert weights == run(compile=False)[0]


def test_a_loader_with_batches_of_its_own_is_handed_the_epochs_inputs(digits):
    class Doubled(Loader):
        def batches(self, order, first=0, last=None, inputs=None):
            for x, y in super().batches(order, first, last, inputs):
                yield 2 * x, y

    data = digits.with_transform(Augment(shift=2))
    weights, _ = trained(Doubled(data, 60))
    model = network()
    optimizer = optim.Adam(model.parameters())
    minidl.seed(4)
    network()
    model.train()
    for _ in range(EPOCHS):
        for x, y in Loader(data, 60):
            optimizer.zero_grad()
            nn.softmax_cross_entropy(model(2 * x), y).backward()
            optimizer.step()
    assert weights == {name: array.tobytes() for name, array in model.state_dict().items()}
