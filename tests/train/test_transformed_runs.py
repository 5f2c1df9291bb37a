"""Runs on augmented pictures: resumed bit for bit, validated on the pictures as they are, and side by side."""

import threading

import numpy as np
import pytest
from interruption import Interrupt, Until

import minidl
from minidl import nn, optim
from minidl.data import Augment, Dataset, Loader, mnist
from minidl.errors import StateError
from minidl.train import Callback, Checkpoint, fit
from minidl.train.saving.archive import read_archive, write_archive

DIGITS = mnist()[0][:60].with_transform(Augment(shift=2, rotate=10, elastic=34))


def training(folder=None, stop=None, data=DIGITS, seed=1, callbacks=(), **options):
    """Weights, streams and rows after 3 epochs of 4 updates; None if it was broken off after `stop` updates."""
    minidl.seed(seed)
    model = nn.Sequential(nn.Dense(784, 8), nn.ReLU(), nn.Dropout(0.2), nn.Dense(8, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    callbacks = [*callbacks, *([Until(stop)] if stop is not None else [])]
    checkpoint = None if folder is None else Checkpoint(folder, 1)
    options |= {"epochs": 3, "batch_size": None if isinstance(data, Loader) else 15, "progress": False, "guards": False}
    options |= {"checkpoint": checkpoint, "resume": folder is not None, "callbacks": callbacks}
    try:
        history = fit(model, data, optimizer=optimizer, **options)
    except Interrupt:
        return None
    weights = {name: array.tobytes() for name, array in model.state_dict().items()}
    return weights, minidl.backend.rng_state(), [(row["loss"], row["accuracy"]) for row in history.rows]


@pytest.mark.parametrize("compile", [None, False])
def test_a_run_resumes_in_the_middle_of_an_epoch_with_the_same_pictures(tmp_path, compile):
    whole = training(compile=compile)
    for seed, step in enumerate((2, 4, 5, 7, 8, 9, 12), start=1):  # the first begins with the seed of the whole one
        assert training(tmp_path, step, seed=seed, compile=compile) is None
    assert training(tmp_path, seed=99, compile=compile) == whole


def test_a_run_does_not_resume_with_another_transform(tmp_path):
    training(tmp_path, stop=6)
    for other, name in ((Augment(shift=3), r"Augment\(shift=3.0"), (None, r"SHA-256 [0-9a-f]{8}, found")):
        with pytest.raises(StateError, match=rf"training data: expected .*{name}.* and transform Augment\(shift=2.0"):
            training(tmp_path, data=DIGITS.with_transform(other))
    own = tmp_path / "own"
    for _ in range(2):  # a function made anew has the name it had

        def turned(inputs, rng):
            return inputs[:, ::-1]

        finished = training(own, stop=6 if not own.exists() else None, data=DIGITS.with_transform(turned))
    assert finished is not None


def test_a_checkpoint_from_before_there_were_transforms_is_read(tmp_path):
    plain = DIGITS.with_transform(None)
    whole = training(data=plain)
    training(tmp_path, stop=6, data=plain)
    for path in tmp_path.glob("step-*.safetensors"):
        arrays, content = read_archive(path, "run")
        assert content["run"].pop("transform_seed") is None
        content.pop("sha256")
        write_archive(path, "run", arrays, content)
    assert training(tmp_path, data=plain) == whole


def test_what_is_validated_on_stays_as_it_is():
    class Looked(Callback):
        """Notes whether the validation set is part of the data as they are."""

        def on_start(self, run):
            self.found = run.validation

        def on_epoch(self, run):
            self.inputs = run.inputs

    look = Looked()
    training(validation=0.25, callbacks=[look])
    assert look.found.transform is None
    assert {row.tobytes() for row in look.found.inputs} <= {row.tobytes() for row in DIGITS.inputs}
    assert look.inputs.shape == (45, 784)  # of the training, made anew
    assert not {row.tobytes() for row in look.inputs} & {row.tobytes() for row in DIGITS.inputs}

    by_share = training(validation=DIGITS)
    assert by_share == training(validation=DIGITS.with_transform(None))  # nor is it drawn for


def test_trainings_side_by_side_share_a_loader_and_not_its_pictures():
    loader = Loader(DIGITS, 15)
    alone = training(data=loader)

    class Beside(Callback):
        """Makes a whole other epoch of the loader's between two updates."""

        def on_pause(self, run):
            thread = threading.Thread(target=lambda: list(loader))
            thread.start()
            thread.join()

        def interval(self, run):
            return 1

    assert training(data=loader, callbacks=[Beside()])[0] == alone[0]


def test_guards_look_at_a_few_samples_without_drawing_for_them():
    def rows(guards):
        minidl.seed(1)
        model = nn.Sequential(nn.Dense(784, 10))
        optimizer = optim.Adam(model.parameters())
        history = fit(model, DIGITS, optimizer=optimizer, epochs=2, batch_size=15, progress=False, guards=guards)
        return [(row["loss"], row["accuracy"]) for row in history.rows]

    assert rows(guards=True) == rows(guards=False)


def test_not_finite_numbers_that_a_transform_makes_are_named_with_their_sample():
    def spoilt(inputs, rng):
        inputs[7] = np.nan
        return inputs

    data = Dataset(DIGITS.inputs.astype(np.float32), DIGITS.labels, name="digits", transform=spoilt)
    with pytest.raises(minidl.errors.NonFiniteError, match="first in sample 7 of digits, as its transform gives it"):
        training(data=data)
