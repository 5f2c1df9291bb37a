"""Tables of text and HTML, and what a Tensor is in a notebook."""

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.display.notebook import in_notebook
from minidl.display.tables import html_of, lines_of


def test_cells_stand_below_one_another_and_numbers_end_alike():
    assert lines_of([("name", "n"), ("a", "10"), ("bcdef", "7")], "<>") == ["name    n", "a      10", "bcdef   7"]


def test_a_cell_that_is_too_long_is_broken_between_words():
    lines = lines_of([("a", "words"), ("b", "one two three four")], width=14)
    assert lines == ["a  words", "b  one two", "    three four"]


def test_what_a_name_holds_is_text_in_html():
    assert '<td style="text-align: left">&lt;b&gt;</td>' in html_of([("x",), ("<b>",)])


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (np.float32(2.5), ["2.5"]),
        ([1.0, 2.0], ["<td style=\"text-align: right\">2</td>", "Tensor (2,) float32"]),
        (np.arange(6).reshape(2, 3), ["<th style=\"text-align: right\">2</th>", "Tensor (2, 3) int64"]),
        (np.ones((2, 2, 2), bool), ["[[[ True,", "Tensor (2, 2, 2) bool"]),
        (np.zeros((0, 3)), ["[]", "Tensor (0, 3) float64"]),
        (np.eye(100), ["<th style=\"text-align: right\">99</th>", "…"]),
    ],
)  # fmt: skip
def test_a_notebook_shows_a_tensors_numbers_shape_and_dtype(data, shown):
    html = minidl.Tensor(data)._repr_html_()
    assert [text for text in shown if text not in html] == []
    assert len(html) < 10_000


def test_a_notebook_shows_where_a_tensor_comes_from():
    x = minidl.Tensor([1.0], requires_grad=True)
    assert "Tensor (1,) float32, requires_grad</div>" in x._repr_html_()
    assert "requires_grad, made by exp</div>" in minidl.exp(x)._repr_html_()
    assert "Parameter (3,) float32, requires_grad" in nn.Dense(2, 3).bias._repr_html_()


def test_this_is_no_notebook():
    assert not in_notebook()
