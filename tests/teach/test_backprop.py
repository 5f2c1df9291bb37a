"""Backprop that can be asked: the recorded graph, and each gradient as the sum that it is."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.errors import GradientError, OptionError
from minidl.teach import graph, receipt

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 6)).astype(np.float32)
CLASSES = RNG.integers(0, 4, 12)
NUMBERS = RNG.standard_normal((12, 1)).astype(np.float32)


class Residual(nn.Module):
    def __init__(self):
        self.a, self.b = nn.Dense(6, 6), nn.Dense(6, 1)

    def forward(self, x):
        h = minidl.tanh(self.a(x))
        return self.b(h + minidl.tanh(self.a(h)) + x)


def shared():
    layer = nn.Dense(6, 6)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Sigmoid(), nn.Dense(6, 4))


NETS = {
    "BatchNorm": lambda: nn.Sequential(nn.Dense(6, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dense(8, 4)),
    "dropout": lambda: nn.Sequential(nn.Dense(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Dense(8, 4)),
    "a shared layer": shared,
    "a residual connection": Residual,
    "a regression": lambda: nn.Sequential(nn.Dense(6, 5), nn.Softplus(), nn.Dense(5, 1)),
}


def loss_of(name, dtype="float32"):
    minidl.seed(3)
    model = NETS[name]()
    for p in model.parameters():
        p.data = p.data.astype(dtype)
    output = model(X.astype(dtype, copy=False))
    if output.shape[1] == 1:
        return model, nn.mean_squared_error(output, NUMBERS.astype(dtype))
    return model, nn.softmax_cross_entropy(output, CLASSES)


@pytest.mark.parametrize(("dtype", "close"), [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("name", NETS)
def test_the_terms_of_a_receipt_add_up_to_the_gradient(name, dtype, close):
    model, loss = loss_of(name, dtype)
    whole = graph(loss, model, unfold=True)
    expected = minidl.gradients(loss, model.parameters())
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        for _ in range(12):
            index = tuple(int(RNG.integers(n)) for n in parameter.shape)
            found = whole.receipt(parameter, index)
            assert found.value == gradient.data[index]
            assert abs(found.total - found.value) <= close * sum(abs(term.value) for term in found.terms) + 1e-30
            for term in found.terms[:3]:  # each is a derivative times a gradient of the loss
                assert term.delta == term.node.gradient[term.index]


@pytest.mark.parametrize("unfold", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_every_node_holds_its_value_and_the_gradient_of_the_loss(name, unfold):
    model, loss = loss_of(name)
    found = graph(loss, model, unfold=unfold, x=X)
    for (title, parameter), gradient in zip(
        model.named_parameters(), minidl.gradients(loss, model.parameters()), strict=True
    ):
        assert found[title].gradient.tobytes() == gradient.data.tobytes()
        assert found[parameter].value.tobytes() == parameter.data.tobytes()
    assert found.nodes[-1].value == loss.data
    assert found.nodes[-1].gradient == 1
    assert found["x"].gradient is None
    assert all(i < node.number for node in found for i in node.inputs)
    ops = {node.op for node in found}
    assert ("matmul" in ops) is unfold
    assert ("dense" in ops) is not unfold


def test_what_is_unfolded_has_the_gradients_that_differences_have():
    """In between the parts of a fused op, where nothing but the composition says what they are."""
    model, loss = loss_of("BatchNorm", "float64")
    found = graph(loss, model, unfold=True)
    (divide,) = [node for node in found if node.op == "divide"]  # the normalised batch
    gamma, beta = (model.layers[1].gamma.data, model.layers[1].beta.data)

    def rest(normalised):
        hidden = np.maximum(gamma * normalised + beta, 0)
        return nn.softmax_cross_entropy(model.layers[3](hidden), CLASSES).item()

    for index in [(0, 0), (5, 3), (11, 7)]:
        step = np.zeros_like(divide.value)
        step[index] = 1e-6
        difference = (rest(divide.value + step) - rest(divide.value - step)) / 2e-6
        assert divide.gradient[index] == pytest.approx(difference, abs=1e-8)


def test_a_weight_s_gradient_is_input_times_delta_over_the_batch():
    model, loss = loss_of("a regression")
    found = receipt(loss, model.layers[0].weight, (2, 4), model, x=X)
    assert {term.factor for term in found.terms} == {f"x[{i}, 2]" for i in range(12)}
    for term in found.terms:
        assert term.local == X[term.index[0], 2]
        assert term.index[1] == 4
    text = str(found)
    first = found.terms[0]
    assert text.startswith(f"∂L/∂layers.0.weight[2, 4] = {found.value:.6g}, the sum of 12 terms:")
    assert f"x[{first.index[0]}, 2] · ∂L/∂layers.0 matmul[{first.index[0]}, 4]" in text
    assert "softplus′" in text
    assert "∂L/∂mean = 1: the loss itself, where backpropagation begins." in text


def test_a_delta_is_asked_in_turn_up_to_the_loss():
    model, loss = loss_of("dropout")
    asked = receipt(loss, "layers.0.weight", (0, 1), model)
    for _ in range(20):
        if not asked.terms:
            break
        term = asked.terms[0]
        asked = asked.why()
        assert asked.value == term.delta
    assert asked.value == 1
    assert not asked.node.users


def test_inputs_that_are_zero_and_units_that_are_off_are_counted():
    x = X.copy()
    x[3:, 2] = 0
    model = nn.Sequential(nn.Dense(6, 5), nn.ReLU(), nn.Dense(5, 1))
    model.layers[0].bias.data = np.array([-100.0, 0, 0, 0, 0], "f")
    loss = nn.mean_squared_error(model(x), NUMBERS)
    found = receipt(loss, model.layers[0].weight, (2, 0), model)
    assert (found.value, found.terms, found.zeros) == (0, [], 12)
    assert "every way to the loss has a factor 0 in it" in str(found)
    alive = receipt(loss, model.layers[0].weight, (2, 1), model)
    assert len(alive.terms) + alive.zeros == 12
    assert alive.zeros >= 9


def test_a_receipt_speaks_spanish_and_italian():
    _, loss = loss_of("a regression")
    found = graph(loss, unfold=True).receipt(2, (0,) * graph(loss, unfold=True)[2].value.ndim)
    assert "la suma de" in found.text(language="es")
    assert "la somma di" in found.text(language="it")
    with pytest.raises(OptionError, match="'en', 'es', 'it'"):
        found.text(language="fr")


def test_asking_touches_nothing():
    model, loss = loss_of("BatchNorm")
    optimizer = optim.Adam(model.parameters())
    graph(loss, model, unfold=True).receipt("layers.0.weight", (0, 0))
    assert all(p.grad is None for p in model.parameters())
    expected = minidl.gradients(loss, model.parameters())
    loss.backward()
    assert all(p.grad.data.tobytes() == g.data.tobytes() for p, g in zip(model.parameters(), expected, strict=True))
    optimizer.step()


def test_what_cannot_be_asked_is_said():
    model, loss = loss_of("a regression")
    with pytest.raises(OptionError, match=r"there is no 'w' in this graph; .* layers\.0\.weight"):
        receipt(loss, "w", (0, 0), model)
    with pytest.raises(OptionError, match=r"layers\.0\.weight\[9, 0\]: there is no such element"):
        receipt(loss, model.layers[0].weight, (9, 0), model)
    with pytest.raises(OptionError, match="the loss was not made from it"):
        receipt(loss, nn.Dense(2, 2).weight, (0, 0))
    with pytest.raises(OptionError, match="x requires no gradient"):
        receipt(loss, "x", (0, 0), x=X)
    with pytest.raises(OptionError, match="unfold=True"):
        graph(loss).receipt(model.layers[0].weight, (0, 0))
    with pytest.raises(OptionError, match="has 12 terms"):
        receipt(loss, model.layers[0].weight, (0, 0)).why(12)
    with pytest.raises(GradientError, match="nothing recorded"):
        graph(loss.detach())
    with pytest.raises(GradientError, match="single element"):
        graph(model(X))
    loss.backward()
    with pytest.raises(GradientError, match="or ask before it"):
        graph(loss)


def test_the_graph_is_shown_as_text_svg_dot_and_a_page():
    model, loss = loss_of("a residual connection")
    found = graph(loss, model, x=X)
    lines = found.text().splitlines()
    assert len(lines) == 1 + len(found)
    assert any(line.split()[1:2] == ["x"] and "12 × 6" in line for line in lines)
    picture = ElementTree.fromstring(found.svg())
    texts = ["".join(element.itertext()) for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"x", "a.weight", "b.bias"} <= set(texts)
    arrows = [e for e in picture.iter("{http://www.w3.org/2000/svg}path") if e.get("marker-end")]
    edges = sum(len(set(node.inputs)) for node in found)
    assert len(arrows) == edges
    assert len(re.findall(r" -> ", found.dot())) == edges
    assert len(re.findall(r"\[label=", found.dot())) == len(found)
    page = found.html()
    assert page.count("<details>") == len(found)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # it loads nothing
    assert found._repr_html_() == found.svg()


def test_boxes_of_a_picture_do_not_lie_on_one_another():
    model, loss = loss_of("BatchNorm")
    picture = ElementTree.fromstring(graph(loss, model, unfold=True).svg())
    boxes = [e for e in picture.iter("{http://www.w3.org/2000/svg}rect") if e.get("rx")]
    corners = [(float(b.get("x")), float(b.get("y")), float(b.get("width")), float(b.get("height"))) for b in boxes]
    for i, (x, y, w, h) in enumerate(corners):
        for x2, y2, w2, h2 in corners[:i]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_a_graph_of_ten_thousand_ops_is_read_without_recursion():
    x = minidl.Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0
    found = graph(y)
    assert len(found) == 10_001
    assert found[x].gradient == 1
