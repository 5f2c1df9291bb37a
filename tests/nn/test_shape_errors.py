"""What a user is told who hands a model an array of the wrong shape: which layer, where it is, and what to do."""

import re

import numpy as np
import pytest

from minidl import Tensor, nn
from minidl.errors import ShapeError


@pytest.mark.parametrize("layer", [nn.Dense(784, 10), nn.BatchNorm(784)])
@pytest.mark.parametrize(
    ("shape", "fix"),
    [
        ((128, 256), "make this layer take 256 features, or what comes before it give 784"),
        ((784, 128), "it looks like (features, batch): transpose it, x.T"),
        ((32, 28, 28), "put Flatten() before this layer, or reshape the input to (batch, 784)"),
        ((1, 28, 28), "put Flatten() before this layer"),
        ((28, 28), "for a single sample, give it a batch axis: x.reshape(1, 784)"),
        ((32, 3, 8, 8), "Flatten() before this layer would make it (batch, 192)"),
        ((100,), "make this layer take 100 features"),
        ((), "make this layer take 1 features"),
    ],
)
def test_layer_expected_and_given_shape_and_remedy(layer, shape, fix):
    message = f"{layer!r}: expected an input of shape (batch, 784), got {shape}: {fix}"
    with pytest.raises(ShapeError, match=re.escape(message)):
        layer(np.zeros(shape, np.float32))


def test_the_remedies_work():
    layer, x = nn.Dense(784, 10), np.zeros((784, 128), np.float32)
    assert layer(x.T).shape == (128, 10)
    assert nn.Sequential(nn.Flatten(), layer)(np.zeros((32, 28, 28), np.float32)).shape == (32, 10)
    assert layer(np.zeros((28, 28), np.float32).reshape(1, 784)).shape == (1, 10)


class Net(nn.Module):
    def __init__(self):
        self.encoder = nn.Sequential(nn.Flatten(), nn.Dense(16, 8), nn.ReLU())
        self.heads = {"left": nn.Dense(8, 2), "right": nn.Dense(9, 2)}
        self.head = "left"

    def forward(self, x):
        return self.heads[self.head](self.encoder(x))


def images(*shape):
    return np.zeros((2, *shape), np.float32)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Softmax(), None])
def test_the_position_of_the_layer_is_told(activation):
    layers = [nn.Flatten(), nn.Dense(16, 8), nn.ReLU(), nn.Dense(9, 2)]
    model = nn.Sequential(*layers, *([activation] if activation else []))
    with pytest.raises(ShapeError, match=r"^layer 3, Dense\(in_features=9, .*got \(2, 8\)"):
        model(images(4, 4))
    with pytest.raises(ShapeError, match=r"^layer 1, Dense\(in_features=16, .*got \(2, 20\)"):
        model(images(4, 5))


def test_the_position_is_told_through_nested_models_and_models_of_ones_own():
    model = Net()
    with pytest.raises(ShapeError, match=r"^encoder, layer 1, Dense\(in_features=16"):
        model(images(4, 5))
    model.head = "right"
    with pytest.raises(ShapeError, match=r"^heads\.right, Dense\(in_features=9"):
        model(images(4, 4))
    with pytest.raises(ShapeError, match=r"^layer 1, layer 0, heads\.right, Dense\(in_features=9"):
        nn.Sequential(nn.ReLU(), nn.Sequential(model))(images(4, 4))


def test_a_function_among_the_layers_and_an_op_have_a_position_too():
    model = nn.Sequential(nn.Flatten(), lambda x: x @ np.ones((3, 2), np.float32), nn.ReLU())
    with pytest.raises(ShapeError, match=r"^layer 1, matmul: "):
        model(Tensor(images(4, 4)))

    class Scaled(nn.Module):
        def forward(self, x):
            return x * np.ones(3, np.float32)

    with pytest.raises(ShapeError, match=r"^layer 1, multiply: "):
        nn.Sequential(nn.Flatten(), Scaled())(Tensor(images(4, 4)))


def test_an_error_that_a_model_catches_does_not_confuse_the_next_one():
    class Lenient(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Dense(3, 2), nn.Dense(4, 2)

        def forward(self, x):
            try:
                return self.first(x)
            except ShapeError:
                return self.second(x)

    assert Lenient()(images(4)).shape == (2, 2)
    with pytest.raises(ShapeError, match=r"^second, Dense\(in_features=4"):
        Lenient()(images(5))


def test_flatten_takes_an_empty_batch_and_refuses_a_number():
    assert nn.Flatten()(Tensor(np.zeros((0, 28, 28)))).shape == (0, 784)
    assert nn.Flatten()(np.zeros(3)).shape == (3, 1)
    with pytest.raises(ShapeError, match=r"Flatten\(\): expected an input of shape \(batch, \.\.\.\)"):
        nn.Flatten()(np.array(1.0))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            lambda y: nn.mean_squared_error(y, np.array([1, 0])),
            r"prediction has shape \(2, 3\), target \(2,\): make class numbers one-hot, np.eye\(3\)\[target\]",
        ),
        (
            lambda y: nn.binary_cross_entropy_with_logits(y[:, :1], np.array([1.0, 0.0])),
            r"prediction has shape \(2, 1\), target \(2,\): give the target a last axis, target\[\.\.\., None\]",
        ),
        (lambda y: nn.mean_squared_error(y, np.zeros((3, 2))), r"prediction has shape \(2, 3\), target \(3, 2\)$"),
        (
            lambda y: nn.softmax_cross_entropy(y[0], np.array(1)),
            r"logits must have shape \(batch, classes\), got \(3,\): for a single sample, logits\[None\] and labels\[None\]",
        ),
    ],
)
def test_losses_say_how_to_make_prediction_and_target_agree(loss, message):
    with pytest.raises(ShapeError, match=message):
        loss(Tensor(images(3)))


def test_the_advice_of_the_losses_works():
    y, target = Tensor(images(3)), np.array([1, 0])
    assert nn.mean_squared_error(y, np.eye(3)[target]).shape == ()
    assert nn.binary_cross_entropy_with_logits(y[:, :1], target[..., None]).shape == ()
    assert nn.softmax_cross_entropy(y[0][None], np.array(1)[None]).shape == ()
