"""A notebook: what each object shows, a training with its bar and curve, and what an interrupted one leaves."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from notebook import CELLS, executed

import minidl
from minidl import nn, optim, teach, train
from minidl.errors import OptionError

ROWS = [{"epoch": i, "loss": 1 / i, "seconds": 0.1} for i in (1, 2, 3)]


def test_a_history_is_a_curve_and_a_table_without_matplotlib(monkeypatch):
    history = train.History(ROWS)
    assert history._repr_html_().startswith('<img src="data:image/svg+xml;base64,')
    assert "epoch 3  loss 0.3333" in history._repr_html_()
    assert "<td" in train.History(ROWS[:1])._repr_html_()
    assert "0 epochs" in train.History()._repr_html_()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert history._repr_html_().count("<tr>") == 4


def test_a_historys_columns_are_a_dictionary_as_in_keras():
    history = train.History([*ROWS, {"epoch": 4, "loss": 0.1, "accuracy": 0.5}])
    assert list(history.history) == ["epoch", "loss", "seconds", "accuracy"]
    assert history.history["accuracy"] == [None, None, None, 0.5]
    assert train.History().history == {}


def test_a_figure_shows_itself_without_pyplot():
    picture, size = train.History(ROWS).plot()._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert size == {"width": 432, "height": 346}


def test_a_ledger_and_a_compiled_step_are_what_is_in_them():
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(4, 3), nn.ReLU(), nn.Dense(3, 2))
    optimizer = optim.SGD(model.parameters())
    step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
    assert repr(step) == "<Step, eager: not called yet>"
    book = teach.ledger(optimizer, [(model[0].weight, (1, 2))], dict(model.named_parameters()))
    for _ in range(15):
        optimizer.zero_grad()
        nn.softmax_cross_entropy(model(np.ones((2, 4), "f")), [0, 1]).backward()
        optimizer.step()
    book.detach()
    assert repr(book) == "<Ledger of layers.0.weight[1, 2]: 15 entries>"
    html = book._repr_html_()
    assert html.count("<tr>") == 13
    assert f"{book.at(15).g:.6g}" in html
    step(np.ones((2, 4), "f"), np.array([0, 1]))
    assert repr(step).startswith("<Step, replay: ")
    assert "matmul(x, layers.0.weight)" in step._repr_html_()
    assert step._repr_html_().count("<details") == len(step.program.history)


def test_a_live_curve_outside_a_notebook_is_refused_before_training():
    model = nn.Dense(2, 2)
    before = model.weight.numpy().copy()
    x, y = np.ones((4, 2), "f"), np.array([0, 1, 0, 1])
    with pytest.raises(OptionError, match=r"history.plot\(\)"):
        train.fit(model, x, y, optimizer=optim.SGD(model.parameters()), epochs=1, callbacks=[train.LiveCurve()])
    np.testing.assert_array_equal(model.weight.numpy(), before)


def test_a_bar_is_shown_replaced_and_removed(monkeypatch):
    shown = []
    handle = SimpleNamespace(update=shown.append)
    display = SimpleNamespace(HTML=str, display=lambda content, display_id: shown.append(content) or handle)
    shell = SimpleNamespace(kernel="a kernel")
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr("minidl.train.progress.REPAINT", 0)
    x, y = np.ones((40, 2), "f"), np.arange(40) % 2
    model = nn.Dense(2, 2)
    train.fit(model, x, y, optimizer=optim.SGD(model.parameters()), epochs=2, batch_size=20)
    assert '<progress value="0" max="4"' in shown[0]
    assert any('value="4" max="4"' in html and "epoch 2/2" in html and "loss " in html for html in shown)
    assert shown[-1] == ""


@pytest.fixture(scope="module")
def outputs():
    """What each cell of the notebook shows: its outputs, by the cell's name."""
    return {cell.id: cell.outputs for cell in executed().cells}


def data_of(outputs, kind):
    return [output.data[kind] for output in outputs if "data" in output and kind in output.data]


@pytest.mark.slow
def test_a_notebook_runs_and_shows_what_a_cell_ends_in(outputs):
    failed = {name for name, found in outputs.items() if any(output.output_type == "error" for output in found)}
    assert failed == {"interrupt"}
    for name in ("summary", "model", "report", "book", "tensor"):
        assert "<table>" in data_of(outputs[name], "text/html")[0], name
    assert "<math" in data_of(outputs["entry"], "text/html")[0]
    assert "matmul" in data_of(outputs["compile"], "text/html")[0]
    for name in ("plot", "confusion", "mistakes", "weights", "activations"):
        assert len(data_of(outputs[name], "image/png")[0]) > 10_000, name
    assert "svg+xml" in data_of(outputs["history"], "text/html")[0]


@pytest.mark.slow
def test_a_training_in_a_notebook_leaves_its_lines_and_its_live_curve(outputs):
    printed = "".join(output.text for output in outputs["fit"] if output.output_type == "stream")
    assert [line.split("  ")[0] for line in printed.splitlines()] == [f"epoch {i}" for i in (1, 2, 3, 4)]
    bar, curve = data_of(outputs["fit"], "text/html")
    assert bar == ""
    assert curve.split("epoch")[0] == data_of(outputs["history"], "text/html")[0].split("epoch")[0]


@pytest.mark.slow
def test_an_interrupted_cell_is_one_line_and_its_history_is_kept(outputs):
    (error,) = [output for output in outputs["interrupt"] if output.output_type == "error"]
    assert error.traceback == ["TrainingInterrupted: epoch 3, step 48; history so far: train.last_history()"]
    assert "History(3 epochs" in data_of(outputs["last"], "text/plain")[0]
    assert data_of(outputs["again"], "text/plain")[-1] == "(5,)"


def test_each_cell_is_python():
    for name, code in CELLS.items():
        compile(code, name, "exec")
