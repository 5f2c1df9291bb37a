"""Ctrl-C in `fit` and errors in it: the history is kept, and the model may be used and trained again."""

import signal
import sys
import threading
import traceback

import numpy as np
import pytest

import minidl
from minidl import nn, optim, train
from minidl.errors import StateError, TrainingInterrupted

X = np.random.default_rng(0).normal(size=(60, 4)).astype("f")
Y = np.arange(60) % 3


def in_epoch(number, act):
    """A callback that does something at the end of an epoch."""
    return lambda run: act() if run.epoch == number else None


def interrupted(**options):
    """A model whose training Ctrl-C has ended in its third epoch, its optimizer, and the error."""
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(4, 5), nn.BatchNorm(5), nn.ReLU(), nn.Dense(5, 3))
    optimizer = optim.Adam(model.parameters())
    stop = in_epoch(3, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught:
        train.fit(
            model, X, Y, optimizer=optimizer, epochs=50, batch_size=20, callbacks=[stop], progress=False, **options
        )
    return model, optimizer, caught.value


def test_ctrl_c_keeps_the_history_of_the_epochs_that_have_ended():
    *_, error = interrupted()
    assert isinstance(error, TrainingInterrupted)
    assert error.history["epoch"] == [1, 2, 3]
    assert train.last_history() is error.history
    assert error.history["loss"][-1] == pytest.approx(train.last_history()[-1]["loss"])
    assert "epoch 3, step 9" in str(error)


def test_the_model_is_ready_to_predict_and_to_train_on():
    model, optimizer, _ = interrupted(validation=(X[:9], Y[:9]))
    assert not any(module.training for _, module in model.named_modules())
    assert np.isfinite(model.predict(X)).all()
    assert optimizer.t == 9
    history = train.fit(model, X, Y, optimizer=optimizer, epochs=2, batch_size=20, progress=False)
    assert len(history) == 2
    assert optimizer.t == 15


def test_the_traceback_is_short_and_a_notebooks_is_one_line():
    *_, error = interrupted()
    assert len(traceback.extract_tb(error.__traceback__)) <= 6
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert error._render_traceback_() == [f"TrainingInterrupted: {error}"]


def test_except_exception_does_not_catch_it():
    *_, error = interrupted()
    assert not isinstance(error, Exception)


def test_an_interrupt_of_the_users_own_kind_stays_what_it_is():
    class Enough(KeyboardInterrupt):
        pass

    def stop():
        raise Enough

    model = nn.Dense(4, 3)
    with pytest.raises(Enough):
        train.fit(model, X, Y, optimizer=optim.SGD(model.parameters()), epochs=2, progress=False,
                  callbacks=[in_epoch(2, stop)])  # fmt: skip


def test_a_training_that_fails_keeps_its_history_too():
    model = nn.Dense(4, 3)
    with pytest.raises(ZeroDivisionError):
        train.fit(model, X, Y, optimizer=optim.SGD(model.parameters()), epochs=5, progress=False,
                  callbacks=[in_epoch(2, lambda: 1 / 0)])  # fmt: skip
    assert train.last_history()["epoch"] == [1, 2]


def test_each_thread_has_its_own_last_history():
    found = []

    def look():
        with pytest.raises(StateError, match="no training has ended in this thread"):
            train.last_history()
        found.append(sys.exception())

    interrupted()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [None]
