"""`predict`: a model's outputs for new data, as it was trained to see it."""

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.data import Dataset, mnist
from minidl.errors import DataError, OptionError, ShapeError
from minidl.train import predict


@pytest.fixture
def model():
    minidl.seed(2)
    return nn.Sequential(nn.Dense(784, 16), nn.BatchNorm(16), nn.ReLU(), nn.Dropout(0.5), nn.Dense(16, 10))


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (25, 28, 28), dtype=np.uint8)


def test_pixels_are_scaled_and_the_model_is_in_evaluation_mode(model, pictures):
    found = predict(model, pictures)
    assert found.shape == (25, 10)
    assert found.dtype == np.float32
    expected = model.eval()(pictures.reshape(25, 784).astype("f") / np.float32(255))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-6)


def test_only_pixels_are_scaled(model, pictures):
    floats = pictures.reshape(25, 784).astype("f")
    np.testing.assert_allclose(predict(model, floats), model.eval()(floats).numpy(), rtol=1e-4, atol=1e-4)


def test_batches_change_nothing_and_the_mode_stays(model, pictures):
    whole = predict(model.train(), pictures)
    np.testing.assert_allclose(predict(model, pictures, batch_size=4), whole, rtol=1e-4, atol=1e-6)
    assert model.training
    assert all(m.training for _, m in model.named_modules())


def test_a_data_set_and_lists_are_taken_too(model, pictures):
    data = Dataset(pictures, np.zeros(25, int))
    np.testing.assert_array_equal(predict(model, data), predict(model, pictures))
    assert predict(nn.Dense(2, 3), [[1, 2], [3, 4]]).shape == (2, 3)


def test_a_model_predicts_by_itself_too(model, pictures):
    np.testing.assert_array_equal(model.predict(pictures, batch_size=7), predict(model, pictures, batch_size=7))
    assert model.training


def test_the_classes_of_digits_are_one_line():
    test = mnist()[1][:50]
    model = nn.Sequential(nn.Dense(784, 10))
    assert predict(model, test.inputs).argmax(axis=1).shape == (50,)


@pytest.mark.parametrize("wrong", [5, []])
def test_what_is_no_sample_is_refused(model, wrong):
    with pytest.raises(DataError):
        predict(model, wrong)


def test_samples_of_another_size_are_refused_with_the_layer(model):
    with pytest.raises(ShapeError, match="Dense"):
        predict(model, np.zeros((3, 7), "f"))


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_batch_size_that_is_none_is_refused(model, pictures, size):
    with pytest.raises(OptionError, match="batch_size must be an integer from 1"):
        predict(model, pictures, batch_size=size)
