"""Judging a classifier: the confusion matrix, precision and recall of each class, the top k."""

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.data import Dataset, Loader
from minidl.errors import OptionError, ShapeError
from minidl.train import classification_report, confusion_matrix, evaluate, top_k_accuracy

TRUE = [0, 0, 0, 1, 1, 2]
SAID = [0, 0, 2, 1, 0, 2]
MATRIX = [[2, 0, 1], [1, 1, 0], [0, 0, 1]]
SCORES = np.array([[5, 1, 3], [1, 5, 3], [3, 1, 5], [1, 5, 3]], "f")  # best 0, 1, 2, 1; second 2, 2, 0, 2


@pytest.fixture
def digits():
    """A classifier, and pictures with labels."""
    minidl.seed(3)
    rng = np.random.default_rng(0)
    data = Dataset(rng.integers(0, 256, (90, 9), dtype=np.uint8), rng.integers(0, 4, 90))
    return nn.Sequential(nn.Dense(9, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.5), nn.Dense(8, 4)), data


def test_rows_are_the_true_classes_and_columns_the_predicted():
    found = confusion_matrix(TRUE, SAID)
    np.testing.assert_array_equal(found, MATRIX)
    assert found.dtype == np.int64


def test_a_model_is_judged_as_it_predicts(digits):
    model, data = digits
    expected = np.zeros((4, 4), int)
    for label, said in zip(data.labels, model.predict(data.inputs).argmax(axis=1), strict=True):
        expected[label, said] += 1
    for arguments in ((data,), (data.inputs, data.labels), (Loader(data, 7),)):
        np.testing.assert_array_equal(confusion_matrix(model, *arguments), expected)
    assert model.training
    assert np.trace(expected) / 90 == pytest.approx(evaluate(model, data)["accuracy"])


@pytest.mark.parametrize("kind", [np.array, minidl.Tensor, list])
def test_labels_and_scores_may_be_arrays_tensors_or_lists(kind):
    labels = kind([0, 1, 1, 2]) if kind is not minidl.Tensor else minidl.Tensor(np.array([0, 1, 1, 2]))
    np.testing.assert_array_equal(confusion_matrix(labels, kind(SCORES.tolist())), [[1, 0, 0], [0, 1, 1], [0, 1, 0]])


def test_yes_and_no_are_two_classes():
    np.testing.assert_array_equal(
        confusion_matrix(np.array([True, False, True]), np.array([True, True, True])), [[0, 1], [0, 2]]
    )


def test_a_class_that_never_comes_up_has_its_row_and_column(digits):
    model, data = digits
    rare = Dataset(data.inputs, data.labels % 2, classes=["a", "b", "c", "d"])
    found = confusion_matrix(model, rare)
    assert found.shape == (4, 4)
    assert not found[2:].any()


def test_precision_recall_and_f1_of_each_class():
    report = classification_report(TRUE, SAID)
    assert report["0"] == {"precision": 2 / 3, "recall": 2 / 3, "f1-score": pytest.approx(2 / 3), "support": 3}
    assert report["1"] == {"precision": 1.0, "recall": 0.5, "f1-score": pytest.approx(2 / 3), "support": 2}
    assert report["2"] == {"precision": 0.5, "recall": 1.0, "f1-score": pytest.approx(2 / 3), "support": 1}
    assert report["macro avg"]["recall"] == pytest.approx((2 / 3 + 0.5 + 1) / 3)
    assert report["accuracy"] == pytest.approx(4 / 6)


def test_where_there_is_nothing_to_divide_by_a_number_is_zero():
    report = classification_report([0, 0], [1, 1])
    assert report["0"] == {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 2}
    assert report["1"]["recall"] == 0.0


def test_a_report_prints_as_a_table_of_the_classes_names(digits):
    model, data = digits
    named = Dataset(data.inputs, data.labels, classes=["ant", "bee", "cow", "dog"])
    lines = repr(classification_report(model, named)).splitlines()
    assert lines[0].split() == ["precision", "recall", "f1-score", "support"]
    assert [line.split()[0] for line in lines[1:]] == ["ant", "bee", "cow", "dog", "macro", "accuracy"]
    assert max(map(len, lines)) <= 80


def test_the_right_class_counts_if_it_is_among_the_k_best():
    labels = [0, 0, 1, 2]
    assert top_k_accuracy(labels, SCORES, k=1) == 0.25
    assert top_k_accuracy(labels, SCORES, k=2) == 0.5
    assert top_k_accuracy(labels, SCORES, k=3) == 1.0


def test_the_best_of_a_model_is_its_accuracy(digits):
    model, data = digits
    assert top_k_accuracy(model, data, k=1) == pytest.approx(evaluate(model, data)["accuracy"])


@pytest.mark.parametrize(
    ("judge", "error", "message"),
    [
        (lambda m, d: confusion_matrix(m, d.inputs), OptionError, r"confusion_matrix\(model, inputs, labels\)"),
        (lambda m, d: confusion_matrix(m, d.inputs, np.ones((90, 4), "f")), OptionError, r"labels\[:, 0\] > 0.5"),
        (lambda m, d: confusion_matrix(["a", "b"], ["a", "a"]), OptionError, "np.unique"),
        (lambda m, d: confusion_matrix([-1, 0], [0, 0]), OptionError, "class numbers from 0"),
        (lambda m, d: confusion_matrix([0, 1], [0, 1, 1]), ShapeError, r"\(2,\) and \(3,\)"),
        (lambda m, d: confusion_matrix([0, 5], SCORES[:2]), ShapeError, "label 5, where there are scores for 3"),
        (lambda m, d: top_k_accuracy([0, 1], [0, 1]), ShapeError, r"scores of shape \(N, C\)"),
        (lambda m, d: top_k_accuracy(m, d, k=9), OptionError, "k must be an integer from 1 to 4"),
        (lambda m, d: top_k_accuracy(m, d, k=0), OptionError, "k must be"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_remedy(judge, error, message, digits):
    with pytest.raises(error, match=message):
        judge(*digits)
