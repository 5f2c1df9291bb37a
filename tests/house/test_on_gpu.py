"""The script that runs all that is to be seen on a GPU, where there is none."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.gpu import run

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_to_its_end_where_there_is_none(tmp_path):
    """So that nothing but the GPU is new to it on the day."""
    command = ["bash", "benchmarks/on_gpu.sh", "--cpu", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["on_gpu.json", "on_gpu.log"]
    found = json.loads((tmp_path / "out" / "on_gpu.json").read_text())
    assert found["seconds"] < 200
    assert all(part["exit"] == 0 for part in found["parts"].values())
    assert found["parts"]["curves"]["found"]["adam"]["relative_difference"]["numpy, recorded"] == 0
    assert found["parts"]["steps"]["found"]["workloads"]["W3"]["contenders"]["minidl"]["rounds"]
    log = (tmp_path / "out" / "on_gpu.log").read_text()
    assert all(f"===== {name}: exit 0" in log for name in found["parts"])


def test_a_part_that_fails_or_takes_too_long_is_noted_and_the_next_one_runs(tmp_path, monkeypatch):
    parts = [
        run.Part("fails", ("-c", "raise SystemExit(3)"), 20),
        run.Part("hangs", ("-c", "print('before', flush=True); import time; time.sleep(60)"), 1),
        run.Part("beside", ("-c", "print('beside')"), 20, beside=True),
        run.Part("works", ("-c", "import os; open(os.environ['RESULT'], 'w').write('[1]'); print('well')"), 20),
    ]
    monkeypatch.setattr(run, "parts", lambda cpu, only: parts)
    with pytest.raises(SystemExit) as end:
        run.main([str(tmp_path)], standalone_mode=False)
    assert end.value.code == 1
    found = json.loads((tmp_path / "on_gpu.json").read_text())["parts"]
    assert {name: part["exit"] for name, part in found.items()} == {
        "fails": 3, "hangs": "ended after 1 s", "beside": 0, "works": 0,
    }  # fmt: skip
    assert found["works"]["found"] == [1]
    assert "before" in (tmp_path / "on_gpu.log").read_text()
