"""docs/adding_an_op.md: the op that it shows stands where it says, and its cases are right."""

import inspect
from pathlib import Path

import numpy as np
import numpy_cases
from op_cases import MINIDL
from pages import BLOCKS

from minidl import check_grads, ops
from minidl.kernels.shelf import kernel
from minidl.ops import powers

OP, NAMES, CASE, COMMAND, KERNEL = [block.code for block in BLOCKS if block.page == "docs/adding_an_op.md"]


def test_the_op_and_its_formulas_are_the_librarys_own():
    assert OP in inspect.getsource(powers)


def test_the_op_is_right_in_the_case_that_the_page_writes_out():
    names = dict(vars(numpy_cases))
    exec(f"def cases():\n{CASE}", names)
    (case,) = names["cases"]()
    for shapes in case.shapes:
        arrays = case.draw(shapes)
        np.testing.assert_allclose(case.call(MINIDL, *arrays), case.call(np, *arrays))
        check_grads(lambda *xs: case.call(MINIDL, *xs), *arrays)


def test_the_line_of_names_is_the_registrys_own():
    assert NAMES in inspect.getsource(numpy_cases.functions)


def test_the_files_whose_tests_are_run_are_there():
    files = COMMAND.split()[3:]
    assert files
    assert all((Path(__file__).parents[2] / file).exists() for file in files)


def test_a_class_as_shown_becomes_the_kernel(monkeypatch):
    monkeypatch.setattr(ops.dense, "kernels", {})
    names = {"kernel": kernel, "ops": ops}
    exec(KERNEL, names)
    assert ops.dense.kernels == {"numpy": (names["Dense"].forward, names["Dense"].backward)}
