"""The benchmark runs, judges no time, and says so when someone does not train as the others do."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import SECTIONS
from benchmarks.analysis import best, ratio
from benchmarks.contenders import CONTENDERS, REFERENCE, threads_of
from benchmarks.contenders import minidl as contender
from benchmarks.report import BLOCK, kept, quote, tables
from benchmarks.runner import Bench, share_samples
from benchmarks.sections import steps
from benchmarks.workloads import WORKLOADS, Samples

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What one small run of the whole benchmark leaves, with minidl alone."""
    folder = tmp_path_factory.mktemp("benchmark")
    command = [sys.executable, "-W", "error", "-m", "benchmarks", "W1", *SECTIONS[1:], "--smoke", "--only", "minidl"]
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
        parts = section.values() if name in ("steps", "growth") else [section]
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


@pytest.fixture
def apart(tmp_path):
    """How far minidl's training is from float64's, here in this process, on a few steps of a workload."""
    rng = np.random.default_rng(3)
    samples = Samples(rng.integers(256, size=(400, 784), dtype=np.uint8), rng.integers(10, size=400))
    share_samples(tmp_path, samples, samples)

    def run(workload, module, variant):
        request = {"workload": vars(workload), "variants": [variant], "share": 1, "check": True, "module": module}
        return steps.work(request | {"folder": str(tmp_path)})[variant]

    def compared(name="W1"):
        workload = replace(WORKLOADS[name], steps=24, batch=min(WORKLOADS[name].batch, 16))
        return steps.compare(workload, run(workload, "minidl", "fit"), run(workload, REFERENCE.module, "eps"), True)

    return compared


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "W3" else name for name in WORKLOADS]
)
def test_minidl_and_float64_make_the_same_steps_on_every_workload(apart, name):
    found = apart(name)
    assert found["losses"] < 1e-4
    assert found["weights"] < 0.01


@pytest.mark.slow
def test_other_initial_weights_are_noticed(apart, monkeypatch, result):
    assert not steps.differs("W1", apart())
    true_initial = contender.initial
    monkeypatch.setattr(contender, "initial", lambda workload: [1.001 * w for w in true_initial(workload)])
    found = apart()
    assert found["losses"] > steps.LOSSES
    assert steps.differs("W1", found)
    one = {**result["sections"]["steps"]["W1"], "apart": {"minidl": {"fit": found}}}
    shown = tables({**result, "sections": {"steps": {"W1": one}}})
    assert "Not the same training" in shown["steps"]
    assert "minidl, fit is off float64" in shown["W1"]


def test_steps_on_other_samples_while_it_is_timed_are_noticed(apart, monkeypatch):
    honest = contender.Fitting.stretches
    monkeypatch.setattr(contender.Fitting, "stretches", lambda self, parts: honest(self, [p[::-1] for p in parts]))
    found = apart()
    assert found["losses"] < steps.LOSSES  # those come from a run of their own
    assert steps.differs("W1", found)


def test_a_value_that_is_not_a_number_is_a_difference():
    assert steps.differs("W1", {"losses": float("nan")})
    assert steps.differs("W2", {"losses": 0.0, "weights": float("nan")})


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


def test_a_page_quotes_the_tables_between_its_markers():
    page = "before\n<!-- benchmark: steps -->\nold\n<!-- end -->\nafter\n"
    assert quote(page, {"steps": "| new |\n"}) == page.replace("old", "| new |")
    with pytest.raises(KeyError, match="steps"):
        quote(page, {})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_what_the_pages_quote_is_what_the_kept_results_say(page):
    text = page.read_text()
    assert quote(text, kept()) == text, f"python -m benchmarks.report {page.relative_to(ROOT)}"
