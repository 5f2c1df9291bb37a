"""ONNX files: ONNX Runtime computes what minidl computes, and what minidl cannot describe is refused by name."""

import numpy as np
import onnx
import onnxruntime
import pytest
from command_line import said

import minidl
from minidl import data, export, nn, ops, optim, train
from minidl.errors import MissingExtraError, OptionError, UnsupportedError, WriteError
from minidl.export._onnx_layers import FUNCTIONS, LAYERS

ARCHITECTURES = {
    "linear": lambda: nn.Sequential(nn.Dense(784, 10)),
    "relu": lambda: nn.Sequential(nn.Dense(784, 32), nn.ReLU(), nn.Dense(32, 10)),
    "deep": lambda: nn.Sequential(nn.Dense(784, 64), nn.Tanh(), nn.Dense(64, 32), nn.Sigmoid(), nn.Dense(32, 10)),
    "normalised": lambda: nn.Sequential(
        nn.Dense(784, 32, bias=False), nn.BatchNorm(32, eps=0.1), nn.LeakyReLU(), nn.Dropout(0.3), nn.Dense(32, 10)
    ),
    "residual": lambda: nn.Sequential(
        nn.Dense(784, 32),
        nn.LayerNorm(32, eps=0.1),
        nn.GELU(),
        nn.Residual(nn.Dense(32, 32), nn.ELU(0.5), nn.Dense(32, 32)),
        nn.Identity(),
        nn.SiLU(),
        nn.Dense(32, 10),
    ),
    "nested": lambda: nn.Sequential(
        nn.Flatten(), nn.Sequential(nn.Dense(784, 32), nn.Softplus(), nn.BatchNorm(32)), nn.Dense(32, 10)
    ),
    "functions": lambda: nn.Sequential(nn.Dense(784, 32), minidl.tanh, nn.Dense(32, 10), minidl.log_softmax),
    "probabilities": lambda: nn.Sequential(nn.Dense(784, 32), minidl.softplus, nn.Dense(32, 10), nn.Softmax()),
}
DIGITS = data.mnist()[1][:1000]
X = DIGITS.inputs.astype(np.float32) / 255


@pytest.fixture(scope="module", params=ARCHITECTURES)
def trained(request):
    """A model of each architecture, trained a little, its logits far from zero and its statistics far from 0 and 1."""
    minidl.seed(0)
    model = ARCHITECTURES[request.param]()
    body = nn.Sequential(
        *[layer for layer in model if layer is not minidl.log_softmax and type(layer) is not nn.Softmax]
    )
    train.fit(body, data.mnist()[1][2000:4000], optimizer=optim.Adam(body.parameters()), epochs=2, progress=False)
    return model


def outputs(path, x):
    session = onnxruntime.InferenceSession(path)
    return session.run(["output"], {"input": x})[0]


def test_onnx_runtime_and_minidl_agree_on_a_thousand_digits(trained, tmp_path):
    export.onnx(trained, tmp_path / "m.onnx")
    found, expected = outputs(tmp_path / "m.onnx", X), train.predict(trained, X)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * abs(expected).max())
    np.testing.assert_allclose(ops.softmax(found), ops.softmax(expected), rtol=0, atol=1e-6)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_a_file_that_takes_pixels_scales_them_as_training_does(trained, tmp_path):
    export.onnx(trained, tmp_path / "m.onnx", pixels=True)
    found, expected = outputs(tmp_path / "m.onnx", DIGITS.inputs), train.predict(trained, DIGITS.inputs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * abs(expected).max())


def test_every_activation_and_function_agrees_far_from_zero(tmp_path):
    x = np.linspace(-90, 90, 4001, dtype=np.float32).reshape(-1, 1)
    functions = [getattr(ops, name) for name in FUNCTIONS]
    layers = [
        kind() for kind in LAYERS if kind not in (nn.Dense, nn.BatchNorm, nn.LayerNorm, nn.Sequential, nn.Residual)
    ]
    for layer in [*functions, *layers]:
        export.onnx(nn.Sequential(layer), tmp_path / "m.onnx", shape=(1,))
        expected = nn.Sequential(layer).eval()(x)
        np.testing.assert_allclose(outputs(tmp_path / "m.onnx", x), expected, rtol=2e-6, atol=2e-6, err_msg=repr(layer))


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_a_batch_may_be_of_any_size(batch, tmp_path):
    export.onnx(nn.Sequential(nn.Dense(4, 3), nn.ReLU()), tmp_path / "m.onnx")
    assert outputs(tmp_path / "m.onnx", np.ones((batch, 4), "f4")).shape == (batch, 3)


def test_the_file_tells_the_shapes_and_the_layers_names(tmp_path):
    export.onnx(nn.Sequential(nn.Dense(4, 3), nn.Sequential(nn.Dense(3, 2, bias=False))), tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert [(x.name, x.shape) for x in session.get_inputs()] == [("input", ["batch", 4])]
    assert [(y.name, y.shape) for y in session.get_outputs()] == [("output", ["batch", 2])]
    names = [constant.name for constant in onnx.load(tmp_path / "m.onnx").graph.initializer]
    assert names == ["layers.0.weight", "layers.0.bias", "layers.1.layers.0.weight"]


def test_pictures_may_come_in_the_shape_that_they_have(tmp_path):
    model = nn.Sequential(nn.Flatten(), nn.Dense(784, 10))
    export.onnx(model, tmp_path / "m.onnx", shape=(28, 28))
    x = X[:5].reshape(5, 28, 28)
    np.testing.assert_allclose(outputs(tmp_path / "m.onnx", x), model.eval()(x), rtol=1e-5, atol=1e-6)


def test_a_layer_alone_or_one_that_is_used_twice_or_none_that_computes(tmp_path):
    shared = nn.Dense(3, 3)
    for model in (shared, nn.Sequential(shared, nn.Tanh(), shared), nn.Sequential(nn.Dropout(0.5))):
        export.onnx(model, tmp_path / "m.onnx", shape=(3,))
        x = np.random.default_rng(0).normal(size=(5, 3)).astype("f4")
        np.testing.assert_allclose(outputs(tmp_path / "m.onnx", x), model.eval()(x), rtol=1e-5, atol=1e-6)
    export.onnx(nn.Sequential(shared, shared), tmp_path / "m.onnx")
    assert len(onnx.load(tmp_path / "m.onnx").graph.initializer) == 2


def test_a_model_in_double_precision_stays_so(tmp_path):
    model = nn.Sequential(nn.Dense(4, 3), nn.Tanh())
    for parameter in model.parameters():
        parameter.data = parameter.data.astype("f8")
    export.onnx(model, tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_allclose(outputs(tmp_path / "m.onnx", x), model(x), rtol=1e-14)


def test_exporting_changes_neither_the_model_nor_its_mode(tmp_path):
    model = nn.Sequential(nn.Dense(4, 3), nn.BatchNorm(3), nn.Dropout(0.5))
    before = model.state_dict()
    export.onnx(model, tmp_path / "m.onnx")
    assert all(module.training for _, module in model.named_modules())
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


class Scale(nn.Module):
    def forward(self, x):
        return 2 * x


class Double(nn.Dense):
    def forward(self, x, activation=None):
        return 2 * super().forward(x, activation)


def patched():
    layer = nn.ReLU()
    layer.forward = lambda x: x
    return layer


def watched():
    layer = nn.ReLU()
    layer.register_forward_hook(lambda module, args, output: 2 * output)
    return layer


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Dense(3, 3), Scale()), "layers.1: Scale is not one of BatchNorm, Dense, "),
        (nn.Sequential(nn.Sequential(Double(3, 3))), "layers.0.layers.0: Double is not one of BatchNorm, Dense, "),
        (nn.Sequential(nn.Dense(3, 3), patched()), "layers.1: forward was set on this ReLU"),
        (nn.Sequential(nn.Dense(3, 3), watched()), "layers.1: a forward hook was registered on this ReLU"),
        (nn.Sequential(nn.Dense(3, 3), lambda x: x), "layers.1: <lambda> is not one of"),
        (nn.Sequential(nn.Dense(3, 3), minidl.cumsum), "layers.1: cumsum is not one of .*, tanh: "),
        (Scale(), "the model: Scale is not one of"),
    ],
)
def test_a_layer_of_ones_own_is_refused_by_name_and_nothing_is_written(model, message, tmp_path):
    with pytest.raises(UnsupportedError, match=message):
        export.onnx(model, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_tells_no_features_asks_for_the_shape(tmp_path):
    with pytest.raises(OptionError, match="give its shape="):
        export.onnx(nn.Sequential(nn.ReLU()), tmp_path / "m.onnx")


def test_who_gives_the_path_first_is_told_the_order(tmp_path):
    with pytest.raises(OptionError, match=r"onnx\(model, path\), got str"):
        export.onnx(str(tmp_path / "m.onnx"), nn.Dense(2, 2))


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(WriteError, match=r"m\.onnx: cannot be written"):
        export.onnx(nn.Dense(2, 2), tmp_path / "absent" / "m.onnx")


def test_without_the_package_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'minidl\[onnx\]'"):
        export.onnx(nn.Dense(2, 2), tmp_path / "m.onnx")


def test_the_command_exports_a_model_file_and_a_runs_folder_and_says_where(tmp_path):
    model = nn.Sequential(nn.Dense(784, 10)).eval()
    minidl.save(tmp_path / "model.safetensors", model)
    for given, options, written, taken in (
        (tmp_path / "model.safetensors", [], tmp_path / "model.onnx", "float32, pixels scaled to [0, 1]"),
        (tmp_path, ["--pixels", "--output", str(tmp_path / "p.onnx")], tmp_path / "p.onnx", "uint8 pixels, 0 to 255"),
    ):
        printed, code = said("export", str(given), "--to", "onnx", *options)
        assert not code, printed
        assert printed == f"{written}: written; takes {taken}\n"
        x = DIGITS.inputs[:9] if options else X[:9]
        np.testing.assert_allclose(outputs(written, x), train.predict(model, x), rtol=1e-5, atol=1e-5)


def test_the_command_tells_what_it_cannot_export(tmp_path):
    printed, code = said("export", str(tmp_path / "absent.safetensors"))
    assert code == 1
    assert "absent.safetensors: no such file" in printed
    assert said("export", "m", "--to", "pmml")[1] == 2
