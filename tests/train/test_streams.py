"""Batches that somebody else makes: lists of them, generator functions, other libraries' loaders."""

import itertools

import numpy as np
import pytest
from scipy import sparse

import minidl
from minidl import nn, optim
from minidl.errors import DataError, LabelError, NonFiniteError, OptionError
from minidl.train import evaluate, fit, predict

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
W = RNG.random(200).astype(np.float32)
BATCHES = [(X[i : i + 16], Y[i : i + 16]) for i in range(0, 200, 16)]


def generate():
    yield from BATCHES


class Batches:
    """As another library's loader is: iterated over again and again, of no length."""

    def __iter__(self):
        return iter(BATCHES)


def network(outputs=3):
    minidl.seed(1)
    return nn.Sequential(nn.Dense(3, 8), nn.ReLU(), nn.Dense(8, outputs))


def trained(source, epochs=3, **options):
    model = network()
    history = fit(model, source, epochs=epochs, **{"progress": False, **options})
    return predict(model, X).tolist(), history


def by_hand(epochs=3):
    model = network()
    optimizer = optim.Adam(model.parameters())
    for x, y in BATCHES * epochs:
        optimizer.zero_grad()
        nn.softmax_cross_entropy(model(x), y).backward()
        optimizer.step()
    return predict(model, X).tolist()


SOURCES = {"list": BATCHES, "generator function": generate, "no length": Batches(), "map": lambda: map(tuple, BATCHES)}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("compile", [None, False])
def test_batches_are_trained_on_in_their_order_epoch_by_epoch(name, compile):
    found, history = trained(SOURCES[name], compile=compile)
    assert found == by_hand()
    assert history["step"] == [13, 26, 39]
    assert 0 < history["accuracy"][-1] <= 1


def test_steps_on_batches_of_minidls_own_layers_are_compiled():
    _, history = trained(BATCHES)
    assert (history[-1]["engine"], history.reason) != ("eager", None)
    assert trained(BATCHES, compile=True)[1][-1]["engine"] != "eager"


def test_an_iterator_serves_for_one_epoch_and_for_no_more():
    assert trained(generate(), epochs=1)[0] == by_hand(1)
    with pytest.raises(OptionError, match="an iterator ends with its first epoch: give the generator function itself"):
        trained(generate(), epochs=2)
    with pytest.raises(OptionError, match="an iterator ends"):
        trained(BATCHES, validation=generate(), epochs=2)


def test_an_endless_function_is_cut_into_epochs_and_asked_for_no_more_than_that():
    asked = []

    def endless():
        for i in itertools.count():
            asked.append(i)
            yield BATCHES[i % len(BATCHES)]

    _, history = trained(lambda: itertools.islice(endless(), 5), epochs=2)
    assert history["step"] == [5, 10]
    assert asked == [0, 1, 2, 3, 4] * 2


def test_epochs_may_be_of_different_lengths():
    lengths = iter([3, 5, 2])
    _, history = trained(lambda: BATCHES[: next(lengths)])
    assert history["step"] == [3, 8, 10]


def test_each_batch_is_asked_for_once_and_not_before_it_is_needed():
    events = []

    def told():
        for number, batch in enumerate(BATCHES[:4]):
            events.append(f"batch {number}")
            yield batch

    class Step(minidl.train.Callback):
        def on_step(self, run):
            events.append(f"step {run.step}")

    trained(told, epochs=1, callbacks=[Step()])
    assert events == [f"{what}" for i in range(4) for what in (f"batch {i}", f"step {i + 1}")]


def test_batches_are_read_as_data_sets_are():
    pixels = RNG.integers(0, 256, (40, 2, 2), dtype=np.uint8)
    seen = []

    class Sees(nn.Module):
        def __init__(self):
            self.dense = nn.Dense(4, 2)

        def forward(self, x):
            seen.append(x)
            return self.dense(x)

    fit(Sees(), [(pixels.tolist(), [0, 1] * 20)], epochs=1, progress=False, guards=False, compile=False)
    fit(Sees(), [(pixels, [0, 1] * 20)], epochs=1, progress=False, guards=False, compile=False)
    np.testing.assert_allclose(np.asarray(seen[0]) / 255, seen[-1], rtol=1e-6)
    assert seen[-1].shape == (40, 4)


def test_a_bag_of_words_is_streamed_part_by_part():
    words = sparse.csr_matrix(RNG.poisson(0.3, (200, 50)))
    found = []
    for source in (words, words.toarray().astype(np.float32)):
        minidl.seed(1)
        model = nn.Sequential(nn.Dense(50, 3))
        batches = [(source[i : i + 20], Y[i : i + 20]) for i in range(0, 200, 20)]
        fit(model, batches, epochs=2, progress=False)
        found.append(predict(model, words).tolist())
    assert found[0] == found[1]


def test_callbacks_are_told_how_many_updates_there_are_if_anybody_knows():
    totals = []

    class Look(minidl.train.Callback):
        def on_start(self, run):
            totals.append(run.total)

    for source in (BATCHES, generate):
        trained(source, callbacks=[Look()], progress=True)
    assert totals == [39, None]


def test_batches_may_carry_weights():
    model, other = network(), network()
    fit(model, [(X, Y, W)], epochs=2, progress=False)
    fit(other, X, Y, sample_weight=W, batch_size="full", epochs=2, progress=False)
    np.testing.assert_allclose(predict(model, X), predict(other, X), rtol=1e-4)


def test_batches_are_validated_on_and_measured():
    model = network()
    expected = evaluate(model, X, Y)
    for source in SOURCES.values():
        assert evaluate(model, source) == pytest.approx(expected)
    _, history = trained(BATCHES, validation=generate)
    assert len(history["validation_accuracy"]) == 3
    assert history["validation_loss"][-1] == pytest.approx(evaluate(model, BATCHES)["loss"], rel=1)


def test_targets_that_are_no_classes_are_streamed():
    model = network(1)
    history = fit(model, [(X, X[:, 0]), (X, X[:, 0])], loss="mse", epochs=3, progress=False)
    assert history["r2"][-1] > history["r2"][0]


def test_a_batch_that_is_not_finite_is_told_of_by_its_place():
    wrong = X[:16].copy()
    wrong[5, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"epoch 1, batch 3 of 4.*first in its sample 5"):
        trained([*BATCHES[:2], (wrong, Y[:16]), BATCHES[3]], guards=False)
    with pytest.raises(NonFiniteError, match=r"epoch 1, batch 3\)"):
        trained(lambda: iter([*BATCHES[:2], (wrong, Y[:16])]), guards=False)
    _, history = trained([*BATCHES[:2], (wrong, Y[:16]), BATCHES[3]], guards=False, on_nonfinite="skip")
    assert history["skipped"] == [1, 1, 1]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([], DataError, "there is no batch"),
        (lambda: iter(()), DataError, "there is no batch"),
        (
            [X, Y],
            DataError,
            r"batch 1: expected a pair \(inputs, labels\).*got a ndarray; Dataset\(inputs, labels\)",
        ),
        ([(X, Y, W, W)], DataError, "batch 1: expected a pair"),
        ([*BATCHES[:2], (X, Y[:5])], DataError, "batch 3: expected one label for each sample"),
        ([(X, np.where(Y, "a", "b"))], DataError, "batch 1: labels that are strings have no numbers"),
        ([(X, -Y)], LabelError, "batch 1: label -"),
        ([(X, Y, W), (X, Y)], DataError, "batch 2: give all batches weights, or none"),
        (3, OptionError, "expected a Dataset, got int"),
        ((X, Y, W), OptionError, "expected a Dataset, got tuple"),
    ],
)
def test_what_is_no_batch_is_told_of_by_its_number(source, error, message):
    with pytest.raises(error, match=message):
        trained(source)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint": "run"}, "a run on streamed batches cannot be resumed"),
        ({"validation": 0.1}, "split yours beforehand"),
        ({"batch_size": 20}, "batch_size is for samples"),
        ({"class_weight": "balanced"}, "class_weight is for a data set"),
    ],
)
def test_what_batches_cannot_serve_is_said_in_one_line(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=message):
        trained(BATCHES, **options)
    assert not list(tmp_path.iterdir())
