"""Guards that look at model, data and optimizer before the first step of fit."""

import numpy as np
import pytest
from guard_cases import DATA, X, Y, mlp, train

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader, mnist
from minidl.errors import GuardWarning, LabelError, OptionError, ShapeError
from minidl.train import Callback, fit
from minidl.train.guards.curvature import curvatures, leaves
from minidl.train.guards.start import check_optimizer, left_out, wider_inputs


@pytest.mark.filterwarnings("ignore:MDL006")  # which is right too
@pytest.mark.parametrize("how", ["zeros", "ones"])
def test_mdl005_hidden_units_that_start_alike(how):
    with pytest.warns(GuardWarning, match=r"^MDL005: layers.0, Dense.*he_normal"):
        train(mlp(weight_init=how))


def test_mdl005_leaves_biases_and_a_last_layer_of_zeros_alone():
    train(nn.Sequential(nn.Dense(20, 3, weight_init="zeros")))
    train(nn.Sequential(nn.Dense(20, 16), nn.ReLU(), nn.Dense(16, 3, weight_init="zeros")))
    train(nn.Sequential(nn.Dense(20, 1), nn.Dense(1, 3)))


def quadratic(values):
    """A loss with that Hessian (a diagonal) in a model's only parameter."""

    class Point(nn.Module):
        def __init__(self):
            self.at = nn.Parameter(np.ones(len(values), np.float32))

        def forward(self, x):
            return self.at * 1.0 + x[:1, : len(values)] * 0.0

    return Point(), lambda output, y: (output * output * np.asarray(values, np.float32)).sum() / 2


@pytest.mark.parametrize(
    ("rule", "limit"),
    [
        (lambda p, lr: optim.SGD(p, lr), 2),
        (lambda p, lr: optim.SGD(p, lr, weight_decay=10.0), 1),
        (lambda p, lr: optim.Momentum(p, lr, beta=0.9), 2 * 1.9),
        (lambda p, lr: optim.Momentum(p, lr, beta=0.9, form="averaged"), 2 * 1.9 / 0.1),
        (lambda p, lr: optim.Nesterov(p, lr, beta=0.9), 2 * 1.9 / 2.8),
    ],
)
def test_the_stable_rate_is_read_off_the_rule(rule, limit):
    rule = rule([nn.Parameter([1.0])], 0.1)
    equation = type(rule).rule(**{k: v for k, v in rule.groups[0].items() if k not in ("params", "lr")})
    curvature = 10.0
    assert not leaves(equation, 0.97 * limit / curvature, curvature)
    assert leaves(equation, 1.03 * limit / curvature, curvature)


@pytest.mark.parametrize("rule", [optim.Adam, optim.NAdam, optim.AdamW, optim.RMSProp, optim.AdaGrad, optim.AdaDelta])
def test_adaptive_rules_have_no_limit(rule):
    assert not leaves(rule.rule(), 0.1, 1e7)


def test_curvature_is_the_hessians_largest_eigenvalue():
    values = [9.0, 5.0, 1.0, 0.5]
    model, loss = quadratic(values)
    found = list(curvatures(lambda: loss(model(X), Y), model.parameters(), 30))
    np.testing.assert_allclose(found, np.maximum.accumulate(found), rtol=1e-6)  # it grows
    assert found[-1] == pytest.approx(9.0, rel=1e-4)


@pytest.mark.parametrize("rule", [optim.SGD, optim.Momentum, optim.Nesterov])
def test_mdl008_a_rate_beyond_what_the_loss_bears(rule):
    with pytest.warns(GuardWarning, match=rf"^MDL008: lr 20 is far too large for {rule.__name__}"):
        train(mlp(), rule=rule, lr=20.0, epochs=1, on_nonfinite="skip", callbacks=[Stop()])


class Stop(Callback):
    def on_step(self, run):
        run.stop("enough seen")


def test_mdl008_leaves_rates_alone_that_train():
    for rule, lr in ((optim.SGD, 0.3), (optim.Momentum, 0.1), (optim.Adam, 0.01), (optim.AdaDelta, 1.0)):
        assert train(mlp(), rule=rule, lr=lr, epochs=5)[-1]["loss"] < 1.1


def test_looking_at_the_curvature_leaves_no_trace():
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(20, 16), nn.Dropout(0.5), nn.Dense(16, 3))
    first = train(model, epochs=2).rows
    minidl.seed(0)
    model = nn.Sequential(nn.Dense(20, 16), nn.Dropout(0.5), nn.Dense(16, 3))
    assert [row["loss"] for row in train(model, epochs=2, guards=False).rows] == [row["loss"] for row in first]


@pytest.mark.parametrize(
    ("samples", "batch_size", "what"),
    [(41, 20, "the last of the 3 batches holds one sample"), (40, 1, "batches hold one sample")],
)
def test_mdl009_a_batch_of_one_for_batch_norm_before_anything_is_trained(samples, batch_size, what):
    model = nn.Sequential(nn.Dense(20, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dense(8, 3))
    before = model.state_dict()
    with pytest.raises(ShapeError, match=rf"^MDL009: {what}"):
        train(model, DATA[:samples], batch_size=batch_size)
    assert all((before[name] == value).all() for name, value in model.state_dict().items())


def test_mdl009_takes_its_own_advice():
    model = nn.Sequential(nn.Dense(20, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dense(8, 3))
    train(model, Loader(DATA[:41], 20, drop_last=True))
    train(model, DATA[:42])
    train(mlp(), DATA[:41])  # without BatchNorm a batch of one is as good as any


def test_mdl010_pixels_that_were_not_scaled():
    digits = mnist()[0][:400]
    model = nn.Sequential(nn.Dense(784, 10))
    pixels = Dataset(digits.inputs.astype(np.float32), digits.labels)
    with pytest.warns(GuardWarning, match="^MDL010: .*divide them by 255, or keep them as uint8"):
        train(model, pixels, lr=1e-6)
    train(model, digits)
    train(model, Dataset(digits.inputs / np.float32(255), digits.labels))
    train(model, Dataset((digits.inputs > 127).astype(np.float32), digits.labels))  # black and white
    train(model, Dataset(digits.inputs * np.float32(100), digits.labels), lr=1e-9)  # whole numbers, but no pixels


def test_mdl011_labels_numbered_from_one():
    shifted = Dataset(X, Y + 1)
    model = mlp()
    before = model.state_dict()
    with pytest.raises(LabelError, match=r"^MDL011: the labels go from 1 to 3, .* Dataset\(inputs, labels - 1\)"):
        train(model, shifted)
    assert all((before[name] == value).all() for name, value in model.state_dict().items())
    with pytest.warns(GuardWarning, match="^MDL011: .*class 0 never occurs"):
        train(nn.Sequential(nn.Dense(20, 16), nn.ReLU(), nn.Dense(16, 4)), shifted)
    with pytest.raises(LabelError, match="label 4 at index 7 is outside 0..2"):
        train(mlp(), Dataset(X, np.where(np.arange(400) == 7, 4, Y)))


def test_mdl011_is_about_labels_that_are_classes():
    target = lambda output, y: nn.mean_squared_error(output, np.stack([y] * 3, axis=1).astype(np.float32))
    train(mlp(), Dataset(X, Y + 1), loss=target)
    train(mlp(), Dataset(X[Y > 0], Y[Y > 0], classes="abc"), guards=False)


@pytest.mark.parametrize(
    ("inputs", "model"), [(np.float64, np.float32), (np.float64, np.float16), (np.float32, np.float16)]
)
@pytest.mark.filterwarnings("ignore:MDL007")  # which float16 may set off
def test_mdl013_inputs_that_are_wider_than_the_model(inputs, model):
    network = cast(mlp(), model)
    with pytest.warns(
        GuardWarning,
        match=rf"^MDL013: the inputs are {inputs.__name__} and the model is {model.__name__}, .*astype\(np.{model.__name__}\)",
    ):
        train(network, Dataset(X.astype(inputs), Y), lr=1e-3)


def cast(model, dtype):
    for p in model.parameters():
        p.data = p.data.astype(dtype)
    return model


def test_mdl013_leaves_inputs_alone_that_are_no_wider():
    train(mlp())
    train(cast(mlp(), np.float64), Dataset(X.astype(np.float64), Y))
    train(cast(mlp(), np.float64))
    mixed = mlp()
    mixed[0].weight.data = mixed[0].weight.data.astype(np.float64)
    wider_inputs(mixed, X.astype(np.float64))
    wider_inputs(nn.Sequential(nn.ReLU()), X.astype(np.float64))
    train(nn.Sequential(nn.Dense(784, 3)), Dataset(np.zeros((40, 784), np.uint8), np.arange(40) % 3), lr=1e-3)


@pytest.mark.filterwarnings("ignore:MDL007")  # which is right too
def test_mdl014_parameters_that_the_optimizer_does_not_hold():
    model = mlp()
    head = optim.SGD(model[2].parameters())
    with pytest.warns(GuardWarning, match=r"^MDL014: the optimizer does not hold layers.0.weight, layers.0.bias, so"):
        fit(model, DATA, optimizer=head, epochs=1, batch_size=20, progress=False)
    for p in model[0].parameters():
        p.requires_grad = False
    fit(model, DATA, optimizer=head, epochs=1, batch_size=20, progress=False)
    many = nn.Sequential(*[nn.Dense(20, 20) for _ in range(3)])
    with pytest.warns(GuardWarning, match=r"layers.1.weight, layers.1.bias, layers.2.weight and 1 more, so"):
        left_out(many, optim.SGD(many[0].parameters()))


def test_an_optimizer_that_holds_more_than_the_model_is_no_fault():
    model, scale = mlp(), nn.Parameter([1.0])
    optimizer = optim.SGD([*model.parameters(), scale], lr=0.05)
    fit(model, DATA, optimizer=optimizer, loss=lambda y, t: nn.softmax_cross_entropy(y * scale, t), epochs=1, batch_size=20,
        progress=False)  # fmt: skip


class OwnOptimizer:
    """Has a step, and does not say what it holds."""

    def step(self):
        pass


def test_an_optimizer_of_another_model_is_refused():
    ours, theirs = mlp(), mlp()
    with pytest.raises(
        OptionError, match=r"holds 4 parameters, and none of them is among the model's 4: .*model.parameters\(\)"
    ):
        check_optimizer(ours, optim.Adam(theirs.parameters()))
    check_optimizer(ours, optim.Adam(ours[2].parameters()))
    check_optimizer(ours, OwnOptimizer())
    check_optimizer(nn.Sequential(nn.ReLU()), optim.Adam(theirs.parameters()))
