"""What a user relies on from `minidl.debug`: the culprit is named, and nobody writes into a graph unseen."""

import gc
import sys
import threading

import numpy as np
import pytest

import minidl
from minidl import Tensor, hooks, nn, ops
from minidl.autograd import Op
from minidl.errors import MinidlError, NonFiniteError
from minidl.fusable import Fusable


def leaf(*values):
    return Tensor(np.array(values), requires_grad=True)


def floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


# the numbers


def test_the_op_that_made_a_nan_is_named_with_what_it_was_given():
    x = leaf(2.0, -1.0, 3.0)
    with minidl.debug(), pytest.raises(NonFiniteError) as caught:
        minidl.exp(minidl.log(x * 2))
    assert str(caught.value) == (
        "log, forward: the result, float64[3], has 1 of 3 elements not finite, the first nan at [1]; "
        "all that it was given is finite, so this is where it began: a float64[3] from -2 to 6"
    )
    assert isinstance(caught.value, MinidlError)
    assert isinstance(caught.value, FloatingPointError)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x * np.array([1.0, np.inf]), r"multiply, .*argument 1 \(b\), .*the first inf at \[1\], was not finite"),
        (lambda x: x + float("nan"), r"add, .*argument 1 \(b\), float64\[\], is nan, was not finite already"),
        (lambda x: x + [1.0, float("nan")], r"add, .*argument 1 \(b\), .*the first nan at \[1\], was not finite"),
        (lambda x: minidl.concatenate([x, x / 0]), r"divide, .*so this is where it began: a float64\[2\] .*, b=0$"),
        (lambda x: minidl.sum(x * 8e307, axis=0), r"sum, .*is inf; .*began: a float64\[2\] from 8e\+307 to 1\.6e\+308, axis=0"),
        (lambda x: minidl.stack([x, np.array([1, np.nan])]), r"_stack, .*argument 1, .*was not finite already"),
        (lambda x: minidl.log(np.zeros(3)), r"log, forward: .*has 3 of 3 elements not finite, the first -inf at \[0\]"),
        (lambda x: minidl.exp(1000.0), r"exp, forward: the result, float64\[\], is inf; .*a=1000\.0"),
    ],
)  # fmt: skip
def test_what_was_wrong_already_is_told_from_where_it_began(call, message):
    with minidl.debug(), pytest.raises(NonFiniteError, match=message):
        call(leaf(1.0, 2.0))


def test_a_gradient_that_is_not_finite_names_op_and_argument():
    x, y = leaf(1.0, 0.0), leaf(0.0, 2.0)
    with minidl.debug():
        loss = (minidl.sqrt(x) + y * y).sum()
        with pytest.raises(NonFiniteError) as caught:
            loss.backward()
    assert str(caught.value) == (
        "sqrt, backward: the gradient for argument 0 (a), float64[2], has 1 of 2 elements not finite, the first inf at "
        "[1]; all that it was given is finite, so this is where it began: g float64[2] from 1 to 1, a float64[2] from 0 to 1"
    )
    assert x.grad is None
    assert y.grad is None


def test_gradients_are_checked_in_a_graph_from_before_the_block_and_at_second_order():
    loss = minidl.sqrt(leaf(0.0))
    with minidl.debug(), pytest.raises(NonFiniteError, match="sqrt, backward"):
        loss.backward()
    x = leaf(0.0)
    with minidl.debug():
        slope = minidl.gradients(x**1.5, [x], create_graph=True)[0]
        with pytest.raises(NonFiniteError, match=r"power, backward: the gradient for argument 0 \(a\)"):
            slope.backward()


def test_a_gradient_handed_in_that_is_not_finite_is_told_apart():
    x = leaf(1.0, 2.0)
    with (
        minidl.debug(),
        pytest.raises(NonFiniteError, match=r"multiply, backward: the gradient that arrived, .*inf at \[1\]"),
    ):
        (x * 3).backward(np.array([1.0, np.inf]))  # fmt: skip


def test_a_sum_of_finite_gradients_that_overflows_is_noticed():
    x, y = leaf(1.0), leaf(1.0)
    with minidl.debug():
        inner = y * 0.1
        with pytest.raises(
            NonFiniteError, match=r"multiply, backward: the gradient that arrived, .*is inf at \[0\]; no op made it"
        ):
            (inner * 1e308 + inner * 1e308 - 1e308).backward()
        with pytest.raises(
            NonFiniteError, match=r"backward: the gradient of a leaf, float64\[1\], is inf at \[0\]; each part"
        ):
            (x * 0.5 * 1e308 + x * 1e308).backward(np.array([1.5]))


def test_detours_of_a_formula_do_not_count_only_what_it_returns():
    @Op
    def entropy(p):
        return -p * np.log(np.where(p > 0, p, 1))

    entropy.vjp(lambda g, y, p: g * minidl.where(p > 0, -1 - minidl.log(p), 0))
    x = leaf(0.0, 1.0)
    with minidl.debug():
        entropy(x).sum().backward()
        assert x.grad.tolist() == [0, -1]
        with pytest.raises(NonFiniteError, match="log, forward"):
            minidl.log(x)  # on its own it does


def test_integers_booleans_and_empty_arrays_pass():
    with minidl.debug():
        assert (leaf(1.0) > 0).tolist() == [True]
        assert minidl.argmax(leaf(1.0, 2.0)).item() == 1
        assert minidl.sum(Tensor(np.zeros((0, 3)))).item() == 0
        assert minidl.isnan(np.array([1, np.nan])).tolist() == [False, True]


def model_with_a_fault():
    return nn.Sequential(
        nn.Flatten(), nn.Dense(4, 3), nn.ReLU(), nn.Sequential(nn.BatchNorm(3), nn.Dense(3, 2)), nn.Sigmoid()
    )


SHELF = bool(ops.dense.kernels)  # whether minidl/kernels is there: it may be deleted


@pytest.mark.parametrize("kernels", [True, False] if SHELF else [False])
def test_the_layer_is_named_by_the_path_to_it(kernels, monkeypatch):
    if not kernels:
        monkeypatch.setattr(ops.dense, "kernels", {})
        monkeypatch.setattr(ops.batch_norm, "kernels", {})
    model = model_with_a_fault()
    model.layers[3].layers[1].weight.data[0, 1] = np.nan
    with minidl.debug(), pytest.raises(NonFiniteError) as caught:
        model(floats(5, 2, 2))
    op, argument = ("dense", r"argument 1 (weight)") if kernels else ("matmul", "argument 1 (b)")
    assert str(caught.value).startswith(
        f"{op}, forward, in layers.3.layers.1 Dense(in_features=3, out_features=2, bias=True): the result, float32[5, 2]"
    )
    assert f"{argument}, float32[3, 2], has 1 of 6 elements not finite, the first nan at [0, 1]" in str(caught.value)


class Logarithm(nn.Module):
    def forward(self, x):
        return minidl.log(x * x)


class Net(nn.Module):
    def __init__(self):
        self.body = [nn.Dense(4, 3), Logarithm()]
        self.factor = 1.5

    def forward(self, x):
        return self.body[1](self.body[0](x)) * self.factor


def test_the_layer_is_named_in_models_of_ones_own_and_for_the_way_back():
    model, x = Net(), floats(2, 4)
    model.body[0].bias.data[...] = 1
    model.body[0].weight.data[...] = 0
    with minidl.debug():
        y = model(x)
        where = r"dense, backward, in body.0 Dense\(.*the gradient for argument 1 \(weight\)"
        with pytest.raises(NonFiniteError, match=where if SHELF else "unbroadcast, forward: the result"):
            y.backward(np.full((2, 3), 3e38, np.float32) / 4)  # fmt: skip
    model.body[0].bias.data[...] = 10
    model.factor = 3e38
    with minidl.debug(), pytest.raises(NonFiniteError, match=r"multiply, forward, in Net: the result"):
        model(x)


def test_numpys_warnings_are_silent_where_an_error_takes_their_place():
    with minidl.debug(), pytest.raises(NonFiniteError, match="divide"):
        leaf(1.0) / leaf(0.0)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        leaf(1.0) / leaf(0.0)


def test_finite_training_runs_as_without_it():
    def train():
        minidl.seed(3)
        model = nn.Sequential(nn.Dense(4, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2), nn.Dense(8, 3))
        optimizer = minidl.optim.Adam(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            loss = nn.softmax_cross_entropy(model(floats(6, 4)), np.arange(6) % 3)
            loss.backward()
            optimizer.step()
        saved = model.state_dict()
        model.eval()
        model(floats(6, 4))
        model.load_state_dict(saved)
        return saved

    with minidl.debug():
        watched = train()
    for name, value in train().items():
        np.testing.assert_array_equal(watched[name], value)


# the arrays


@pytest.mark.parametrize(
    "write",
    [
        lambda a, x, y: a.__setitem__(0, 5.0),
        lambda a, x, y: x.data.__setitem__(0, 5.0),
        lambda a, x, y: x.numpy().__iadd__(1.0),
        lambda a, x, y: y.data.fill(0.0),
        lambda a, x, y: np.negative(a, out=a),
    ],
)
def test_a_write_behind_minidls_back_fails_at_that_line(write):
    a = np.array([1.0, 2.0])
    x = Tensor(a, requires_grad=True)
    with minidl.debug():
        y = minidl.exp(x * 2)
        with pytest.raises(ValueError, match="read-only"):
            write(a, x, y)
        y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([2.0, 4.0]))


def test_what_a_kernel_saved_and_indices_are_read_only_too():
    logits, labels = Tensor(floats(4, 3), requires_grad=True), np.array([0, 1, 2, 0])
    with minidl.debug():
        loss = nn.softmax_cross_entropy(logits, labels)
        assert not labels.flags.writeable
        assert bool(loss._saved) == SHELF
        assert not any(a.flags.writeable for a in loss._saved or () if isinstance(a, np.ndarray))


def test_what_no_graph_holds_can_be_written():
    a = np.ones(3)
    with minidl.debug():
        with minidl.no_grad():
            kept = Tensor(a, requires_grad=True) * 2
        a[0] = 5
        kept.data[0] = 5
        minidl.exp(a)[0] = 7
        leaf(1.0, 2.0).data[0] = 3


def test_arrays_are_released_with_the_graph_by_backward_by_its_death_or_at_the_end():
    a, b, c = np.ones(3), np.ones(3), np.ones(3)
    with minidl.debug():
        product = Tensor(a, requires_grad=True) * b
        other = Tensor(c, requires_grad=True) * b
        product.sum().backward()
        a[0] = 2
        with pytest.raises(ValueError, match="read-only"):
            b[0] = 2  # the other graph needs it
        gradient = Tensor(a, requires_grad=True) * 2
        gradient.sum().backward(retain_graph=True)
        with pytest.raises(ValueError, match="read-only"):
            a[0] = 3
        del gradient
        a[0] = 4
    b[0] = c[0] = 3
    assert other.numpy().tolist() == [1, 1, 1]
    debug = sys.modules["minidl._debug"]
    assert (debug._held, debug._origins, debug._releases) == ({}, {}, {})


def test_views_and_what_they_are_views_of_become_writeable_again_in_any_order():
    a = np.arange(6.0)
    with minidl.debug():
        x = Tensor(a, requires_grad=True)
        rows = x.reshape(2, 3)
        y = rows.T * rows.T
        del rows
        whole = x * 2
        del y
        del whole
        gc.collect()
        assert a.flags.writeable
        y = x.reshape(2, 3)[0] * x[:3]
    y.data[...] = 0
    x.data[...] = 0
    assert a.tolist() == [0] * 6


def test_an_array_that_was_read_only_stays_so():
    a = np.ones(3)
    a.flags.writeable = False
    with minidl.debug():
        Tensor(a, requires_grad=True) * 2
    assert not a.flags.writeable


def test_changes_that_minidl_counts_go_on_as_ever():
    x, total = leaf(1.0, 2.0), Tensor(np.zeros(2))
    layer = nn.BatchNorm(2).eval()
    with minidl.debug():
        y = x * total
        total += 1.0
        total[0] = 7.0
        assert total.tolist() == [7, 1]
        with pytest.raises(minidl.errors.GradientError, match="changed in place"):
            y.backward(np.ones(2))
        kept = layer(floats(4, 2))
        layer.train()(floats(4, 2))
        layer.load_state_dict(layer.state_dict())
        with pytest.raises(ValueError, match="read-only"):
            layer.running_mean.data[0] = 1.0
    assert kept.requires_grad


# the block


def methods():
    owners = [Op, Fusable, nn.Module, nn.Dense, nn.BatchNorm, Tensor]
    return [dict(vars(owner)) for owner in owners]


def test_nobody_watches_outside_the_block_and_no_method_is_ever_exchanged():
    before = methods()

    @minidl.debug()
    def interrupted():
        assert hooks.watcher is not None
        assert methods() == before
        raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert hooks.watcher is None
    with np.errstate(all="ignore"):
        assert np.isinf(minidl.divide(leaf(1.0), 0.0).numpy()).all()


def test_blocks_nest_and_decorate():
    @minidl.debug()
    def wrong(x):
        return x / 0

    with minidl.debug():
        with pytest.raises(NonFiniteError):
            wrong(leaf(1.0))
        with pytest.raises(NonFiniteError):
            leaf(1.0) / 0
    with pytest.raises(NonFiniteError):
        wrong(leaf(1.0))


def test_another_thread_is_not_watched():
    found, a = [], np.ones(2)

    def elsewhere():
        kept = Tensor(a, requires_grad=True) * np.inf
        a[0] = 5
        found.append(kept.tolist())

    with minidl.debug():
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        with pytest.raises(NonFiniteError):
            Tensor(a) * np.inf
    assert found == [[np.inf, np.inf]]
