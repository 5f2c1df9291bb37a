"""The loop that a user writes: with machine code the same bits as with NumPy alone, whatever is in the loop."""

from functools import partial

import numpy as np
import pytest
from own_loops import RULES, both, everything, network, train, trained, uses_machine_code

import minidl
from minidl import kernels, machine_code, nn, optim
from minidl.hardware.threads import use_blas_threads


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_makes_the_same_updates(digits, choose, rule):
    alone, fast = both(choose, lambda: trained(digits, rule=rule))
    assert alone == fast


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("hidden", [1, 33, 64, 130])
@pytest.mark.parametrize("batch", [2, 31, 128])
def test_batches_and_layers_of_all_sizes_give_the_same_bits(digits, choose, batch, hidden, batch_norm):
    """The last batch of an epoch is smaller; first products of every shape are made often enough to skip their zeros."""
    data = digits[:80] if batch == 2 else digits
    epochs = 5 if batch == 128 else 2
    model = partial(network, hidden, batch_norm)
    alone, fast = both(choose, lambda: trained(data, model, batch=batch, epochs=epochs))
    assert alone == fast


@pytest.mark.parametrize("batch", [2, 3, 8, 15, 16, 17, 33])
def test_few_rows_of_many_numbers_are_the_only_ones_written_to(choose, batch):
    """Two halves make all of them, and nothing beyond."""
    choose(True)
    machine_code.note_step()
    kernels.eager.look()
    around = np.full((50, 10000), 7, np.float32)
    y, bias = around[:batch], np.ones(10000, np.float32)
    y[...] = -2
    assert kernels.eager.add_bias(y, bias, "relu") is y
    assert not y.any()
    assert (around[batch:] == 7).all()


@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus])
def test_every_activation_gives_the_same_bits(digits, choose, activation):
    def run():
        minidl.seed(1)
        model = nn.Sequential(nn.Dense(784, 130), activation(), nn.Dense(130, 10))
        optimizer = optim.Momentum(model.parameters(), lr=0.1)
        return everything(train(digits, model, optimizer, batch=256, epochs=3), model, optimizer)

    alone, fast = both(choose, run)
    assert alone == fast


def test_a_batch_of_one_gives_the_same_bits(digits, choose):
    alone, fast = both(choose, lambda: trained(digits[:50], rule=optim.SGD, batch=1))
    assert alone == fast


def test_machine_code_is_what_has_been_compared(digits, choose):
    choose(True)
    model = network(128, batch_norm=True)
    optimizer = optim.Adam(model.parameters())
    train(digits, model, optimizer)
    assert uses_machine_code(optimizer) == [True]
    x, w = np.zeros((32, 784), np.float32), model.layers[0].weight.data
    with_zeros, d = kernels.eager._products.found, np.ones((32, 128), np.float32)
    with use_blas_threads(1):  # as while minidl computes
        assert with_zeros[0](x, w) is not None
        assert with_zeros[1](x, d) is not None
    assert kernels.eager._operations.found("activation_back", (np.empty_like(d),), (d, d), name="relu")


def test_two_blas_threads_change_nothing(digits, choose):
    with use_blas_threads(2):
        alone, fast = both(choose, lambda: trained(digits, partial(network, 256), batch=128, epochs=6))
    assert alone == fast


@pytest.mark.parametrize(
    "prepare",
    [
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: np.frombuffer(b"0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape),
        lambda x: x.astype(np.float64),
        lambda x: x.astype(">f4"),
        lambda x: minidl.Tensor(x, requires_grad=True),
        lambda x: -x,
    ],
    ids=["Fortran's order", "every other column", "not aligned", "float64", "other byte order", "a Tensor", "-0"],
)
def test_batches_in_any_memory_give_the_same_bits(digits, choose, prepare):
    alone, fast = both(choose, lambda: trained(digits, batch=31, prepare=prepare))
    assert alone == fast


def test_a_model_in_float64_is_left_to_numpy(digits, choose):
    def run():
        model = network(dtype=np.float64)
        optimizer = optim.Adam(model.parameters())
        losses = train(digits, model, optimizer, prepare=lambda x: x.astype(np.float64))
        assert uses_machine_code(optimizer) == [False]
        return everything(losses, model, optimizer)

    alone, fast = both(choose, run)
    assert alone == fast


def test_groups_schedules_and_frozen_parameters_are_honoured(digits, choose):
    def run():
        model = network(batch_norm=True)
        first, second, *rest = model.parameters()
        groups = [{"params": [first, second], "lr": optim.schedules.cosine(1e-2, 40)}, {"params": rest, "beta1": 0.5}]
        optimizer = optim.Adam(groups, lr=1e-3)

        def change(model, step):
            second.requires_grad = step % 3 != 1
            if step == 12:
                optimizer.groups[1]["lr"] = 3e-3

        return everything(train(digits, model, optimizer, change=change), model, optimizer)

    alone, fast = both(choose, run)
    assert alone == fast


def clip(model, step):
    for p in model.parameters():
        p.grad = minidl.Tensor(np.clip(p.grad.data, -1e-3, 1e-3))


def scale_in_place(model, step):
    for p in model.parameters():
        p.grad.data[...] *= 0.5


def leave_out(model, step):
    model.parameters()[step % 4].grad = None


def accumulate(model, step):
    (model.parameters()[0] ** 2).sum().backward()


@pytest.mark.parametrize("change", [clip, scale_in_place, leave_out, accumulate])
def test_the_update_takes_what_the_user_made_of_the_gradients(digits, choose, change):
    alone, fast = both(choose, lambda: trained(digits, change=change))
    assert alone == fast
    assert fast != trained(digits)


def test_gradients_are_there_to_be_looked_at_and_kept(digits, choose):
    def run():
        model, kept = network(), []
        train(digits, model, optim.SGD(model.parameters(), lr=0.1),
              change=lambda model, step: kept.append([p.grad for p in model.parameters()]))  # fmt: skip
        return [[g.data.tobytes() for g in gradients] for gradients in kept]

    alone, fast = both(choose, run)
    assert alone == fast
