"""Guards in loops of one's own and in the run of fit: what each notices, leaves alone, and how it is turned off."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from guard_cases import DATA, X, Y, mlp, train
from pages import ROOT, SCRIPTS

import minidl
from minidl import nn, optim
from minidl.data import Loader, mnist
from minidl.errors import GuardWarning, LabelError, ShapeError
from minidl.train import evaluate, fit


def step(model, optimizer, clear=True, backward=1):
    if clear:
        optimizer.zero_grad()
    for _ in range(backward):
        nn.softmax_cross_entropy(model(X), Y).backward()
    optimizer.step()


# loops of one's own


def test_mdl001_gradients_that_are_not_cleared_between_steps():
    model = mlp()
    optimizer = optim.SGD(model.parameters())
    step(model, optimizer, clear=False)
    with pytest.warns(GuardWarning, match=r"^MDL001: .*call optimizer.zero_grad\(\) before backward\(\)"):
        step(model, optimizer, clear=False)


def test_mdl001_is_not_about_gradients_that_are_meant_to_add_up():
    model = mlp()
    optimizer = optim.SGD(model.parameters())
    for _ in range(3):  # two batches a step
        step(model, optimizer, backward=2)
    optimizer.step()  # the same gradient once more
    optimizer.step()
    model.zero_grad()  # the other way to clear them
    step(model, optimizer, clear=False)
    for p in model.parameters():  # and one's own
        p.grad = None
    step(model, optimizer, clear=False)


def test_mdl001_is_noticed_whichever_parameters_are_frozen():
    model = mlp()
    for p in model[0].parameters():
        p.requires_grad = False
    optimizer = optim.Adam(model.parameters())
    step(model, optimizer, clear=False)
    with pytest.warns(GuardWarning, match="MDL001"):
        step(model, optimizer, clear=False)


@pytest.mark.parametrize("layer", [nn.BatchNorm(20), nn.Dropout(0.5)], ids=["BatchNorm", "Dropout"])
def test_mdl002_evaluating_in_training_mode(layer):
    model = nn.Sequential(layer, nn.Dense(20, 3)).train()
    with minidl.no_grad(), pytest.warns(GuardWarning, match=rf"^MDL002: {type(layer).__name__}.*call model.eval\(\)"):
        model(X)
    model(X)  # with a graph: it may be for training
    model.eval()
    with minidl.no_grad():
        model(X)
    evaluate(model.train(), DATA)  # sees to the mode itself
    with minidl.no_grad():  # these two behave the same in both
        mlp()(X)
        nn.Dropout(0.0)(X)


def test_mdl002_spares_the_pass_that_estimates_statistics():
    model = nn.Sequential(nn.Dense(20, 4), nn.BatchNorm(4))
    model.estimate_statistics(Loader(DATA, 50))


@pytest.mark.parametrize("layer", [nn.BatchNorm(16), nn.Dropout(0.5)], ids=["BatchNorm", "Dropout"])
def test_mdl003_training_in_evaluation_mode(layer):
    model = nn.Sequential(nn.Dense(20, 16), layer, nn.Dense(16, 3))
    optimizer = optim.SGD(model.parameters())
    step(model.train(), optimizer)
    model.eval()
    with pytest.warns(GuardWarning, match=rf"^MDL003: .*{type(layer).__name__}.*call model.train\(\)"):
        step(model, optimizer)
    step(model.train(), optimizer)


def test_mdl003_leaves_gradients_in_evaluation_mode_alone():
    model = nn.Sequential(nn.Dense(20, 16), nn.BatchNorm(16), nn.Dropout(0.5), nn.Dense(16, 3))
    optimizer = optim.SGD(model.parameters())
    x = minidl.Tensor(X, requires_grad=True)
    nn.softmax_cross_entropy(model.eval()(x), Y).backward()  # a saliency map, say
    assert x.grad is not None
    step(model.train(), optimizer)
    model.train()[1].eval()
    for p in model[1].parameters():
        p.requires_grad = False
    model[2].eval()
    with pytest.warns(GuardWarning, match="MDL003: .*Dropout"):  # BatchNorm is frozen on purpose, and passed over
        step(model, optimizer)


@pytest.mark.parametrize(
    ("output", "loss"),
    [
        (nn.Softmax(), nn.softmax_cross_entropy),
        (nn.Sigmoid(), nn.softmax_cross_entropy),
        (minidl.softmax, nn.softmax_cross_entropy),
        (nn.Sigmoid(), lambda y, t: nn.binary_cross_entropy_with_logits(y, np.eye(3, dtype=np.float32)[t])),
    ],
)
def test_mdl004_probabilities_given_to_a_loss_that_takes_logits(output, loss):
    model = nn.Sequential(nn.Dense(20, 3), output)
    with pytest.warns(GuardWarning, match=r"^MDL004: \w+_with_logits|^MDL004: softmax_cross_entropy was given the"):
        loss(model(X), Y)
    with pytest.warns(GuardWarning, match="MDL004"):
        train(model, loss=loss)


def test_mdl004_leaves_softmax_elsewhere_alone():
    model = nn.Sequential(nn.Dense(20, 8), minidl.softmax, nn.Dense(8, 3))
    nn.softmax_cross_entropy(model(X), Y)
    nn.softmax_cross_entropy(model(X) * 1, Y)
    nn.mean_squared_error(minidl.softmax(model(X)), np.eye(3, dtype=np.float32)[Y])


# in the run of training


def test_mdl006_relu_units_that_are_dead():
    model = mlp()
    model[0].bias.data[:4] = -100  # a few may be
    train(model, epochs=2)
    model[0].bias.data[:12] = -100
    with pytest.warns(GuardWarning, match=r"^MDL006: at step 5, 75% of the 16 units of ReLU 1 \(of 1\)"):
        train(model, epochs=2)


@pytest.mark.filterwarnings("ignore:MDL007")  # which is right too
def test_mdl006_counts_relus_from_the_inputs_on():
    model = nn.Sequential(nn.Dense(20, 16), nn.ReLU(), nn.Dense(16, 16), nn.ReLU(), nn.Dense(16, 3))
    model[2].bias.data[:] = -100
    with pytest.warns(GuardWarning, match=r"of ReLU 2 \(of 2\)"):
        train(model, epochs=2)


@pytest.mark.filterwarnings("ignore:MDL007")  # which is right too
def test_mdl006_sees_relu_in_a_model_of_ones_own_too():
    class Net(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Dense(20, 16), nn.Dense(16, 3)

        def forward(self, x):
            return self.second(minidl.relu(self.first(x) - 100.0))

    with pytest.warns(GuardWarning, match="MDL006: at step 5, 100% of the 16 units"):
        train(Net(), epochs=2)


@pytest.mark.filterwarnings("ignore:MDL006", "ignore:MDL012")  # which are right too
def test_mdl007_updates_that_are_far_too_large_or_small():
    with pytest.warns(GuardWarning, match=r"^MDL007: update 5 has changed layers.\d.weight by \d+% of its size"):
        train(mlp(), rule=optim.Adam, lr=1.0, epochs=2)
    with pytest.warns(GuardWarning, match=r"^MDL007: update 5 has changed no weight by more than .*raise lr"):
        train(mlp(), lr=1e-8, epochs=2)


def test_mdl012_divergence_is_reported_once_with_advice():
    model = nn.Sequential(nn.Dense(20, 1))
    square = lambda output, y: nn.mean_squared_error(output, y[:, None].astype(np.float32))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        train(model, lr=0.6, epochs=8, loss=square)
    found = [str(w.message) for w in seen if str(w.message).startswith("MDL012")]
    assert len(found) == 1
    assert re.search(r"training diverges: by step \d+ \(epoch \d\) .*lower lr \(now 0.6\)", found[0])


def test_a_healthy_training_of_mnist_is_silent():
    digits = mnist()[0][:5000]
    for rule, lr in ((optim.Adam, 1e-3), (optim.SGD, 0.1), (optim.Momentum, 0.05)):
        minidl.seed(0)
        model = nn.Sequential(nn.Dense(784, 64), nn.ReLU(), nn.Dense(64, 32), nn.ReLU(), nn.Dense(32, 10))
        train(model, digits, rule=rule, lr=lr, batch_size=64)


# turning them off


def test_guards_are_turned_off_by_pythons_filters_or_by_fit():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "MDL005")
        train(mlp(weight_init="ones"))
    train(mlp(weight_init="zeros"), guards=False)


def test_a_guard_points_at_the_users_line():
    model = mlp(weight_init="ones")
    with pytest.warns(GuardWarning) as seen:
        fit(model, DATA, optimizer=optim.SGD(model.parameters()), epochs=1, batch_size=20, progress=False)
    assert seen[0].filename == __file__


def test_every_guard_has_its_page_with_an_example_that_sets_it_off():
    page = (ROOT / "docs/guards.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in Path(minidl.__file__).parent.rglob("*.py"))
    codes = sorted(set(re.findall(r"MDL\d{3}", source)))
    assert codes == [f"MDL{i:03}" for i in range(1, 15)]
    headings = {page.count("\n", 0, found.start()): found[1] for found in re.finditer(r"^## (MDL\d{3})", page, re.M)}
    assert [*headings.values()] == codes
    blocks = [block for block in SCRIPTS if block.page == "docs/guards.md"]
    starts, ends = [*headings], [*headings][1:] + [page.count("\n")]
    for code, start, end in zip(codes, starts, ends, strict=True):
        example = next(block.code for block in blocks if start < block.line <= end)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                exec(example, {})
            except (ShapeError, LabelError) as error:
                seen.append(error)
        told = [str(getattr(w, "message", w)) for w in seen]
        assert any(line.startswith(code) for line in told), (code, told)
