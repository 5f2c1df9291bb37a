"""The pictures of a model: what each shows is what there is in the model and the data."""

import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import minidl
from minidl import nn, plots, train
from minidl.data import Dataset
from minidl.errors import MissingExtraError, OptionError
from minidl.nn._watching import watching

ROWS = [
    {"epoch": i, "step": 5 * i, "lr": 0.1, "loss": 1 / i, "accuracy": 1 - 1 / i, "validation_loss": 1.1 / i, "seconds": 0.1}
    for i in (1, 2, 3)
]  # fmt: skip


@pytest.fixture
def digits():
    """A classifier, and pictures of a few of its classes."""
    minidl.seed(3)
    rng = np.random.default_rng(0)
    data = Dataset(
        rng.integers(0, 256, (60, 6, 6), dtype=np.uint8), rng.integers(0, 3, 60), classes=["ant", "bee", "cow"]
    )
    return nn.Sequential(nn.Dense(36, 8), nn.ReLU(), nn.Dense(8, 3)), data


def labels(axes):
    return [text.get_text() for text in axes.texts]


def test_a_learning_curve_has_a_panel_for_what_was_measured_and_names_its_lines():
    figure = train.History(ROWS).plot()
    assert isinstance(figure, Figure)
    loss, accuracy = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "accuracy"]
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [(1, 1), (2, 1 / 2), (3, 1 / 3)])
    np.testing.assert_allclose(loss.lines[1].get_ydata(), [1.1, 0.55, 1.1 / 3])
    assert sorted(labels(loss)) == ["training", "validation"]
    assert labels(accuracy) == ["training"]


def test_a_curve_of_a_regression_shows_its_error_and_passes_over_what_is_not_finite():
    rows = [{"epoch": i, "loss": loss, "mean_absolute_error": 2.0} for i, loss in enumerate([1.0, np.inf, 0.5], 1)]
    figure = plots.history(train.History(rows))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "mean absolute error"]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [(1, 1), (3, 0.5)])


@pytest.mark.parametrize("rows", [[], ROWS[:1]])
def test_a_curve_of_hardly_anything_can_be_drawn(rows, tmp_path):
    train.History(rows).plot().savefig(tmp_path / "curve.png")


def test_labels_of_lines_that_meet_stand_apart():
    rows = [{"epoch": i, "loss": 1 / i, "validation_loss": 1.001 / i} for i in (1, 2, 3)]
    (axes,) = train.History(rows).plot().axes
    heights = sorted(text.xyann[1] for text in axes.texts)
    assert heights[1] - heights[0] > 10


def test_labels_of_lines_that_do_not_meet_stand_at_their_ends():
    rows = [{"epoch": i, "loss": 0.9 + i / 100, "validation_loss": 0.9 - i / 100} for i in (1, 2, 3)]
    (axes,) = train.History(rows).plot().axes
    assert [text.xyann[1] for text in axes.texts] == [0, 0]


def test_confusion_shows_the_counts_of_the_matrix(digits):
    counts = train.confusion_matrix(*digits)
    (axes,) = plots.confusion(*digits).axes
    shown = {tuple(map(int, text.get_position()[::-1])): int(text.get_text()) for text in axes.texts}
    assert shown == {(i, j): counts[i, j] for i, j in np.argwhere(counts)}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ant", "bee", "cow"]
    colours = axes.images[0].get_array()
    np.testing.assert_allclose(colours, (counts - np.diag(np.diag(counts))) / counts.sum(axis=1, keepdims=True))
    assert f"accuracy {np.trace(counts) / 60:.2%} of 60" in axes.get_title(loc="left")


def test_mistakes_are_wrong_pictures_the_highest_loss_first(digits):
    model, data = digits
    figure = plots.mistakes(model, data, count=5)
    p = np.asarray(nn.softmax(model.predict(data)), dtype=float)
    wrong = np.flatnonzero(p.argmax(axis=1) != data.labels)
    worst = wrong[np.argsort(p[wrong, data.labels[wrong]])][:5]
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 5
    for axes, i in zip(shown, worst, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), data.inputs[i].reshape(6, 6))
        said = p[i].argmax()
        expected = f"{data.classes[data.labels[i]]}\n→ {data.classes[said]} ({p[i, said]:.0%})"
        assert axes.get_title() == expected
    assert f"{len(wrong)} mistakes in 60" in figure.get_suptitle()


def test_a_model_without_a_mistake_has_an_empty_picture(digits):
    model, data = digits
    right = Dataset(data.inputs, model.predict(data).argmax(axis=1), shape=(6, 6))
    assert not any(axes.images for axes in plots.mistakes(model, right).axes)


@pytest.mark.parametrize("shape", [(3, 4, 3), (4, 3, 3), (36,)])
def test_pictures_may_be_in_colour_or_flattened(shape):
    x = np.random.default_rng(0).random((20, *shape)).astype("f")
    model = nn.Sequential(nn.Flatten(), nn.Dense(int(np.prod(shape)), 2))
    shown = [axes.images[0] for axes in plots.mistakes(model, x, np.arange(20) % 2).axes if axes.images]
    assert {image.get_array().shape for image in shown} == {
        {(3, 4, 3): (4, 3, 3), (4, 3, 3): (4, 3, 3)}.get(shape, (6, 6))
    }


def test_weights_are_the_first_layers_the_largest_units_first(digits):
    model, _ = digits
    weight = model[0].weight.numpy()
    axes = [axes for axes in plots.weights(model, count=3).axes if axes.images]
    largest = np.argsort(-np.linalg.norm(weight, axis=0))[:3]
    assert [each.get_title() for each in axes] == [f"unit {unit}" for unit in largest]
    np.testing.assert_array_equal(axes[0].images[0].get_array(), weight[:, largest[0]].reshape(6, 6))
    plots.weights(model, shape=(4, 9))


def test_activations_are_those_of_each_layer_in_evaluation_mode():
    minidl.seed(1)
    model = nn.Sequential(nn.Dense(5, 40), nn.ReLU(), nn.Dropout(0.9), minidl.tanh, nn.Dense(40, 2))
    x = np.random.default_rng(0).normal(size=(30, 5)).astype("f")
    axes = [each for each in plots.activations(model, x).axes if each.get_title(loc="left")]
    assert [each.get_title(loc="left") for each in axes] == ["0 Dense", "1 ReLU", "2 Dropout", "3 tanh", "4 Dense"]
    hidden = np.maximum(x @ model[0].weight.numpy() + model[0].bias.numpy(), 0)
    assert f"{(hidden == 0).mean():.0%} zeros" in axes[1].get_xlabel()
    assert axes[2].get_xlabel() == axes[1].get_xlabel()
    assert sum(bar.get_height() for bar in axes[0].patches) == 30 * 40


def test_to_watch_a_model_leaves_it_as_it_was_and_sees_what_was_set_on_it():
    model = nn.Sequential(nn.Dense(2, 2), nn.ReLU())
    model[0].forward = lambda x: x * 0
    mine, before = model[0].forward, vars(model) | vars(model[1])
    with watching(model) as calls:
        model(np.ones((1, 2), "f"))
    assert not calls[0].output.any()
    assert [call.name for call in calls] == ["layers.0", "layers.1"]
    assert vars(model[0])["forward"] is mine
    assert vars(model) | vars(model[1]) == before


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda m, d: plots.mistakes(nn.Dense(5, 2), np.ones((9, 5), "f"), np.zeros(9, int)), r"shape \(5,\) are no pictures"),
        (lambda m, d: plots.weights(m, shape=(5, 5)), r"36 weights a unit of shape \(5, 5\) are no pictures"),
        (lambda m, d: plots.weights(nn.Sequential(nn.ReLU())), "no Dense layer"),
        (lambda m, d: plots.mistakes(m, d, count=0), "count must be"),
        (lambda m, d: plots.confusion(m, d.inputs), r"confusion\(model, inputs, labels\)"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_with_the_remedy(draw, message, digits):
    with pytest.raises(OptionError, match=message):
        draw(*digits)


def test_without_matplotlib_a_line_names_the_extra(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    model, data = digits
    for draw in (
        lambda: train.History(ROWS).plot(),
        lambda: plots.confusion(model, data),
        lambda: plots.mistakes(model, data),
        lambda: plots.weights(model),
        lambda: plots.activations(model, data),
    ):
        with pytest.raises(MissingExtraError, match=r"pip install 'minidl\[plot\]'"):
            draw()
