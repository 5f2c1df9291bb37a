"""``train.find_lr``: the loss for each of many learning rates, and one to begin with."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim, train
from minidl.data import Dataset, Loader, mnist
from minidl.errors import OptionError


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:3000]


def network():
    minidl.seed(0)
    return nn.Sequential(nn.Dense(784, 32), nn.BatchNorm(32), nn.ReLU(), nn.Dropout(0.1), nn.Dense(32, 10))


@pytest.mark.parametrize(("kind", "sensible"), [(optim.SGD, (0.01, 1)), (optim.Adam, (1e-3, 0.05))])
def test_the_suggestion_trains_well_and_the_rates_go_from_too_low_to_too_high(digits, kind, sensible):
    model = network()
    found = train.find_lr(model, digits, optimizer=kind(model.parameters()))
    assert sensible[0] < found.suggestion < sensible[1]
    assert len(found.lrs) == len(found.losses) == len(found.smoothed)
    np.testing.assert_allclose(np.diff(np.log(found.lrs)), np.log(1e7) / 99)
    assert found.lrs[0] == pytest.approx(1e-6)
    assert found.losses[0] > 2
    assert found.smoothed.min() < 1.5
    history = train.fit(
        model, digits, optimizer=kind(model.parameters(), lr=found.suggestion), epochs=3, progress=False
    )
    assert history["accuracy"][-1] > 0.85


def test_model_optimizer_and_random_streams_stay_as_they_are(digits):
    def trained(look):
        model = network()
        optimizer = optim.Nesterov(model.parameters(), lr=optim.schedules.cosine(0.1, 48), ema=0.9)
        for _ in range(2):
            if look:
                train.find_lr(model, digits, optimizer=optimizer, steps=20)
            train.fit(model, digits, optimizer=optimizer, epochs=1, progress=False)
        return {name: a.tobytes() for name, a in model.state_dict().items()}, optimizer.t, model.training

    assert trained(look=True) == trained(look=False)


def test_the_losses_are_those_of_a_training_with_such_a_schedule(digits):
    model = network()
    found = train.find_lr(model, digits, optimizer=optim.Adam(model.parameters()), start=1e-5, end=1e-2, steps=31)
    losses, model = [], network()
    optimizer = optim.Adam(model.parameters(), lr=lambda k: 1e-5 * 1e3 ** (k / 30))
    train.fit(model, digits, optimizer=optimizer, epochs=2, progress=False, callbacks=[Losses(losses)])
    np.testing.assert_allclose(found.losses, losses[:31], rtol=1e-6)


class Losses(train.Callback):
    def __init__(self, losses):
        self.losses = losses

    def on_step(self, run):
        self.losses.append(run.loss.item())


@pytest.mark.parametrize("batch", [64, "full"])
def test_arrays_loaders_and_regressions_are_taken_and_a_divergence_ends_it(batch):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    y = x @ rng.normal(size=(5, 2)).astype(np.float32)
    model = nn.Sequential(nn.Dense(5, 2))
    optimizer = optim.SGD(model.parameters())
    found = train.find_lr(model, x, y, optimizer=optimizer, loss=nn.mean_squared_error, batch_size=batch, end=1e9)
    assert found.lrs[-1] < 1e4  # the quadratic's stability limit is near 2
    assert np.isfinite(found.losses).all()
    assert 1e-3 < found.suggestion < 1
    loader = Loader(Dataset(x, y), batch)
    again = train.find_lr(model, loader, optimizer=optimizer, loss=nn.mean_squared_error, end=1e9)
    assert 1e-3 < again.suggestion < 1


def test_where_the_loss_never_falls_nothing_is_suggested():
    model = nn.Sequential(nn.Dense(5, 2))
    x = np.ones((40, 5), np.float32)
    optimizer = optim.SGD(model.parameters())
    found = train.find_lr(model, x, x[:, :2], optimizer=optimizer, loss=nn.mean_squared_error, start=1e3, end=1e6)
    assert found.suggestion is None
    assert len(found.plot().axes[0].lines) == 2
    assert len(found.lrs) < 5


@pytest.mark.parametrize("options", [{"start": 0}, {"start": 1.0, "end": 0.1}, {"end": float("inf")}, {"steps": 2}])
def test_rates_that_do_not_grow_are_refused(options):
    model = nn.Sequential(nn.Dense(5, 2))
    with pytest.raises(OptionError, match="find_lr"):
        train.find_lr(
            model, np.ones((40, 5), "f4"), np.zeros(40, int), optimizer=optim.SGD(model.parameters()), **options
        )


def test_its_picture_shows_the_losses_and_the_suggestion(digits, tmp_path):
    pytest.importorskip("matplotlib")
    model = network()
    found = train.find_lr(model, digits, optimizer=optim.SGD(model.parameters()), steps=30)
    figure = found.plot()
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), found.losses)
    assert axes.lines[2].get_xdata()[0] == found.suggestion
    figure.savefig(tmp_path / "lr.png")
    assert (tmp_path / "lr.png").stat().st_size > 1000
