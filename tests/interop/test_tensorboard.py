"""What TensorBoard would show of a training: read from its files, as it reads them."""

import struct
import sys

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from minidl import nn, optim, train
from minidl.data import Dataset
from minidl.errors import MissingExtraError, WriteError

X = np.random.default_rng(0).normal(size=(40, 3)).astype("f4")
DATA = Dataset(X, (X[:, 0] > 0).astype(int))


def events(folder):
    """The records of all files in a folder, in the order in which TensorBoard reads them."""
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("Q", content[:8])  # and behind it, and behind the record, a checksum
            yield Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]


def shown(folder):
    """The points of each chart: a session that starts at a step takes away those from there on."""
    charts = {}
    for event in events(folder):
        if event.session_log.status == SessionLog.START:
            for points in charts.values():
                points[:] = [point for point in points if point[0] < event.step]
        for value in event.summary.value:
            charts.setdefault(value.tag, []).append((event.step, value.simple_value))
    return charts


def fit(folder, epochs, batch_size=10, **options):
    model = nn.Sequential(nn.Dense(3, 2))
    callbacks = [train.TensorBoard(folder / "board"), *options.pop("callbacks", [])]
    return train.fit(
        model, DATA, optimizer=optim.SGD(model.parameters()), batch_size=batch_size, epochs=epochs,
        validation=DATA, progress=False, callbacks=callbacks, **options,
    )  # fmt: skip


def test_every_number_of_the_history_is_a_point_at_its_step(tmp_path):
    history = fit(tmp_path, 3)
    charts = shown(tmp_path / "board")
    names = {"loss", "validation_loss", "accuracy", "validation_accuracy", "lr", "seconds"}
    assert set(charts) == {
        "loss/train", "loss/validation", "accuracy/train", "accuracy/validation", "lr/train", "seconds/train",
    }  # fmt: skip
    for name in names:
        tag = name.replace("validation_", "") + ("/validation" if "validation" in name else "/train")
        expected = list(zip(history["step"], history[name], strict=True))
        np.testing.assert_allclose(charts[tag], expected, rtol=1e-6)
    assert history["step"] == [4, 8, 12]


def test_a_resumed_run_shows_each_epoch_once(tmp_path):
    class Broken(train.Callback):
        def on_epoch(self, run):
            if run.epoch == 4:
                raise RuntimeError("the machine went off")

    every = train.Checkpoint(tmp_path / "run", "3 epochs")
    with pytest.raises(RuntimeError):
        fit(tmp_path, 6, checkpoint=every, callbacks=[Broken()])
    assert [step for step, _ in shown(tmp_path / "board")["loss/train"]] == [4, 8, 12, 16]
    history = fit(tmp_path, 6, checkpoint=every, resume=True)
    assert len(history) == 6
    np.testing.assert_allclose(
        shown(tmp_path / "board")["loss/train"], list(zip(history["step"], history["loss"], strict=True)), rtol=1e-6
    )


def test_a_run_that_begins_anew_takes_the_place_of_the_one_before(tmp_path):
    fit(tmp_path, 3)
    history = fit(tmp_path, 2)
    points = shown(tmp_path / "board")["loss/train"]
    np.testing.assert_allclose(points, list(zip(history["step"], history["loss"], strict=True)), rtol=1e-6)


def test_it_keeps_steps_compiled(tmp_path):
    assert fit(tmp_path, 1, batch_size=1).reason is None


def test_without_tensorboardx_the_extra_is_named_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'minidl\[tensorboard\]'"):
        fit(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_trained(tmp_path):
    (tmp_path / "board").write_text("a file")
    with pytest.raises(WriteError, match="board: no such folder can be made"):
        fit(tmp_path, 1)
