"""A study in Python: planned, carried out, gone on with, and asked for its results."""

import csv
import pickle
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
import trainings
from trainings import SPACE, bowl, mixed, no_dict

from minidl.errors import DataError, MissingExtraError, OptionError, StateError, WriteError
from minidl.study import LogUniform, Study, Uniform
from minidl.study.pickling import pickled
from minidl.train.saving.lock import locked


def ran(folder, train=bowl, trials=10, seeds=2, space=SPACE, **options):
    """A study that was carried out by a thread of this process."""
    made = Study(folder, space=space, trials=trials, seeds=seeds, train=train, **options)
    with ThreadPoolExecutor(1) as executor:
        made.run(1, executor, progress=False)
    return made


def test_every_trial_is_carried_out_once_and_the_best_has_the_best_median(tmp_path):
    made = ran(tmp_path)
    table = made.table()
    assert made.counts().done == len(table["lr"]) == 20
    assert set(table["attempts"]) == {1}
    assert np.array_equal(table["lr_used"], table["lr"])
    best = made.best("loss")
    medians = [np.median(table["loss"][table["point"] == point]) for point in range(10)]
    assert (best.point, best.value) == (np.argmin(medians), min(medians))
    assert len(best.values) == 2
    assert made.best("loss", mode="max").value == max(medians)


def test_what_was_done_is_not_done_again_and_more_trials_are_added(tmp_path):
    ran(tmp_path, trials=4)
    before = list(Study(tmp_path).rows())
    larger = ran(tmp_path, trials=6)
    assert larger.rows()[:8] == before
    assert larger.digest() == ran(tmp_path / "other", trials=6).digest()


def test_a_folder_with_another_study_is_refused_and_the_difference_named(tmp_path):
    Study(tmp_path, space=SPACE, trials=2)
    with pytest.raises(StateError, match=r"its lr is 1e-05\.\.0\.1:log, not 1e-05\.\.1:log"):
        Study(tmp_path, space={"lr": LogUniform(1e-5, 1)}, trials=2)
    with pytest.raises(StateError, match=r"its seeds are \[0\], not \[0, 1\]"):
        Study(tmp_path, space=SPACE, trials=2, seeds=2)
    with pytest.raises(StateError, match="its beta is left out, not 0..1"):
        Study(tmp_path, space=SPACE | {"beta": Uniform(0, 1)}, trials=2)


def test_trials_that_fail_or_diverge_stay_in_the_table_and_count_as_worst(tmp_path):
    made = ran(tmp_path, mixed, trials=40, seeds=1)
    table = made.table()
    counts = made.counts()
    assert counts.failed == sum(table["lr"] > 0.01) > 0
    assert counts.diverged == sum((table["lr"] > 0.0001) & (table["lr"] <= 0.01)) > 0
    assert counts.ended == 40
    assert np.isnan(table["loss"][table["state"] != "done"]).all()
    failed = table["error"][table["state"] == "failed"]
    assert failed[0].startswith("ValueError: no such file (trainings.py:")
    assert "step 3" in " ".join(filter(None, table["error"][table["state"] == "diverged"]))
    assert made.best("loss").config["lr"] <= 0.0001
    assert made.best("loss", mode="max").config["lr"] <= 0.0001  # worst, whichever is better


def test_failed_trials_are_planned_again_and_diverged_ones_are_not(tmp_path):
    counts = ran(tmp_path, mixed, trials=40).counts()
    made = Study(tmp_path)
    assert made.retry() == counts.failed
    assert made.counts().planned == counts.failed
    assert made.counts().diverged == counts.diverged


def test_numbers_come_out_as_arrays_csv_and_what_any_reader_of_sqlite_sees(tmp_path):
    made = ran(tmp_path, trials=3)
    made.to_csv(tmp_path / "all.csv")
    with open(tmp_path / "all.csv", newline="") as file:
        read = list(csv.DictReader(file))
    table = made.table()
    assert [float(row["loss"]) for row in read] == table["loss"].tolist()
    assert read[0]["curve"] == "[1.0, 0.5]"
    with closing(sqlite3.connect(tmp_path / "study.sqlite")) as file:
        asked = file.execute("SELECT json_extract(result, '$.loss') FROM trials ORDER BY id").fetchall()
    assert [loss for (loss,) in asked] == table["loss"].tolist()
    with pytest.raises(WriteError, match="cannot be written"):
        made.to_csv(tmp_path / "no" / "all.csv")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path):
    made = ran(tmp_path, trials=3)
    try:
        from pyarrow import parquet
    except ImportError:
        with pytest.raises(MissingExtraError, match="pip install pyarrow"):
            made.to_parquet(tmp_path / "all.parquet")
        return
    made.to_parquet(tmp_path / "all.parquet")
    assert parquet.read_table(tmp_path / "all.parquet")["loss"].to_pylist() == made.table()["loss"].tolist()


def test_a_second_driver_is_refused_by_the_number_of_the_first(tmp_path):
    made = Study(tmp_path, space=SPACE, trials=2, train=bowl)
    with locked(tmp_path), pytest.raises(WriteError, match=r"in use by process \d+"):
        made.run(progress=False)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda made: made.run(timeout=0), OptionError, "give seconds"),
        (lambda made: made.run(workers=0), OptionError, "workers must be an integer"),
        (lambda made: made.run(executor="crowd"), OptionError, "give 'loky'"),
        (lambda made: Study(made.folder).run(), OptionError, "train=function"),
        (lambda made: made.best("loss"), OptionError, "there are no results yet"),
        (lambda made: Study(made.folder / "no"), DataError, "no study is kept there"),
        (lambda made: Study(made.folder, space=SPACE, train="adam"), OptionError, "give a function"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(tmp_path, call, error, said):
    made = Study(tmp_path, space=SPACE, trials=1, train=bowl)
    with pytest.raises(error, match=said) as found:
        call(made)
    assert "\n" not in str(found.value)


def test_a_function_that_returns_no_dict_fails_and_one_that_cannot_be_sent_is_refused(tmp_path):
    table = ran(tmp_path, no_dict, trials=1, seeds=1).table()
    assert "dict of numbers, got float" in table["error"][0]
    lock = threading.Lock()
    with pytest.raises(StateError, match="cannot be sent to workers"):
        Study(tmp_path, space=SPACE, trials=1, train=lambda config, seed: lock).run(progress=False)


def test_a_file_that_is_no_study_is_refused(tmp_path):
    (tmp_path / "study.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match="is no study, or damaged"):
        Study(tmp_path).rows()


def test_what_a_train_function_keeps_is_there_at_the_next_trial(tmp_path):
    trainings.loads.clear()
    table = ran(tmp_path, trainings.whose, trials=3, seeds=1).table()
    assert table["seen"].tolist() == [1, 2, 3]
    assert set(table["limit"]) == {1}


def test_a_function_of_a_script_goes_to_workers_with_the_cached_functions_that_it_calls():
    source = """
import functools
made = []
@functools.cache
def data():
    made.append(1)
    return 5
def train(config, seed):
    return {"data": data(), "made": len(made)}
"""
    script = {"__name__": "no_such_module"}
    exec(source, script)
    train = pickle.loads(pickled(script["train"]))
    script["data"] = None
    assert [train({}, 0), train({}, 1)] == [{"data": 5, "made": 1}] * 2


@pytest.fixture
def learned(tmp_path):
    pytest.importorskip("optuna")
    return ran(tmp_path / "tpe", trials=30, sampler="tpe")


@pytest.mark.slow
def test_optunas_points_come_closer_to_the_best_and_the_first_are_the_plans(learned, tmp_path):
    table = learned.table()
    assert learned.counts().done == 60
    away = np.abs(np.log10(table["lr"]) + 3)
    assert np.median(away[table["point"] >= 20]) < np.median(away[table["point"] < 10])
    assert min(away) < min(away[table["point"] < 10])
    assert np.array_equal(table["lr"][:20], ran(tmp_path / "halton", trials=10).table()["lr"])


@pytest.mark.slow
def test_optunas_points_are_the_same_after_an_interruption(learned, tmp_path):
    for trials in (5, 10, 20, 30):
        again = ran(tmp_path / "again", trials=trials, sampler="tpe")
    assert again.digest() == learned.digest()
    with pytest.raises(StateError, match="its sampler are tpe, not halton"):
        Study(tmp_path / "again", space=SPACE, seeds=2)


def test_a_sampler_that_is_none_is_refused(tmp_path):
    with pytest.raises(OptionError, match="choose one of 'halton', 'tpe'"):
        Study(tmp_path, space=SPACE, sampler="cma")


@pytest.mark.parametrize(
    ("absent", "said", "extra"),
    [
        ("scipy", "studies need SciPy", "study"),
        ("loky", "sweeps and studies need loky", "study"),
        ("optuna", "needs Optuna", "tune"),
    ],
)
def test_a_missing_extra_is_named_with_the_way_to_get_it(tmp_path, monkeypatch, absent, said, extra):
    made = ran(tmp_path, sampler="tpe")
    larger = {"space": SPACE, "seeds": 2, "trials": 12, "sampler": "tpe", "train": bowl}
    for name in [name for name in sys.modules if name.partition(".")[0] == absent]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(MissingExtraError, match=rf"{said}: pip install 'minidl\[{extra}\]'"):
        Study(made.folder, **larger).run(progress=False)
