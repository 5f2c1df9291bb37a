"""Lists of layers, shortcuts around them, layer normalisation: built, printed, saved, summed up, watched."""

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn, optim
from minidl.errors import OptionError, ShapeError
from minidl.teach import ledger

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def everything():
    return nn.Sequential(
        nn.Dense(4, 8), nn.LayerNorm(8, eps=1e-3), nn.GELU(), nn.Identity(), nn.Residual(nn.Dense(8, 8), nn.SiLU()),
        nn.ELU(0.5), nn.Residual(nn.BatchNorm(8), minidl.tanh), minidl.gelu, nn.Dense(8, 3), nn.Softmax(),
    )  # fmt: skip


# lists of layers


def test_a_sequential_takes_its_layers_one_by_one_or_in_a_list():
    layers = [nn.Dense(4, 3), nn.ReLU(), nn.Dense(3, 2)]
    for model in (nn.Sequential(layers), nn.Sequential(tuple(layers)), nn.Sequential().extend(layers)):
        assert list(model) == layers
        np.testing.assert_array_equal(model(X).numpy(), nn.Sequential(*layers)(X).numpy())
    assert list(nn.Sequential([])) == []
    assert nn.Sequential(layers).layers is not layers


def test_layers_are_appended_in_a_chain_and_found():
    model = nn.Sequential(nn.Dense(4, 3)).append(nn.ReLU()).append(nn.Dense(3, 2))
    assert model(X).shape == (6, 2)
    assert [name for name, _ in model.named_parameters()] == [
        "layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList, nn.Residual])
def test_what_is_no_layer_is_refused_with_its_place_and_nothing_is_added(kind):
    model = kind([nn.ReLU()])
    for add in (lambda: model.append(nn.ReLU), lambda: model.extend([nn.ReLU])):
        with pytest.raises(OptionError, match=rf"^{kind.__name__}: layer 1 is not a layer .* write ReLU\(\)"):
            add()
    with pytest.raises(OptionError, match="layer 2 is not a layer or function but 3"):
        model.extend([nn.Tanh(), 3])
    assert len(model) == 1


def test_a_module_list_is_a_part_of_ones_own_model():
    class Deep(nn.Module):
        def __init__(self):
            self.blocks = nn.ModuleList(nn.Dense(4, 4) for _ in range(3))

        def forward(self, x):
            for block in self.blocks:
                x = minidl.tanh(block(x))
            return x

    model = Deep()
    assert len(model.parameters()) == 6
    assert "blocks.layers.2.weight" in model.state_dict()
    assert model(X).shape == (6, 4)
    assert (len(model.blocks), model.blocks[-1], list(model.blocks[1:])) == (
        3,
        model.blocks[2],
        model.blocks.layers[1:],
    )
    assert "ModuleList(\n  " in repr(model)
    with pytest.raises(NotImplementedError, match="ModuleList defines no forward"):
        model.blocks(X)


# shortcuts


def test_a_residual_adds_its_input_and_its_gradient():
    inner = nn.Dense(4, 4)
    x = Tensor(X, requires_grad=True)
    y = nn.Residual(inner, nn.Tanh())(x)
    np.testing.assert_allclose(y.numpy(), X + np.tanh(X @ inner.weight.numpy()), rtol=1e-5)
    y.sum().backward()
    slope = 1 - np.tanh(X @ inner.weight.numpy()) ** 2
    np.testing.assert_allclose(x.grad.numpy(), 1 + slope @ inner.weight.numpy().T, rtol=1e-4, atol=1e-5)
    assert (nn.Residual()(X) == 2 * X).all()
    assert type(nn.Residual(inner, nn.Tanh())[:1]) is nn.Sequential


@pytest.mark.parametrize("outputs", [1, 3])
def test_what_cannot_be_added_is_refused_not_broadcast(outputs):
    model = nn.Sequential(nn.Identity(), nn.Residual(nn.Dense(4, outputs)))
    with pytest.raises(ShapeError, match=rf"^layer 1, Residual: its layers make \(6, {outputs}\) of \(6, 4\)"):
        model(X)
    with pytest.raises(ShapeError, match=r"^layer 1, layer 0, Dense\(in_features=4"):
        model(X[:, :3])


# layer normalisation


def test_layer_norm_gives_each_sample_mean_zero_and_deviation_one_in_training_and_in_use():
    layer = nn.LayerNorm(4, eps=1e-12)
    y = layer(3 * X + 100).numpy()
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(axis=1), 1, rtol=1e-3)
    np.testing.assert_array_equal(layer.eval()(3 * X + 100).numpy(), y)
    np.testing.assert_allclose(layer(3 * X[0] + 100).numpy(), y[0], rtol=1e-6)
    assert layer(np.zeros((2, 3, 4), np.float32)).shape == (2, 3, 4)


def test_layer_norm_has_the_right_gradients_to_second_order():
    layer = nn.LayerNorm(4)
    layer.gamma = nn.Parameter(np.array([1.0, 2.0, -1.0, 0.5]))
    minidl.check_grads(lambda x: (layer(x) ** 2).sum(), X[:2].astype(float))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.LayerNorm(0), OptionError, "num_features must be an integer of at least 1"),
        (lambda: nn.LayerNorm(4, eps=0), OptionError, "eps must be above 0"),
        (lambda: nn.ELU(0), OptionError, "alpha must be above 0, got 0"),
        (lambda: nn.LayerNorm(3)(X), ShapeError, r"expected an input of shape \(batch, 3\), got \(6, 4\)"),
        (lambda: nn.LayerNorm(4)(1.0), ShapeError, r"got \(\)"),
    ],
)
def test_a_bad_option_or_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# all of them


def test_all_of_them_are_saved_and_come_back_as_the_same_function(tmp_path):
    model = everything()
    model(X)
    minidl.save(tmp_path / "m", model)
    loaded = minidl.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded(X).numpy(), model.eval()(X).numpy())
    assert repr(loaded) == repr(model)
    assert (loaded[1].eps, loaded[5].alpha, loaded[7]) == (1e-3, 0.5, minidl.gelu)


def test_all_of_them_are_counted_by_summary_and_named_in_the_ledger():
    model = everything()
    text = model.summary()
    assert text.endswith(f"{40 + 16 + 72 + 16 + 27} parameters to train, 16 buffer values")
    for name in ("LayerNorm(num_features=8, eps=0.001)", "GELU()", "Residual", "ELU(alpha=0.5)", "Identity()"):
        assert name in text
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    book = ledger(optimizer, [("layers.1.gamma", 2)], names=dict(model.named_parameters()))
    nn.negative_log_likelihood(minidl.log(model(X)), [0, 1, 2, 0, 1, 2]).backward()
    optimizer.step()
    assert "layers.1.gamma" in str(book.at(1))


def test_dense_runs_as_one_with_the_activations_that_its_kernel_knows_and_with_no_other():
    for activation in (nn.GELU, nn.SiLU, nn.ELU):
        dense, layer = nn.Dense(4, 3), activation()
        np.testing.assert_array_equal(nn.Sequential(dense, layer)(X).numpy(), layer(dense(X)).numpy())
