"""A training that is interrupted and resumed: bit for bit the one that never stopped."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzz_checkpoints import signed
from interruption import Interrupt, Until

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import DataError, OptionError, StateError, WriteError
from minidl.train import Callback, Checkpoint, EarlyStopping, fit
from minidl.train.saving.archive import read_archive

RNG = np.random.default_rng(3)
INPUTS = RNG.normal(size=(110, 6)).astype(np.float32)
DATA = Dataset(INPUTS[:90], (INPUTS[:90, 0] > 0).astype(int))
HELD_OUT = Dataset(INPUTS[90:], (INPUTS[90:, 1] > 0).astype(int))  # hopeless: EarlyStopping has something to count


def network():
    return nn.Sequential(nn.Dense(6, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2), nn.Dense(8, 2))


def training(folder=None, rule=optim.Adam, stop=None, resume=False, seed=1, data=DATA, every=1, **options):
    """Model, optimizer and history of 4 epochs of 6 updates (the last of 15 samples), perhaps broken off."""
    minidl.seed(seed)
    model = options.pop("model", None) or network()
    optimizer = rule(model.parameters(), lr=options.pop("lr", optim.schedules.cosine(0.05, 24)))
    callbacks = [
        *([EarlyStopping(patience=9)] if options.pop("early", True) else []),
        *options.pop("callbacks", []),
        *([Until(stop)] if stop is not None else []),
    ]
    settings = {"epochs": 4, "batch_size": 15, "validation": HELD_OUT, "progress": False, "guards": False} | options
    if folder is not None:
        settings |= {"checkpoint": Checkpoint(folder, every), "resume": resume}
    try:
        history = fit(model, data, optimizer=optimizer, callbacks=callbacks, **settings)
    except Interrupt:
        history = None
    return model, optimizer, history


def bits(model, optimizer, history):
    """All that must be equal."""
    state = optimizer.state_dict()
    arrays = {**model.state_dict(), **{f"optimizer {name}": vector for name, vector in state["state"].items()}}
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "engine")} for row in history.rows]
    return {name: a.tobytes() for name, a in arrays.items()}, state["t"], rows, minidl.backend.rng_state()


@pytest.mark.slow
@pytest.mark.parametrize("rule", optim.Optimizer.__subclasses__(), ids=lambda rule: rule.__name__)
def test_every_rule_goes_on_bit_for_bit(rule, tmp_path):
    whole = bits(*training(rule=rule))
    training(tmp_path, rule, stop=8)
    assert bits(*training(tmp_path, rule, resume=True, seed=77)) == whole


@pytest.mark.slow
def test_it_does_so_from_every_step(tmp_path):
    whole = bits(*training())
    for step in range(2, 25):  # it breaks off before that step's checkpoint: the one before serves
        training(tmp_path / str(step), stop=step)
        assert bits(*training(tmp_path / str(step), resume=True, seed=77)) == whole, f"interrupted at step {step}"


def test_it_does_so_after_many_interruptions(tmp_path):
    whole = bits(*training())
    for step in (3, 4, 9, 12, 13, 20, 24):
        training(tmp_path, stop=step, resume=True)
    assert bits(*training(tmp_path, resume=True)) == whole


def test_a_run_that_early_stopping_ended_stays_ended_with_its_best_model(tmp_path):
    patience = {"callbacks": [EarlyStopping(patience=1)]}
    whole = training(lr=0.5, **patience)
    assert len(whole[2]) < 4
    training(tmp_path, stop=whole[2][-1]["step"], lr=0.5, **patience)
    assert bits(*training(tmp_path, resume=True, lr=0.5, **patience)) == bits(*whole)
    assert bits(*training(tmp_path, resume=True, lr=0.5, **patience)) == bits(*whole)


def test_a_loader_with_an_order_of_its_own_resumes_in_it(tmp_path):
    class Backwards(Loader):
        def order(self):
            return super().order()[::-1]

    whole = bits(*training(data=Backwards(DATA, 15)))
    training(tmp_path, stop=4, data=Backwards(DATA, 15))
    assert bits(*training(tmp_path, resume=True, data=Backwards(DATA, 15))) == whole


def test_the_plateau_schedule_remembers(tmp_path):
    class Tell(Callback):
        def __init__(self, plateau):
            self.plateau = plateau

        def on_epoch(self, run):
            self.plateau.update(run.history[-1]["validation_loss"])

    def run(folder=None, **options):
        plateau = optim.schedules.Plateau(0.1, factor=0.5, patience=0)
        return training(folder, lr=plateau, callbacks=[Tell(plateau)], **options)

    whole = bits(*run())
    run(tmp_path, stop=20)
    assert bits(*run(tmp_path, resume=True)) == whole


def test_more_epochs_may_be_asked_for(tmp_path):
    training(tmp_path, epochs=2, lr=0.05)
    assert bits(*training(tmp_path, epochs=4, lr=0.05, resume=True)) == bits(*training(epochs=4, lr=0.05))


@pytest.mark.slow
def test_a_run_of_thousands_of_epochs_goes_on(tmp_path):
    def run(folder, epochs):
        minidl.seed(0)
        model = nn.Sequential(nn.Dense(6, 2))
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        history = fit(model, DATA[:20], optimizer=optimizer, epochs=epochs, batch_size=20, checkpoint=Checkpoint(folder, "1000 epochs"),
                      resume=True, progress=False, guards=False)  # fmt: skip
        return bits(model, optimizer, history)

    run(tmp_path / "stopped", 2500)
    assert run(tmp_path / "stopped", 2600) == run(tmp_path / "whole", 2600)
    assert not list(tmp_path.rglob("*.damaged"))


# when, and where


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize(
    ("every", "steps"),
    [(5, (20, 24)), ("7 steps", (21, 24)), ("1 epoch", (18, 24)), ("3 epochs", (18, 24)), ("100 s", (24,)), ("100 seconds", (24,))],
)  # fmt: skip
def test_checkpoints_are_taken_when_asked_for_and_two_are_kept(every, steps, tmp_path):
    training(tmp_path, every=every)
    assert names(tmp_path) == ["latest.safetensors", *[f"step-{step:08}.safetensors" for step in steps]]
    assert (tmp_path / "latest.safetensors").resolve().name == f"step-{steps[-1]:08}.safetensors"


@pytest.mark.parametrize("every", [0, -1, "x", "1.5 s", "2 days", "0 steps", True, ""])
def test_a_period_that_is_none_is_refused(every, tmp_path):
    with pytest.raises(OptionError, match='such as "500 steps", "2 epochs" or "30 s"'):
        Checkpoint(tmp_path, every)


def test_the_best_model_is_kept_and_remembered(tmp_path):
    def run(**options):
        minidl.seed(2)
        model = network()
        keep = Checkpoint(tmp_path, 1, best="validation_accuracy")
        callbacks = [Until(options["stop"])] if "stop" in options else []
        optimizer = optim.Nesterov(model.parameters(), lr=0.1)
        history = fit(model, DATA, optimizer=optimizer, epochs=4, batch_size=15, validation=HELD_OUT, callbacks=callbacks,
                      checkpoint=keep, resume=True, progress=False)  # fmt: skip
        return max(history["validation_accuracy"])

    with pytest.raises(Interrupt):
        run(stop=14)
    best = run()
    assert minidl.train.evaluate(minidl.load(tmp_path / "best.safetensors"), HELD_OUT)["accuracy"] == best
    assert read_archive(tmp_path / "best.safetensors", "model")[1]["notes"]["validation_accuracy"] == best


def test_a_resumed_run_knows_how_good_the_best_model_was(tmp_path):
    class Scripted(Callback):
        def on_epoch(self, run):
            run.history[-1]["validation_loss"] = [0.5, 0.1, 0.4, 0.3][run.epoch - 1]

    def run(*callbacks):
        model = network()
        fit(model, DATA, optimizer=optim.SGD(model.parameters()), epochs=4, batch_size=15, validation=HELD_OUT,
            callbacks=[Scripted(), *callbacks], checkpoint=Checkpoint(tmp_path, 1, best="validation_loss"), resume=True,
            progress=False)  # fmt: skip

    with pytest.raises(Interrupt):
        run(Until(14))
    run()
    assert read_archive(tmp_path / "best.safetensors", "model")[1]["notes"]["epoch"] == 2


def test_the_file_names_the_weights_plainly(tmp_path):
    from safetensors.numpy import load_file

    model, optimizer, _ = training(tmp_path, early=False)
    arrays = load_file(tmp_path / "latest.safetensors")
    for name, array in model.state_dict().items():
        assert arrays[f"model.{name}"].tobytes() == array.tobytes()
    assert arrays["optimizer.state.v"].tobytes() == optimizer.state["v"].tobytes()


# what is said, and what is refused


def test_a_folder_with_checkpoints_is_not_begun_anew_in_by_mistake(tmp_path):
    training(tmp_path, stop=3)
    with pytest.raises(OptionError, match="holds the checkpoints of a run: pass resume=True"):
        training(tmp_path)


def test_resume_wants_a_folder():
    with pytest.raises(OptionError, match="tell it what to go on from, with checkpoint="):
        fit(network(), DATA, optimizer=optim.SGD(network().parameters()), epochs=1, batch_size=9, resume=True)


def test_a_damaged_checkpoint_is_said_and_the_one_before_serves(tmp_path):
    training(tmp_path, stop=10)
    newest = tmp_path / "step-00000009.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(
        UserWarning, match="00009.safetensors: damaged or cut short: .*; going on from the one before, step-00000008"
    ):
        resumed = training(tmp_path, resume=True)
    assert bits(*resumed) == bits(*training())
    assert "step-00000009.safetensors.damaged" in names(tmp_path)


def test_if_all_are_damaged_each_is_named(tmp_path):
    training(tmp_path, stop=10)
    for file in tmp_path.glob("step-*"):
        file.write_bytes(b"\0" * 1000)
    with pytest.raises(DataError, match="none of its checkpoints can be read(.|\n)*step-00000009(.|\n)*step-00000008"):
        training(tmp_path, resume=True)


def test_every_mismatch_is_listed_at_once_and_nothing_is_changed(tmp_path):
    training(tmp_path, stop=9)
    other = nn.Sequential(nn.Dense(6, 9), nn.BatchNorm(9), nn.ReLU(), nn.Dropout(0.2), nn.Dense(9, 2))
    before = other.state_dict()
    with pytest.raises(StateError) as refused:
        training(tmp_path, optim.SGD, resume=True, model=other, data=DATA[:50])
    for words in ("layers.0.weight: expected float32[6, 9], found float32[6, 8]", "layers.1.running_var",
                  "optimizer: it is the state of Adam, not of SGD", "updates in an epoch: expected 4, found 6",
                  "training data: expected 50 samples"):  # fmt: skip
        assert words in str(refused.value)
    assert all((before[name] == array).all() for name, array in other.state_dict().items())
    assert len(names(tmp_path)) == 3


def test_a_layer_of_another_kind_is_a_mismatch_too(tmp_path):
    training(tmp_path, stop=9)
    other = nn.Sequential(nn.Dense(6, 8), nn.BatchNorm(8), nn.Tanh(), nn.Dropout(0.2), nn.Dense(8, 2))
    with pytest.raises(StateError, match=r"expected layers.2: Tanh\(\), found layers.2: ReLU\(\)"):
        training(tmp_path, resume=True, model=other)


def test_other_circumstances_are_said(tmp_path):
    training(tmp_path, stop=10)
    file = tmp_path / "step-00000009.safetensors"
    file.write_bytes(signed(re.sub(rb'(BLAS threads\\":) \d+', rb"\1 7", file.read_bytes())))
    with pytest.warns(
        UserWarning, match=r"may differ from .* BLAS threads was 7, is \d+; schedules was .*24.* is .*48"
    ):
        training(tmp_path, resume=True, lr=optim.schedules.cosine(0.05, 48))


def test_a_folder_in_use_is_refused(tmp_path):
    program = f"from pathlib import Path; from minidl.train.saving.lock import locked; l = locked(Path({str(tmp_path)!r})); " \
              f"l.__enter__(); print('held', flush=True); input()"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(WriteError, match=f"in use by process {holder.pid}, which is training there"):
            training(tmp_path)
        holder.kill()
    training(tmp_path)  # the lock ended with its holder


def test_a_finished_run_says_that_there_is_nothing_to_do(tmp_path, capsys):
    training(tmp_path)
    training(tmp_path, resume=True, progress=True)
    assert "finished after step 24 (epoch 4, batch 6 of 6): nothing to do" in capsys.readouterr().out


def test_what_a_killed_save_left_behind_is_cleared_away(tmp_path):
    (tmp_path / ".step-00000003.safetensors.77.tmp").write_bytes(b"half")
    training(tmp_path)
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.slow
def test_ten_processes_killed_at_random_resume_bit_for_bit():
    harness = Path(__file__).parents[1] / "support" / "kill_harness.py"
    result = subprocess.run([sys.executable, harness, "--kills", "10"], capture_output=True, text=True, timeout=500)
    assert result.returncode == 0, result.stderr
    assert "10 kills, " in result.stdout
    assert "0 runs unresumable, 0 bits differ" in result.stdout
