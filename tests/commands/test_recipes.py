"""``minidl train --augment`` and ``--recipe``: what they set, what a user may still choose, and resuming."""

import json
import struct

import pytest
from click.testing import CliRunner

from minidl import cli
from minidl.commands.recipes import RECIPES
from minidl.data import mnist
from minidl.train.saving.checkpoints import Checkpoint
from minidl.train.saving.model_file import load

SMALL = "--layers 8 --batch-size 10 --epochs 3 --validation 10 --no-guards".split()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder of the four files of a small data set."""
    folder = tmp_path_factory.mktemp("digits")
    for name, part, count in (("train", mnist()[0], 60), ("t10k", mnist()[1], 20)):
        images, labels = part.inputs[:count].tobytes(), part.labels[:count].astype("u1").tobytes()
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + images)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels)
    return folder


def train(*arguments, code=0):
    result = CliRunner().invoke(cli.main, ["train", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def weights(run):
    return {name: array.tobytes() for name, array in load(run / "model.safetensors").state_dict().items()}


def config(run):
    return json.loads((run / "config.json").read_text())


def test_augment_trains_on_other_pictures_and_resumes_with_the_same_ones(digits, tmp_path, monkeypatch):
    train("--dataset", digits, *SMALL, "--output", tmp_path / "plain")
    train("--dataset", digits, *SMALL, "--augment", "--output", tmp_path / "whole")
    assert weights(tmp_path / "whole") != weights(tmp_path / "plain")
    assert (config(tmp_path / "whole")["augment"], config(tmp_path / "plain")["augment"]) == (True, False)

    broken = tmp_path / "broken"
    on_pause = Checkpoint.on_pause

    def stop(self, run):
        on_pause(self, run)
        if run.step == 7:  # in the middle of the second epoch
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_pause", stop)
        output = train("--dataset", digits, *SMALL, "--augment", "--checkpoint-every", 1, "--output", broken, code=130)
    assert "to go on: minidl train --resume" in output
    train("--resume", broken)
    assert weights(broken) == weights(tmp_path / "whole")


def test_a_recipe_sets_what_is_not_given(digits, tmp_path):
    few = "--layers 16 --epochs 1 --batch-size 30 --no-guards".split()
    train("--dataset", digits, "--recipe", "best", *few, "--output", tmp_path / "run")
    chosen = config(tmp_path / "run")
    assert (chosen["layers"], chosen["epochs"], chosen["batch_size"]) == ([16], 1, 30)
    for name in RECIPES["best"].keys() - {"layers", "epochs", "batch_size"}:
        assert str(chosen[name]) == str(RECIPES["best"][name]), name
    assert "recipe" not in chosen  # what it sets is there, one by one: a run resumes whatever becomes of the recipe


def test_an_unknown_recipe_is_told_which_there_are(tmp_path):
    assert "'best'" in train("--recipe", "bset", code=2)


def test_a_run_that_resumes_takes_no_recipe(tmp_path):
    assert "leave out --recipe" in train("--resume", tmp_path, "--recipe", "best", code=1)


def test_the_options_of_a_recipe_are_the_command_lines(digits):
    options = {option.name for option in cli.train.params}
    for recipe in RECIPES.values():
        assert recipe.keys() <= options
