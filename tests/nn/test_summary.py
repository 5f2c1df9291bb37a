"""The summary of a model: a line for each layer, whoever wrote it, in 80 columns; and how a model shows itself."""

import pickle
import re

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.errors import OptionError


class Net(nn.Module):
    """A model as somebody writes it: layers, a Sequential, a parameter of its own, ops in between."""

    def __init__(self):
        self.first = nn.Dense(5, 8)
        self.body = nn.Sequential(nn.Dense(8, 8), nn.BatchNorm(8), minidl.tanh)
        self.last = nn.Dense(8, 2)
        self.scale = nn.Parameter(np.ones(2, "f"))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.last(minidl.relu(self.body(self.first(x)))) * self.scale


def cells(text):
    """The name, shape and count of each line between the rules."""
    lines = text.split("\n")[2:-2]
    return [re.fullmatch(r"(\S*) +(\w+).*?  (\(.*?\)) *([\d,]*)", line).groups() for line in lines]


def test_a_module_of_ones_own_has_a_line_for_each_of_its_layers():
    assert cells(Net().summary()) == [
        ("", "input", "(B, 5)", ""),
        ("first", "Dense", "(B, 8)", "48"),
        ("body.0", "Dense", "(B, 8)", "72"),
        ("body.1", "BatchNorm", "(B, 8)", "16"),
        ("body.2", "tanh", "(B, 8)", "0"),
        ("last", "Dense", "(B, 2)", "18"),
        ("", "Net", "(B, 2)", "2"),
    ]
    assert Net().summary().endswith("156 parameters to train, 16 buffer values")


def test_a_layer_that_is_called_twice_has_two_lines_and_counts_once():
    class Twice(nn.Module):
        def __init__(self):
            self.inner = nn.Dense(3, 3)

        def forward(self, x):
            return self.inner(self.inner(x))

    assert [cell[3] for cell in cells(Twice().summary())] == ["", "12", "0", "0"]


def test_a_function_in_a_sequential_has_a_line_and_stays_what_it_is():
    inner = nn.Dense(3, 3)
    run = lambda x: inner(x)
    model = nn.Sequential(run, minidl.tanh)
    assert [cell[:2] for cell in cells(model.summary((3,)))] == [("", "input"), ("0.inner", "Dense"), ("1", "tanh")]
    assert model.layers == [run, minidl.tanh]


def test_a_summary_says_what_it_cannot_give_a_shape():
    class Two(nn.Module):
        def __init__(self):
            self.inner = nn.Dense(3, 3)

        def forward(self, x):
            return self.inner(x), x

    assert "Two" in Two().summary()
    assert "tuple" in Two().summary()


@pytest.mark.parametrize(
    "model",
    [
        Net(),
        nn.Sequential(nn.Dense(12288, 4096), nn.BatchNorm(4096), nn.Sequential(nn.Sequential(nn.Dense(4096, 10)))),
    ],
)
def test_no_line_is_wider_than_a_terminal(model):
    assert max(map(len, model.summary().split("\n"))) <= 80


def test_a_summary_shows_itself_at_a_prompt_and_is_still_text():
    model = nn.Sequential(nn.Dense(4, 3), nn.ReLU())
    text = model.summary()
    assert repr(text) == str(text)
    assert "Dense(in_features=4" in text
    assert text + "!" == str(text) + "!"
    copied = pickle.loads(pickle.dumps(text))
    assert (copied, copied._repr_html_()) == (text, text._repr_html_())


def test_a_notebook_shows_a_model_as_its_summary():
    model = nn.Sequential(nn.Dense(4, 3), nn.ReLU())
    assert model._repr_html_() == model.summary()._repr_html_()
    assert "<td" in model._repr_html_()
    assert "15 parameters to train" in model._repr_html_()


def test_to_be_shown_runs_no_code_of_the_users():
    model = Net()
    shown = model._repr_html_()
    assert model.calls == 0
    assert [name in shown for name in ("first", "body.0", "body.1", "last", "Net")] == [True] * 5
    assert "156 parameters to train" in shown
    called = []
    assert "Dense" in nn.Sequential(nn.Dense(2, 2), lambda x: called.append(x) or x)._repr_html_()
    assert not called


def test_to_be_shown_does_not_settle_how_many_inputs_a_layer_takes():
    model = nn.Sequential(nn.Dense(4, 3), nn.Dense(2))
    assert "Dense" in model._repr_html_()
    assert model[1].in_features is None
    assert "not called yet" in model[1].weight._repr_html_()
    assert "23 parameters to train" in model.summary()


def test_a_hook_that_somebody_has_set_is_honoured_and_stays():
    model = nn.Sequential(nn.Dense(4, 3), nn.ReLU())
    seen = []
    model[0].register_forward_hook(lambda layer, args, output: seen.append(output.shape))
    model.summary()
    assert seen == [(2, 3)]
    model(np.ones((1, 4), "f"))
    assert seen == [(2, 3), (1, 3)]
    assert model[1] is model.layers[1]
    model._repr_html_()
    assert len(seen) == 2


def test_a_model_whose_input_nobody_knows_is_shown_all_the_same():
    model = nn.Sequential(nn.BatchNorm(3), nn.ReLU())
    with pytest.raises(OptionError, match="input_shape"):
        model.summary()
    assert "BatchNorm" in model._repr_html_()
