"""The ledger: a rule's own equation with the numbers of one weight in it."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
from ledger_cases import CASES, descent, every_rule

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import OptionError, ShapeError, StateError
from minidl.optim import schedules
from minidl.teach import ledger
from minidl.train import fit

# the numbers are true


def numbers(entry):
    """Each printed line: its name, and what its numbers come to if Python evaluates them."""
    known = {"sqrt": math.sqrt, "maximum": max, "prod": math.prod}
    for line in entry.text(letters="code", digits=17).splitlines()[1 : 1 + len(entry.lines)]:
        name, sides = line.split(" ← ")
        _, written, *result = sides.split(" = ")
        yield name.strip(), eval(written, known), float(result[0] if result else written)


@every_rule
def test_the_printed_numbers_evaluate_to_what_the_optimizer_did(case):
    for entry in descent(case, steps=6)[0]:
        last = {}
        for name, evaluated, printed in numbers(entry):
            assert evaluated == pytest.approx(printed, rel=1e-12, abs=1e-15)
            last[name] = evaluated
        for name, stored in entry.after.items():
            assert last[name] == pytest.approx(stored, rel=1e-12, abs=1e-15), name


@every_rule
def test_float32_keeps_the_same_numbers_to_its_own_precision(case):
    for entry in descent(case, steps=6, dtype="float32")[0]:
        for name, exact in entry.computed.items():
            assert entry.after[name] == pytest.approx(exact, rel=1e-5, abs=1e-9), name


@every_rule
def test_the_printed_lines_carried_out_in_order_are_the_rule(case):
    for entry in descent(case)[0]:
        names = {"sqrt": math.sqrt, "maximum": max, "prod": math.prod, "lr": entry.lr, "t": entry.t, "g": entry.g}
        names |= {name: getattr(entry.rule, name) for name in entry.rule.numbers()} | entry.before
        for line in entry.text().splitlines()[1 : 1 + len(entry.lines)]:
            name, expression = re.match(r"  (\w+) ← (.*?) = ", line).groups()
            names[f"{name}_old"], names[name] = names.get(name), eval(expression, names)
        theta, *state = entry.rule(
            entry.before["theta"], entry.g, *list(entry.before.values())[1:], lr=entry.lr, t=entry.t
        )
        assert names["theta"] == pytest.approx(theta, rel=1e-14)
        assert [names[name] for name in entry.rule.state] == pytest.approx(state, rel=1e-14)


def test_a_look_ahead_rule_shows_theta_itself_too():
    for case in ("Nesterov", "RMSPropNesterov"):
        book, optimizer = descent(case)
        with optimizer.at_iterate():
            theta = optimizer.groups[0]["params"][0].numpy().copy()
        shown = [list(numbers(book.at(4, "x", i)))[-1][1] for i in (0, 1)]
        np.testing.assert_allclose(shown, theta, rtol=1e-12)


def test_the_step_and_the_numbers_before_and_after():
    book, optimizer = descent("Adam", steps=3)
    entry, before = book.at(3, "x", 1), book.at(2, "x", 1)
    assert entry.before == before.after
    assert (entry.t, entry.lr, entry.rule.beta2) == (3, 0.4, 0.999)
    assert entry.after["theta"] == optimizer.groups[0]["params"][0].numpy()[1]
    assert entry.after["s"] == optimizer.state["s"][1]
    assert entry.g == 4 * entry.before["theta"]
    assert entry.step == entry.after["theta"] - entry.before["theta"]


# recording


def network(kind, hyperparameters):
    minidl.seed(3)
    model = nn.Sequential(nn.Dense(6, 5), nn.ReLU(), nn.Dense(5, 3))
    return model, kind(model.parameters(), **hyperparameters)


DATA = Dataset(np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32), np.arange(60) % 3)


@every_rule
def test_a_ledger_changes_no_bit_of_the_training(case):
    found = []
    for book in (None, ledger()):
        model, optimizer = network(*CASES[case])
        fit(
            model,
            DATA,
            optimizer=optimizer,
            epochs=2,
            batch_size=20,
            callbacks=[book] if book is not None else [],
            progress=False,
        )
        found.append([*model.state_dict().values(), *optimizer.state_dict()["state"].values()])
    assert len(book) == 6 * 4
    for without, with_it in zip(*found, strict=True):
        assert without.tobytes() == with_it.tobytes()


def test_as_a_callback_it_knows_the_names_and_lets_go_of_the_optimizer():
    model, optimizer = network(optim.Adam, {})
    book = ledger(elements=[("layers.0.weight", (3, 2)), (model.layers[2].bias, 1), (0, 7)])
    fit(model, DATA, optimizer=optimizer, epochs=1, batch_size=20, callbacks=[book], progress=False)
    assert [entry.where for entry in book][:3] == ["layers.0.weight[3, 2]", "layers.2.bias[1]", "layers.0.weight[1, 2]"]
    assert "step" not in vars(optimizer)
    assert book.at(3, "layers.2.bias").after["theta"] == model.layers[2].bias.numpy()[1]
    assert book.at(3).after["v"] == optimizer.state["v"].reshape(-1)[3 * 5 + 2]
    flat = 6 * 5 + 5 + 5 * 3 + 1  # after the weight and bias of one layer and the weight of the other
    assert book.at(3, "layers.2.bias").after["v"] == optimizer.state["v"][flat] != 0
    optimizer.step()
    assert len(book) == 9


def test_by_default_each_parameters_largest_first_gradient_is_watched():
    x, y, frozen = (
        nn.Parameter([1.0, 2.0]),
        nn.Parameter([[1.0, 1.0], [1.0, 1.0]]),
        nn.Parameter([1.0], requires_grad=False),
    )
    optimizer = optim.SGD([x, y, frozen])
    book = ledger(optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        (x * np.array([1.0, -9.0], np.float32)).sum().backward()
        optimizer.step()
    (y * np.array([[1.0, 2.0], [5.0, 3.0]], np.float32)).sum().backward()
    optimizer.step()
    assert [(entry.t, entry.where) for entry in book] == [
        (1, "parameters[0][1]"),
        (2, "parameters[0][1]"),
        (3, "parameters[0][1]"),
        (3, "parameters[1][1, 0]"),
    ]


def test_groups_have_their_own_numbers_and_schedules_those_of_the_step():
    x, y = nn.Parameter(2.0, dtype="float64"), nn.Parameter(3.0, dtype="float64")
    groups = [{"params": [x]}, {"params": [y], "lr": schedules.step(0.5, 1, 0.5), "beta": 0.25}]
    optimizer = optim.Momentum(groups, lr=0.1)
    book = ledger(optimizer, [(x, ()), (1, ())])
    for _ in range(3):
        optimizer.zero_grad()
        (x * x + y * y).backward()
        optimizer.step()
    assert [book.at(t, x).lr for t in (1, 2, 3)] == [0.1, 0.1, 0.1]
    assert [book.at(t, y).lr for t in (1, 2, 3)] == [0.5, 0.25, 0.125]
    assert (book.at(2, 0).rule.beta, book.at(2, 1).rule.beta) == (0.9, 0.25)
    assert book.at(1, 1).title == "Momentum, t = 1: parameters[1]"
    optimizer.groups[0]["beta"] = 0.5
    optimizer.step()
    assert book.at(4, x).rule.beta == 0.5


def test_two_ledgers_on_one_optimizer_come_and_go_in_any_order():
    for first_goes in (0, 1):
        x = nn.Parameter([1.0])
        optimizer = optim.SGD([x])
        books = [ledger(optimizer), ledger(optimizer)]
        x.sum().backward()
        optimizer.step()
        books[first_goes].detach()
        optimizer.step()
        books[1 - first_goes].detach()
        optimizer.step()
        assert (len(books[first_goes]), len(books[1 - first_goes]), optimizer.t) == (1, 2, 3)
        books[0].attach(optimizer)
        optimizer.step()
        assert len(books[0]) == 2 + first_goes


def test_an_optimizer_without_a_ledger_is_untouched():
    optimizer = optim.SGD([nn.Parameter([1.0])])
    assert "step" not in vars(optimizer)
    book = ledger(optimizer)
    book.detach()
    assert "step" not in vars(optimizer)
    book.detach()


def test_a_step_that_is_refused_leaves_no_entry_and_its_own_error():
    x = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([x])
    book = ledger(optimizer, [(x, 1)])
    x.sum().backward()
    x.data = np.zeros(1, np.float32)
    with pytest.raises(ShapeError, match="make a new optimizer"):
        optimizer.step()
    assert len(book) == 0


def test_what_was_not_recorded_is_said():
    book, optimizer = descent("SGD")
    x = optimizer.groups[0]["params"][0]
    with pytest.raises(OptionError, match=r"no entry of step 9 for x\[0\].*entries are of steps 1 to 4"):
        book.at(9)
    x.grad = None
    optimizer.step()
    with pytest.raises(OptionError, match="without a gradient"):
        book.at(5)
    with pytest.raises(OptionError, match=r"not recorded; these are: none so far"):
        ledger(optim.SGD([x])).at(1)
    with pytest.raises(OptionError, match=r"not recorded; these are: parameters\[0\]\[1\]"):
        ledger(optim.SGD([x]), [(0, 1)]).at(1, x, 0)


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ((0, 2), r"parameter 0, of shape \(2,\), has no element 2"),
        ((0, (0, 0)), r"has no element \(0, 0\)"),
        ((0, "a"), "has no element 'a'"),
        ((1, 0), "number 1 is none of the optimizer's 1 parameters"),
        ((nn.Parameter([1.0]), 0), "this Parameter is none"),
        (("w", 0), "no parameter is called 'w'; names: none"),
    ],
)
def test_an_element_that_is_not_there_is_refused_at_once(element, message):
    optimizer = optim.SGD([nn.Parameter([1.0, 2.0])])
    with pytest.raises(OptionError, match=message):
        ledger(optimizer, [element])
    assert "step" not in vars(optimizer)


def test_other_misuse_is_refused():
    book, optimizer = descent("SGD")
    with pytest.raises(OptionError, match="expected a minidl optimizer, got list"):
        ledger([1])
    with pytest.raises(StateError, match="attached to an optimizer already"):
        book.attach(optimizer)
    with pytest.raises(OptionError, match="letters='C': choose one of 'code', 'A', 'B'"):
        book.at(1).text(letters="C")


def test_only_teach_brings_itself_in_and_rich_only_where_it_is_shown():
    program = (
        "import sys, minidl; assert 'minidl.teach' not in sys.modules; import minidl.teach; "
        "assert callable(minidl.teach.ledger) and callable(minidl.teach.explain); "
        "print(sorted({'rich', 'matplotlib', 'click'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
