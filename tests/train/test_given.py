"""What somebody types for data, loss and optimizer, by habit: names, booleans, integers for a regression, strings."""

import numpy as np
import pandas
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import DataError, LabelError, OptionError
from minidl.train import evaluate, fit, predict

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
OPTIONS = {"progress": False, "batch_size": 20, "epochs": 2}


def network(outputs=2):
    minidl.seed(1)
    return nn.Sequential(nn.Dense(3, 8), nn.ReLU(), nn.Dense(8, outputs))


def trained(targets, outputs=2, **options):
    model = network(outputs)
    fit(model, X, targets, **options, **OPTIONS)
    return predict(model, X).tolist()


def test_a_name_stands_for_an_optimizer_with_its_defaults():
    for name, kind in (("sgd", optim.SGD), ("Adam", optim.Adam), ("rmspropnesterov", optim.RMSPropNesterov)):
        model = network()
        fit(model, X, Y, optimizer=kind(model.parameters()), **OPTIONS)
        assert trained(Y, optimizer=name) == predict(model, X).tolist()
    assert trained(Y) == trained(Y, optimizer="adam")
    with pytest.raises(OptionError, match="optimizer 'adamm': choose one of adadelta, adagrad, adam, "):
        trained(Y, optimizer="adamm")


@pytest.mark.parametrize(
    ("names", "loss", "targets"),
    [
        (("cross_entropy", "softmax_cross_entropy"), nn.softmax_cross_entropy, Y),
        (("mse", "mean_squared_error"), nn.mean_squared_error, X[:, :2]),
        (("mae", "mean_absolute_error"), nn.mean_absolute_error, X[:, :2]),
        (("huber",), nn.huber, X[:, :2]),
        (("hinge",), nn.hinge, np.sign(X[:, :2])),
        (("bce_with_logits", "binary_cross_entropy_with_logits"), nn.binary_cross_entropy_with_logits, X[:, :2] > 0),
    ],
)
def test_a_name_stands_for_a_loss(names, loss, targets):
    expected = trained(targets, loss=loss)
    model = network()
    for name in names:
        assert trained(targets, loss=name) == expected
        assert evaluate(model, X, targets, loss=name) == evaluate(model, X, targets, loss=loss)


def test_another_name_of_a_loss_is_told_those_there_are():
    for call in (lambda **o: fit(network(), X, Y, **o, **OPTIONS), lambda **o: evaluate(network(), X, Y, **o)):
        with pytest.raises(OptionError, match="loss='crossentropy': choose one of cross_entropy, mse, "):
            call(loss="crossentropy")
        with pytest.raises(OptionError, match="loss must be a name such as 'mse', or a function"):
            call(loss=3)


@pytest.mark.parametrize(
    "labels", [Y > 0, Y.astype(float), Y.astype(float).tolist(), pandas.Series(Y > 0), pandas.Series(Y).astype("Int64")]
)
def test_booleans_and_whole_floats_are_classes_where_the_loss_is_of_classes(labels):
    assert trained(labels) == trained(Y)
    assert evaluate(network(), X, labels) == evaluate(network(), X, Y)


def test_floats_that_are_not_whole_are_no_classes():
    with pytest.raises(OptionError, match="floating targets, and the loss is of classes"):
        trained(X[:, 0])
    with pytest.raises(LabelError, match="nan at index 3"):
        trained(np.where(np.arange(120) == 3, np.nan, Y))


@pytest.mark.parametrize("loss", ["mse", "bce_with_logits"])
def test_integers_and_booleans_are_targets_where_the_loss_is_of_targets(loss):
    expected = trained(Y.astype(np.float32), 1, loss=loss)
    assert trained(Y, 1, loss=loss, validation=(X, Y)) == expected
    assert trained(Y > 0, 1, loss=loss) == expected


NAMES = np.where(Y, "spam", "ham")


def test_strings_are_classes_whose_numbers_validation_shares():
    assert trained(NAMES) == trained(Y)
    only_spam = Y == 1
    model = network()
    history = fit(model, X, NAMES, validation=(X[only_spam], NAMES[only_spam]), **OPTIONS)
    expected = evaluate(model, X[only_spam], Y[only_spam])
    assert history["validation_loss"][-1] == pytest.approx(expected["loss"])
    with pytest.raises(LabelError, match="validation: label 'eggs' at index 0 is none of the classes 'ham', 'spam'"):
        fit(network(), X, NAMES, validation=(X[:1], ["eggs"]), **OPTIONS)


def test_strings_without_the_classes_of_training_are_not_measured():
    with pytest.raises(OptionError, match=r"with the classes that training had"):
        evaluate(network(), X, NAMES)
    data = Dataset(X, NAMES)
    assert evaluate(network(), Dataset(X[:9], NAMES[:9], classes=data.classes)) == evaluate(network(), X[:9], Y[:9])


def test_two_data_sets_with_other_class_names_are_not_taken_for_one_another():
    with pytest.raises(OptionError, match="validation has the classes eggs, spam, the training set ham, spam"):
        fit(network(), Dataset(X, NAMES), validation=Dataset(X, np.where(Y, "spam", "eggs")), **OPTIONS)


def test_arrays_are_measured_as_their_data_set_is():
    assert evaluate(network(), X, Y) == evaluate(network(), Dataset(X, Y))
    with pytest.raises(OptionError, match="a Dataset has its own"):
        evaluate(network(), Dataset(X, Y), Y)
    with pytest.raises(DataError, match="one label for each sample"):
        evaluate(network(), X, Y[:5])


def test_a_frame_is_trained_on_and_predicted_for():
    frame = pandas.DataFrame(X, columns=list("abc"))
    model = network()
    fit(model, frame, pandas.Series(NAMES), **OPTIONS)
    assert predict(model, frame).tolist() == trained(Y)
