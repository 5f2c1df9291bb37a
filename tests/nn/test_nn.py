"""Layers, models and initial values."""

import re

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn
from minidl.errors import OptionError, ShapeError, StateError


def mlp():
    return nn.Sequential(nn.Dense(4, 3), nn.ReLU(), nn.BatchNorm(3), nn.Dense(3, 2))


# models and their parameters


def test_dense_is_x_times_weight_plus_bias():
    layer = nn.Dense(2, 3, bias_init="ones")
    x = np.array([[1.0, 2.0]], np.float32)
    np.testing.assert_allclose(layer(x).numpy(), x @ layer.weight.numpy() + 1, rtol=1e-6)
    assert nn.Dense(2, 3, bias=False).bias is None
    assert [p.shape for p in nn.Dense(2, 3, bias=False).parameters()] == [(2, 3)]


def test_parameters_are_found_by_the_path_to_them_also_inside_lists_and_dicts():
    class Net(nn.Module):
        def __init__(self):
            self.first = nn.Dense(2, 2)
            self.rest = [nn.Dense(2, 2, bias=False), {"last": nn.Dense(2, 1, bias=False)}["last"]]
            self.named = {"head": nn.Dense(1, 1, bias=False)}
            self.scale = nn.Parameter([1.0])

    names = [name for name, _ in Net().named_parameters()]
    assert sorted(names) == [
        "first.bias",
        "first.weight",
        "named.head.weight",
        "rest.0.weight",
        "rest.1.weight",
        "scale",
    ]


def test_a_shared_layer_counts_once():
    layer = nn.Dense(2, 2)
    assert len(nn.Sequential(layer, layer).parameters()) == 2


def test_parameters_come_in_the_order_of_the_layers():
    assert [n for n, _ in mlp().named_parameters()] == [
        "layers.0.weight", "layers.0.bias", "layers.2.gamma", "layers.2.beta", "layers.3.weight", "layers.3.bias",
    ]  # fmt: skip


def test_state_dict_holds_copies_of_parameters_and_buffers():
    model = mlp()
    state = model.state_dict()
    assert "layers.2.running_mean" in state
    state["layers.0.weight"][...] = 7
    assert (model[0].weight.numpy() != 7).all()


def test_load_state_dict_copies_in_place():
    source, target = mlp(), mlp()
    kept = target[0].weight.data
    target.load_state_dict(source.state_dict())
    assert target[0].weight.data is kept
    np.testing.assert_array_equal(target[0].weight.numpy(), source[0].weight.numpy())


def test_load_state_dict_is_all_or_nothing_and_lists_every_mismatch():
    model = mlp()
    before = model.state_dict()
    state = mlp().state_dict()
    state["layers.0.weight"] = np.zeros((9, 9))
    state["unknown"] = np.zeros(1)
    del state["layers.3.bias"]
    with pytest.raises(
        StateError, match=r"missing 'layers.3.bias'.*unexpected 'unknown'.*'layers.0.weight' has shape \(9, 9\)"
    ):
        model.load_state_dict(state)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_loading_after_the_forward_is_noticed_by_backward():
    model = nn.Sequential(nn.Dense(2, 1))
    loss = model(np.ones((1, 2), np.float32)).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(minidl.errors.GradientError, match="changed in place"):
        loss.backward()


def test_train_and_eval_reach_every_layer():
    model = nn.Sequential(nn.Sequential(nn.Dropout(0.5)))
    assert model.eval() is model
    assert not model[0][0].training
    assert model.train()[0][0].training


def test_a_class_in_place_of_a_layer_is_refused():
    with pytest.raises(OptionError, match=r"layer 1 .* write ReLU\(\)"):
        nn.Sequential(nn.Dense(2, 2), nn.ReLU)


def test_a_plain_function_may_be_a_layer():
    model = nn.Sequential(nn.Dense(2, 2), minidl.tanh)
    assert model(np.ones((1, 2), np.float32)).shape == (1, 2)


def test_fusing_dense_and_activation_changes_nothing():
    x = Tensor(np.random.default_rng(0).standard_normal((5, 4)))
    for activation in (nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus):
        dense, layer = nn.Dense(4, 3), activation()
        dense.weight.data = dense.weight.data.astype(np.float64)
        np.testing.assert_allclose(nn.Sequential(dense, layer)(x).numpy(), layer(dense(x)).numpy(), atol=1e-12)


def test_an_activation_of_ones_own_is_not_passed_over_by_the_fusion():
    class Shifted(nn.ReLU):
        def forward(self, x):
            return super().forward(x) + 1.0

    model = nn.Sequential(nn.Dense(2, 2), Shifted())
    assert (model(np.zeros((1, 2), np.float32)).numpy() == 1.0).all()


def test_an_input_that_does_not_fit_names_layer_and_fix():
    model = nn.Sequential(nn.Dense(784, 10))
    with pytest.raises(ShapeError, match=r"Dense\(in_features=784.*\(batch, 784\), got \(5, 28, 28\).*Flatten\(\)"):
        model(np.zeros((5, 28, 28), np.float32))
    assert nn.Sequential(nn.Flatten(), *model)(np.zeros((5, 28, 28), np.float32)).shape == (5, 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Dense(0, 3), "in_features must be an integer of at least 1, got 0"),
        (lambda: nn.Dense(2, 2.5), "out_features must be an integer"),
        (lambda: nn.Dense(2, 2, weight_init="he"), "unknown initialiser 'he': choose one of"),
        (
            lambda: nn.Dense(2, 3, weight_init=lambda shape: np.zeros((3, 2))),
            r"returned shape \(3, 2\), expected \(2, 3\)",
        ),
        (lambda: nn.BatchNorm(3, eps=0), "eps must be above 0"),
        (lambda: nn.BatchNorm(3, momentum=1.5), r"momentum must be in \[0, 1\]"),
        (lambda: nn.Dropout(1.0), r"in \[0, 1\), got 1.0"),
    ],
)
def test_a_bad_option_is_refused_with_what_is_allowed(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_summary_is_a_table_of_layers_shapes_and_parameters():
    text = nn.Sequential(nn.Dense(784, 128), nn.ReLU(), nn.BatchNorm(128), nn.Dense(128, 10)).summary()
    assert re.search(r"Dense\(in_features=784, out_features=128, bias=True\) +\(B, 128\) +100,480\n", text)
    assert text.endswith("102,026 parameters to train, 256 buffer values")
    with pytest.raises(OptionError, match="input_shape"):
        nn.Sequential(nn.ReLU()).summary()


def test_repr_shows_the_layers():
    assert repr(nn.Sequential(nn.Dense(2, 1), nn.ReLU())) == (
        "Sequential(\n  layers.0: Dense(in_features=2, out_features=1, bias=True)\n  layers.1: ReLU()\n)"
    )


# batch normalisation


def test_batch_norm_gives_mean_beta_and_standard_deviation_gamma():
    layer = nn.BatchNorm(3)
    layer.gamma.data[...] = [1, 2, 3]
    layer.beta.data[...] = [-1, 0, 1]
    y = layer(np.random.default_rng(0).normal(5, 4, (1000, 3)).astype(np.float32)).numpy()
    np.testing.assert_allclose(y.mean(axis=0), [-1, 0, 1], atol=1e-4)
    np.testing.assert_allclose(y.std(axis=0), [1, 2, 3], rtol=1e-4)


def test_running_statistics_follow_with_the_weight_of_the_old_value_and_the_unbiased_variance():
    layer, rng = nn.BatchNorm(2, momentum=0.8), np.random.default_rng(0)
    mean, var = np.zeros(2), np.ones(2)
    for _ in range(3):
        x = rng.normal(3, 2, (10, 2)).astype(np.float32)
        layer(x)
        mean = 0.8 * mean + 0.2 * x.mean(axis=0)
        var = 0.8 * var + 0.2 * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-5)


def test_in_use_batch_norm_depends_on_no_other_sample_and_changes_nothing():
    layer = nn.BatchNorm(2)
    layer(np.random.default_rng(0).normal(3, 2, (10, 2)).astype(np.float32))
    layer.eval()
    before, x = layer.state_dict(), np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    np.testing.assert_allclose(layer(x[:1]).numpy(), layer(x).numpy()[:1])
    expected = (x - before["running_mean"]) / np.sqrt(before["running_var"] + 1e-5)
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-5)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_training_batch_of_one_says_what_to_do():
    with pytest.raises(ShapeError, match=r"batch of 1 .* drop_last=True .* model.eval\(\)"):
        nn.BatchNorm(2)(np.ones((1, 2), np.float32))
    nn.BatchNorm(2).eval()(np.ones((1, 2), np.float32))


def test_a_constant_column_is_finite():
    layer = nn.BatchNorm(1)
    x = Tensor(np.full((4, 1), 3.0, np.float32), requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


def test_estimate_statistics_is_one_pass_over_all_of_the_data():
    x = np.random.default_rng(0).normal(3, 2, (90, 4)).astype(np.float32)
    model = nn.Sequential(nn.BatchNorm(4), nn.Dropout(0.5))
    model.estimate_statistics([(x[:60], None), (x[60:], None)])
    np.testing.assert_allclose(model[0].running_mean.numpy(), x.mean(axis=0), rtol=1e-5)
    expected = (60 * x[:60].var(axis=0, ddof=1) + 30 * x[60:].var(axis=0, ddof=1)) / 90
    np.testing.assert_allclose(model[0].running_var.numpy(), expected, rtol=1e-5)
    assert (model[0].momentum, model.training, model[1].training) == (0.9, True, True)
    with pytest.raises(minidl.errors.DataError, match="no batch"):
        model.estimate_statistics([])


# dropout


def test_dropout_drops_its_rate_and_keeps_the_mean():
    minidl.seed(0)
    y = nn.Dropout(0.25)(np.ones((1000, 100), np.float32))
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert y.mean() == pytest.approx(1.0, abs=0.01)
    assert y.dtype == np.float32
    assert np.unique(y).tolist() == [0.0, pytest.approx(4 / 3)]


def test_dropout_does_nothing_in_use():
    x = np.ones((3, 3), np.float32)
    assert nn.Dropout(0.9).eval()(x) is x


# initial values


@pytest.mark.parametrize(
    ("name", "variance"),
    [("glorot_normal", 2 / 500), ("glorot_uniform", 2 / 500), ("he_normal", 2 / 300), ("he_uniform", 2 / 300)],
)
@pytest.mark.parametrize("options", [{}, {"truncated": True}])
def test_initial_values_have_the_variance_of_their_paper(name, variance, options):
    if options and "uniform" in name:
        return
    values = getattr(nn.init, name)((300, 200), np.random.default_rng(0), **options)
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=3 * np.sqrt(variance / values.size) + 1e-9)
    assert values.var() == pytest.approx(variance, rel=0.02)
    if options:
        assert np.abs(values).max() <= 2 * np.sqrt(variance) / 0.8796 + 1e-6


@pytest.mark.parametrize(("init", "activation"), [("he_normal", "relu"), ("glorot_normal", "tanh")])
def test_the_right_initialisation_carries_activations_through_ten_layers(init, activation):
    minidl.seed(0)
    x = np.random.default_rng(0).standard_normal((500, 100)).astype(np.float32)
    sizes = {}
    for how in (init, lambda shape: nn.init.normal(shape, std=0.01)):
        h = x
        for _ in range(10):
            h = getattr(minidl, activation)(nn.Dense(100, 100, weight_init=how)(h))
        sizes[how] = float((h.numpy() ** 2).mean())
    kept, vanished = sizes.values()
    assert kept > 0.02
    assert vanished < 1e-10


def test_with_zeros_everywhere_only_the_output_bias_learns():
    model = nn.Sequential(nn.Dense(4, 3, weight_init="zeros"), nn.ReLU(), nn.Dense(3, 2, weight_init="zeros"))
    nn.softmax_cross_entropy(model(np.ones((3, 4), np.float32)), np.array([0, 0, 1])).backward()
    moved = {name for name, p in model.named_parameters() if np.abs(p.grad.numpy()).max() > 0}
    assert moved == {"layers.2.bias"}
