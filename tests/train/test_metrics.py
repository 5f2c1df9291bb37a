"""What is measured, against scikit-learn's formulas; and metrics of one's own, by name, wherever a metric is used."""

import numpy as np
import pytest
from interruption import Interrupt, Until

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import OptionError
from minidl.train import Callback, Checkpoint, EarlyStopping, Target, evaluate, fit, predict
from minidl.train.metrics import RunningMetrics

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5], np.float32) + RNG.standard_normal(200)
LABELS = (X[:, 0] > 0).astype(int)
OPTIONS = {"progress": False, "batch_size": 20, "epochs": 3}


def line(outputs=1):
    minidl.seed(1)
    return nn.Sequential(nn.Dense(3, outputs))


def rmse(output, targets):
    assert type(output) is type(targets) is np.ndarray
    return np.sqrt(((output - targets) ** 2).mean())


def share(output, labels):
    return (output.argmax(axis=1) == labels).mean()


@pytest.mark.parametrize("batch_size", [7, 200])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_r2_is_that_of_all_samples_however_they_come_in_batches(batch_size, offset):
    model, targets = line(), Y + offset
    with minidl.no_grad():
        model.layers[0].bias.data[...] = 0.1
    outputs = predict(model, X).astype(float).ravel() + offset
    expected = 1 - ((targets - outputs) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
    running = RunningMetrics()
    for i in range(0, 200, batch_size):
        part = slice(i, i + batch_size)
        running.add(np.float32(0), outputs[part, None], targets[part, None], nn.mean_squared_error)
    assert running.means()["r2"] == pytest.approx(expected, rel=1e-9)
    if not offset:
        assert evaluate(model, X, targets, loss="mse", batch_size=batch_size)["r2"] == pytest.approx(expected, rel=1e-5)


def test_r2_of_targets_that_are_all_alike_is_one_if_they_are_met_and_else_zero():
    model = nn.Sequential(nn.Dense(3, 1, weight_init="zeros"))
    assert evaluate(model, X, np.zeros(200), loss="mse")["r2"] == 1
    assert evaluate(model, X, np.ones(200), loss="mse")["r2"] == 0


def test_several_targets_a_sample_have_an_absolute_error_and_no_r2():
    found = evaluate(line(2), X, X[:, :2], loss="mse")
    assert set(found) == {"loss", "mean_absolute_error"}


@pytest.mark.parametrize(
    ("loss", "last", "targets"),
    [
        (nn.binary_cross_entropy_with_logits, nn.Identity(), X[:, :2] > 0),
        (nn.binary_cross_entropy, nn.Sigmoid(), X[:, :2] > 0),
        (nn.hinge, nn.Identity(), np.where(X[:, :2] > 0, 1, -1)),
    ],
)
def test_yes_and_no_are_right_on_the_same_side_whatever_the_loss(loss, last, targets):
    model = nn.Sequential(*line(2), last)
    right = (predict(model.layers[0], X) > 0) == (targets > 0)
    assert evaluate(model, X, targets, loss=loss)["exact_match"] == right.all(axis=1).mean()


@pytest.mark.parametrize("loss", [nn.mean_absolute_error, nn.huber, "mae"])
def test_every_regression_has_an_absolute_error_and_r2(loss):
    ours, squared = (evaluate(line(), X, Y, loss=name) for name in (loss, "mse"))
    assert (ours["mean_absolute_error"], ours["r2"]) == (squared["mean_absolute_error"], squared["r2"])


def test_the_likeliest_of_soft_labels_is_hit_or_not():
    model = nn.Sequential(*line(3), nn.log_softmax)
    soft = nn.softmax(3 * RNG.standard_normal((200, 3)))
    found = evaluate(model, X, soft, loss="kl_divergence")
    assert found["accuracy"] == (predict(model, X).argmax(axis=1) == soft.argmax(axis=1)).mean()
    assert evaluate(line(3), X, soft)["accuracy"] == found["accuracy"]


def test_metrics_of_ones_own_are_means_over_the_samples():
    model = line()
    found = evaluate(model, X, Y, loss="mse", metrics={"rmse": rmse}, batch_size=150)
    parts = [rmse(predict(model, X[part]), Y[part, None]) for part in (slice(0, 150), slice(150, 200))]
    assert found["rmse"] == pytest.approx((150 * parts[0] + 50 * parts[1]) / 200, rel=1e-6)


@pytest.mark.parametrize("compile", [None, True, False])
def test_metrics_are_measured_in_training_and_validation_and_shown(compile, capsys):
    model = line()
    history = fit(
        model, X, Y, loss="mse", metrics={"rmse": rmse}, validation=(X[:50], Y[:50]), compile=compile,
        **OPTIONS | {"progress": True},
    )  # fmt: skip
    assert history["rmse"][-1] == pytest.approx(history["loss"][-1] ** 0.5, rel=0.1)
    assert history["validation_rmse"][-1] == pytest.approx(rmse(predict(model, X[:50]), Y[:50, None]), rel=1e-5)
    assert f"rmse {history['rmse'][-1]:.4f}" in capsys.readouterr().out
    assert f"val rmse {history['validation_rmse'][-1]:.4f}" in repr(history)


def test_where_a_program_keeps_no_outputs_they_are_measured_in_validation_or_the_program_is_another():
    found = []
    for validation, measured in ((None, "share"), ((X, LABELS), "validation_share")):
        model = line(2)
        history = fit(model, X, LABELS, metrics={"share": share}, validation=validation, **OPTIONS)
        assert history[measured] == history[measured.replace("share", "accuracy")]
        assert history[-1]["engine"] != "eager"
        found.append(predict(model, X).tolist())
    assert found[0] == found[1]


def test_a_metric_may_keep_what_it_is_given():
    kept = []

    def keep(output, targets):
        kept.append((output, targets, rmse(output, targets)))
        return kept[-1][-1]

    fit(line(), X, Y, loss="mse", metrics={"kept": keep}, **OPTIONS)
    assert [rmse(output, targets) for output, targets, _ in kept] == [found for *_, found in kept]


def test_best_and_stopping_take_metrics_by_any_name(tmp_path):
    model = line()
    stop = EarlyStopping(2, monitor="validation_rmse", mode="min")
    keep = Checkpoint(tmp_path / "run", best="validation_rmse", mode="min")
    options = {"loss": "mse", "metrics": {"rmse": rmse}, "validation": (X[:50], Y[:50]), "checkpoint": keep}
    history = fit(model, X, Y, callbacks=[stop], optimizer=optim.Adam(model.parameters(), lr=0.3), **options, **OPTIONS | {"epochs": 60})  # fmt: skip
    best = min(history["validation_rmse"])
    assert len(history) < 60
    assert stop.best == best == evaluate(model, X[:50], Y[:50], loss="mse", metrics={"rmse": rmse})["rmse"]
    kept = minidl.load(tmp_path / "run" / "best.safetensors")
    assert evaluate(kept, X[:50], Y[:50], loss="mse", metrics={"rmse": rmse})["rmse"] == best


def test_an_accuracy_is_watched_from_below():
    class Scripted(Callback):
        values = (0.5, 0.7, 0.7, 0.6, 0.9)

        def on_epoch(self, run):
            run.history[-1]["validation_accuracy"] = self.values[run.epoch - 1]

    stop = EarlyStopping(2, monitor="validation_accuracy")
    history = fit(line(2), X, LABELS, validation=(X, LABELS), callbacks=[Scripted(), stop], **OPTIONS | {"epochs": 5})
    assert len(history) == 4
    assert stop.best_epoch == 2


def test_a_training_stops_at_a_target_of_ones_own():
    history = fit(line(2), X, LABELS, metrics={"share": share}, callbacks=[Target("share", 0.0, mode="max")], **OPTIONS)
    assert len(history) == 1


def test_a_metric_that_nobody_knows_which_way_is_better_asks():
    for make in (
        lambda: EarlyStopping(1, monitor="validation_rmse"),
        lambda: Target("rmse", 1.0),
        lambda: Checkpoint("run", best="rmse"),
    ):
        with pytest.raises(OptionError, match="mode='min' or mode='max'"):
            make()
    with pytest.raises(OptionError, match="mode='up': choose 'min'"):
        EarlyStopping(1, monitor="validation_rmse", mode="up")


def test_a_metric_that_is_not_measured_is_said_with_those_that_are():
    stop = EarlyStopping(1, monitor="r2")
    with pytest.raises(OptionError, match="this training measures no r2, only epoch, step, lr, loss, accuracy"):
        fit(line(2), X, LABELS, callbacks=[stop], **OPTIONS)


def test_metrics_of_an_interrupted_epoch_are_resumed(tmp_path):
    def trained(**options):
        history = fit(line(), X, Y, loss="mse", metrics={"rmse": rmse}, **options, **OPTIONS)
        return history["rmse"], history["r2"], history["mean_absolute_error"]

    with pytest.raises(Interrupt):
        trained(callbacks=[Until(14)], checkpoint=Checkpoint(tmp_path / "run", every=1))
    assert trained(checkpoint=tmp_path / "run", resume=True) == trained()


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (["accuracy"], "metrics is a dict of functions.*accuracy.*by themselves"),
        ({"loss": rmse}, "the name 'loss' is taken"),
        ({"validation_x": rmse}, "the name 'validation_x' is taken"),
        ({"rmse": 3}, "'rmse' is to be a function"),
        ({"each": lambda output, targets: output}, "'each' is to give one number for a batch"),
    ],
)
def test_metrics_that_are_none_are_refused(metrics, message):
    with pytest.raises(OptionError, match=message):
        evaluate(line(), X, Y, loss="mse", metrics=metrics)
    with pytest.raises(OptionError, match=message):
        fit(line(), X, Y, loss="mse", metrics=metrics, **OPTIONS)


def test_a_metric_of_scikit_learns_kind_takes_the_arrays_as_they_are():
    def balanced(output, labels):
        hits = output.argmax(axis=1) == labels
        return np.mean([hits[labels == c].mean() for c in np.unique(labels)])

    model = line(2)
    found = evaluate(model, Loader(Dataset(X, LABELS), "full", shuffle=False), metrics={"balanced": balanced})
    assert found["balanced"] == pytest.approx(balanced(predict(model, X), LABELS))
