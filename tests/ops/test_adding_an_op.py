"""docs/adding_an_op.md: the op that it adds is right, and the lines that it shows stand where it says."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import op_cases
import pytest
from pages import BLOCKS

from minidl import check_grads, ops
from minidl.kernels.shelf import kernel
from minidl.ops import arithmetic, elementwise

OP, NAMES, CASE, COMMAND, KERNEL = [block.code for block in BLOCKS if block.page == "docs/adding_an_op.md"]


@pytest.fixture
def logaddexp():
    names = vars(arithmetic) | {"exp": elementwise.exp}
    exec(OP, names)
    return names["logaddexp"]


def test_the_op_and_its_formulas_are_right_in_the_case_that_the_page_writes_out(logaddexp):
    names = dict(vars(op_cases))
    exec(f"def cases():\n{CASE}", names)
    (case,) = names["cases"]()
    for shapes in case.shapes:
        arrays = case.draw(shapes)
        ours = SimpleNamespace(logaddexp=logaddexp)
        np.testing.assert_allclose(case.call(ours, *arrays), case.call(np, *arrays))
        check_grads(lambda *xs, ours=ours: case.call(ours, *xs), *arrays)


def test_the_line_of_names_is_the_registrys_own_with_one_name_more():
    assert NAMES.replace(" logaddexp", "") in inspect.getsource(op_cases.elementwise)


def test_the_files_whose_tests_are_run_are_there():
    files = COMMAND.split()[3:]
    assert files
    assert all((Path(__file__).parents[2] / file).exists() for file in files)


def test_a_class_as_shown_becomes_the_kernel(monkeypatch):
    monkeypatch.setattr(ops.dense, "kernels", {})
    names = {"kernel": kernel, "ops": ops}
    exec(KERNEL, names)
    assert ops.dense.kernels == {"numpy": (names["Dense"].forward, names["Dense"].backward)}
