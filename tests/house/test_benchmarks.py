"""The benchmark runs, judges no time, and says so when someone does not train as the others do."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks import judgement, report
from benchmarks.__main__ import SECTIONS
from benchmarks.analysis import best, ratio
from benchmarks.contenders import CONTENDERS, LOOPS, REFERENCE, reference, threads_of
from benchmarks.contenders import minidl as contender
from benchmarks.judgement import differs
from benchmarks.machine import family
from benchmarks.report import BLOCK, RESULTS, kept, quote, tables
from benchmarks.runner import Bench, share_samples
from benchmarks.sections import busy, steps
from benchmarks.workloads import RESIDUAL, WORKLOADS, Samples
from minidl.data import mnist

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What one small run of the whole benchmark leaves, with minidl alone."""
    folder = tmp_path_factory.mktemp("benchmark")
    command = [sys.executable, "-W", "error", "-m", "benchmarks", "W1", *SECTIONS, "--smoke", "--only", "minidl"]
    done = subprocess.run([*command, "--output", str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def result(output):
    return json.loads((output / "results.json").read_text())


@pytest.mark.slow
def test_one_command_leaves_raw_timings_tables_and_a_picture(output, result):
    assert result["rounds"] == 1
    assert result["machine"]["cores"] >= 1
    assert result["machine"]["command"].startswith("python -m benchmarks W1")
    assert result["versions"]["minidl"]["numpy"] == np.__version__
    assert set(result["sections"]) == set(SECTIONS)
    timings = result["sections"]["steps"]["W1"]["us"]
    assert set(timings) == {"floor", "minidl"}
    assert all(len(values) == 1 and values[0] > 0 for one in timings.values() for values in one.values())
    assert (output / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert {found[1] for found in BLOCK.findall((output / "tables.md").read_text())} == set(tables(result))


@pytest.mark.slow
def test_nothing_of_it_failed(result):
    for name, section in result["sections"].items():
        parts = section.values() if name in ("steps", "loops", "models", "growth") else [section]
        assert [part["skipped"] for part in parts] == [{}] * len(parts)


@pytest.mark.slow
def test_every_table_has_a_line_for_minidl(result):
    made = tables(result)
    assert set(made) == {"machine", "W1", *SECTIONS}
    for name in set(made) - {"machine"}:
        assert "\n| minidl" in made[name], name


@pytest.mark.slow
def test_minidl_trains_as_float64_does_by_its_losses_and_its_weights(result):
    for variant, apart in result["sections"]["steps"]["W1"]["apart"]["minidl"].items():
        assert apart["losses"] < 1e-5, variant
        assert apart["weights"] < 1e-3, variant
    assert "Not the same training" not in tables(result)["steps"]


@pytest.mark.slow
def test_own_loops_and_compiled_steps_train_as_float64_does(result):
    for section in ("loops", "models"):
        for name, one in result["sections"][section].items():
            assert set(one["apart"]["minidl"]) == {"own loop", "compiled step"}
            for variant, apart in one["apart"]["minidl"].items():
                assert apart["losses"] < 1e-4, (name, variant)
                assert apart["weights"] < 0.01, (name, variant)
        assert "Not the same training" not in tables(result)[section]


@pytest.mark.slow
def test_a_long_run_and_a_busy_machine_are_measured_for_own_loops_too(result):
    assert set(result["sections"]["long"]["us"]) == {"minidl, fit", "minidl, own loop"}
    assert {len(rounds[0]) for rounds in result["sections"]["long"]["us"].values()} == {15}
    assert set(result["sections"]["busy"]["us"]["minidl"]) == {"own loop", "compiled step"}


MINIDL = next(c for c in CONTENDERS if c.name == "minidl")


@pytest.fixture
def trained(tmp_path):
    """What a contender hands over to be judged, on a few steps, here in this process."""
    rng = np.random.default_rng(3)
    samples = Samples(rng.integers(256, size=(400, 784), dtype=np.uint8), rng.integers(10, size=400))
    share_samples(tmp_path, samples, samples)

    def run(workload, module, variant):
        request = {"workload": vars(workload), "variants": [variant], "share": 1, "check": True, "module": module}
        return steps.work(request | {"folder": str(tmp_path)})[variant]

    return run


@pytest.fixture
def judged(tmp_path, trained):
    """How far a contender's training is from float64's."""

    def compared(workload, module="minidl", variant="fit", wrong=None):
        truth = trained(workload, REFERENCE.module, "eps")
        truth["weights"] = shutil.copy(truth["weights"], tmp_path / "truth.npz")
        with pytest.MonkeyPatch.context() as patch:
            if wrong is not None:
                wrong(patch)
            one = trained(workload, module, variant)
        return judgement.compare(tmp_path, workload, MINIDL, one, {"eps": truth})

    return compared


def few(name):
    """Some steps of a workload, or of the residual network."""
    workload = {**WORKLOADS, RESIDUAL.name: RESIDUAL}[name]
    return replace(workload, steps=24, batch=min(workload.batch, 16))


NAMES = [pytest.param(name, marks=pytest.mark.slow) if name == "W3" else name for name in WORKLOADS]


@pytest.mark.parametrize("name", NAMES)
def test_minidl_and_float64_make_the_same_steps_on_every_workload(judged, name):
    found = judged(few(name))
    assert found["losses"] < 1e-4
    assert found["weights"] < 0.01


@pytest.mark.parametrize("variant", ["own loop", "compiled step"])
@pytest.mark.parametrize("name", ["W1", "residual"])
def test_loops_of_ones_own_take_the_samples_that_everyone_takes_and_learn_the_same(judged, name, variant):
    found = judged(few(name), variant=variant)
    assert found["losses"] < 1e-4
    assert found["weights"] < 0.01


@pytest.mark.slow
def test_other_initial_weights_are_noticed(judged, result):
    assert not differs(WORKLOADS["W1"], judged(few("W1")))
    true_initial = contender.initial
    other = lambda workload: [1.001 * w for w in true_initial(workload)]
    found = judged(few("W1"), wrong=lambda patch: patch.setattr(contender, "initial", other))
    assert found["losses"] > judgement.LOSSES
    assert differs(WORKLOADS["W1"], found)
    one = {**result["sections"]["steps"]["W1"], "apart": {"minidl": {"fit": found}}}
    shown = tables({**result, "sections": {"steps": {"W1": one}}})
    assert "Not the same training" in shown["steps"]
    assert "minidl, fit is off float64" in shown["W1"]


def test_steps_on_other_samples_while_it_is_timed_are_noticed(judged):
    honest = contender.Fitting.stretches
    backwards = lambda self, parts: honest(self, [part[::-1] for part in parts])
    found = judged(few("W1"), wrong=lambda patch: patch.setattr(contender.Fitting, "stretches", backwards))
    assert found["losses"] < judgement.LOSSES  # those come from a run of their own
    assert differs(WORKLOADS["W1"], found)


def wrong_rate(patch):
    true_rule = contender.rule
    patch.setattr(contender, "rule", lambda workload, model, lr: true_rule(workload, model, 1.01 * lr))


def wrong_eps(patch):
    patch.setattr(contender, "EPS", 1e-6)


def no_bias_correction(patch):
    true_update = reference.update
    patch.setattr(reference, "update", lambda workload, t, *rest: true_update(workload, 10**9, *rest))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module", "wrong"),
    [
        ("W1", "minidl", wrong_rate),
        ("W2", "minidl", wrong_rate),
        ("W4", "minidl", wrong_rate),
        ("residual", "minidl", wrong_rate),
        ("W2", "minidl", wrong_eps),
        ("W2", "reference", no_bias_correction),
    ],
)
def test_another_training_is_noticed(judged, name, module, wrong):
    variant = {"reference": "eps", "minidl": "own loop"}[module]
    assert not differs(few(name), judged(few(name), module, variant))
    assert differs(few(name), judged(few(name), module, variant, wrong))


@pytest.fixture
def ties(tmp_path, trained, monkeypatch):
    """A small training with ties that matter, float64's result, and by how much its weights change if one is turned."""
    monkeypatch.setattr(reference, "TIE", 0.01)
    workload = replace(WORKLOADS["W1"], sizes=(784, 16, 10), batch=4, steps=24, lr=0.01)
    truth = trained(workload, REFERENCE.module, "eps")
    truth["weights"] = shutil.copy(truth["weights"], tmp_path / "truth.npz")
    weights, met = judgement._decided(tmp_path, workload, "eps", frozenset())
    moved = {place: judgement._decided(tmp_path, workload, "eps", frozenset([place]))[0] for place in met}
    return workload, truth, weights, moved


def compare_weights(folder, workload, truth, weights):
    """The judgement on someone with float64's losses and these weights."""
    np.savez(folder / "one.npz", weights)
    one = {"losses": truth["losses"], "weights": str(folder / "one.npz")}
    return judgement.compare(folder, workload, MINIDL, one, {"eps": truth})


def test_a_tie_at_a_kink_that_rounding_decides_the_other_way_is_no_verdict_on_anyone(tmp_path, ties, monkeypatch):
    workload, truth, weights, moved = ties
    place = max(list(moved)[: judgement.TRIED], key=lambda place: np.abs(moved[place] - weights).max())
    found = compare_weights(tmp_path, workload, truth, moved[place])
    assert found["weights"] < 1e-6
    assert found["ties"] == 1
    assert not differs(workload, found)
    monkeypatch.setattr(judgement, "TURNED", 0)  # without looking for ties, this would be another training
    assert differs(workload, compare_weights(tmp_path, workload, truth, moved[place]))


@pytest.mark.slow
def test_one_tie_of_w1_moves_its_weights_by_a_twentieth_of_their_way(tmp_path):
    train = mnist()[0]
    share_samples(tmp_path, *[Samples(train.inputs, train.labels)] * 2)
    weights, met = judgement._decided(tmp_path, WORKLOADS["W1"], "eps", frozenset())
    tie = 240, 0, 29, 108
    assert tie in met[:2]
    turned = judgement._decided(tmp_path, WORKLOADS["W1"], "eps", frozenset([tie]))[0]
    assert judgement._distance(WORKLOADS["W1"], turned, weights) == pytest.approx(0.049, abs=0.0005)


def test_ties_excuse_no_other_training_whose_first_losses_are_right(tmp_path, ties, trained):
    workload, truth, _, _ = ties
    with pytest.MonkeyPatch.context() as patch:
        wrong_rate(patch)
        one = trained(replace(workload, lr=1.05 * workload.lr), "minidl", "own loop")
    weights = np.concatenate([array.ravel() for array in np.load(one["weights"]).values()])
    found = compare_weights(tmp_path, workload, truth, weights)
    assert found["weights"] > judgement.WEIGHTS
    assert differs(workload, found)


def test_the_table_says_for_whom_ties_were_decided_otherwise():
    one = {"apart": {"PyTorch": {"fused": {"losses": 1e-7, "weights": 9e-7, "ties": 1}}}}
    told = report._differences("W1", one)
    assert "PyTorch, fused is off by 1.0e-07 in its losses, 9.0e-07 in its weights from float64 with 1 tied" in told
    assert "Not the same training" not in told


def test_a_value_that_is_not_a_number_is_a_difference():
    assert differs(WORKLOADS["W1"], {"losses": float("nan")})
    assert differs(WORKLOADS["W2"], {"losses": 0.0, "weights": float("nan")})


def test_minidls_fit_takes_the_samples_in_the_order_that_everyone_takes():
    samples = Samples(np.arange(50, dtype=np.uint8)[:, None], np.arange(50) % 10)
    batches = np.random.default_rng(0).integers(50, size=(4, 5))
    loader = contender.prescribed(samples, batches)
    seen = [np.rint(x[:, 0] * 255).astype(int) for x, _ in loader]
    np.testing.assert_array_equal(seen, batches)
    np.testing.assert_array_equal([y for _, y in contender.prescribed(samples, batches)], batches % 10)


def test_a_framework_that_is_not_installed_is_left_out_and_named(tmp_path):
    bench = Bench(tmp_path, 1, True, peers=tmp_path / "nothing", only=["PyTorch"])
    bench.muster()
    assert bench.contenders == []
    assert "not installed" in bench.missing["PyTorch"]


def test_the_rows_of_the_table_name_what_is_there():
    assert len({c.name for c in CONTENDERS}) == len(CONTENDERS)
    for c in CONTENDERS:
        assert (ROOT / "benchmarks" / "contenders" / f"{c.module}.py").exists()
        assert c.best in c.variants
        assert set(c.sections) <= set(SECTIONS)
        assert bool(c.loops) == bool(set(c.sections) & set(LOOPS))
    for section in SECTIONS:
        module = import_module(f"benchmarks.sections.{section}")
        assert callable(module.collect)
        assert callable(module.work)


def test_a_variant_says_how_many_threads_it_takes():
    assert [threads_of(v) for v in ("fit", "fused, 1 thread", "fit, 2 threads", "train_on_batch")] == [None, 1, 2, None]


def test_ratios_are_taken_within_a_round_and_the_best_variant_by_its_median():
    # the second round was slow for both: the ratio of the medians would be 2.2, what was seen in each round is 2
    found = ratio([2.0, 20.0, 2.2], [1.0, 10.0, 1.0])
    assert (found.median, found.least, found.most) == (2.0, 2.0, 2.2)
    assert ratio([2.0], [1.0, 4.0]).median == 2.0  # a slow contender takes part in fewer rounds
    assert best({"a": [1.0, 9.0, 9.0], "b": [8.0, 8.0, 8.0]})[0] == "b"


def test_a_list_of_losses_knows_when_each_came():
    stamps = busy.Stamps()
    for loss in (2.0, 1.0):
        stamps.append(loss)
    assert stamps == [2.0, 1.0]
    assert len(stamps.times) == 2
    assert stamps.times[0] <= stamps.times[1]


def test_busy_loops_are_there_for_as_long_as_they_are_wanted():
    with busy._busy_loops() as loops:
        assert loops
        assert [loop.poll() for loop in loops] == [None] * len(loops)
    assert None not in [loop.poll() for loop in loops]


def test_a_result_is_kept_under_the_family_of_its_processor():
    assert family({"processor": "AMD EPYC (avx2)"}) == "avx2"
    assert family({"processor": "Intel(R) Xeon(R) Processor (avx512f)"}) == "avx512"
    assert family({"processor": "arm"}) == "other"
    for file in RESULTS.glob("*.json"):
        assert family(json.loads(file.read_text())["machine"]) == file.stem.partition("-")[0]


def test_a_table_shows_what_each_family_of_processors_gave(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    old = json.loads((RESULTS / "avx2.json").read_text())
    (tmp_path / "avx2.json").write_text(json.dumps(old))
    old["machine"]["processor"] = "Intel Xeon (avx512f)"
    for name in ("avx512", "avx512-others"):
        (tmp_path / f"{name}.json").write_text(json.dumps(old))
    made = kept()
    table = tables(old)["ops"]
    assert made["ops"] == f"AMD EPYC (avx2):\n\n{table}\nIntel Xeon (avx512f):\n\n{table}"
    assert made["others ops"] == f"Intel Xeon (avx512f):\n\n{table}"


def test_a_page_quotes_the_tables_between_its_markers():
    page = "before\n<!-- benchmark: steps -->\nold\n<!-- end -->\nafter\n"
    assert quote(page, {"steps": "| new |\n"}) == page.replace("old", "| new |")
    with pytest.raises(KeyError, match="steps"):
        quote(page, {})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_what_the_pages_quote_is_what_the_kept_results_say(page):
    text = page.read_text()
    assert quote(text, kept()) == text, f"python -m benchmarks.report {page.relative_to(ROOT)}"
