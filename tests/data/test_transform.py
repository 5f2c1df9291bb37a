"""A data set's transform: other inputs in each epoch, from a function of the user's, and from the seed alone."""

import numpy as np
import pytest
from strict import strict

from minidl import nn
from minidl.backend import generator, rng_state, seed
from minidl.data import Augment, Dataset, Loader, mnist
from minidl.errors import DataError, OptionError
from minidl.train import evaluate, predict


def noise(inputs, rng):
    return inputs + rng.standard_normal(inputs.shape, np.float32)


INPUTS = np.arange(40, dtype=np.float32).reshape(10, 4)
DATA = Dataset(INPUTS, np.arange(10), transform=noise)


def epochs(loader, count=2):
    """The inputs of some epochs, each in the data set's order."""
    found = []
    for _ in range(count):
        batches = list(loader)
        order = np.argsort(np.concatenate([y for _, y in batches]))
        found.append(np.concatenate([x for x, _ in batches])[order])
    return found


def test_a_loop_over_a_loader_sees_other_inputs_in_each_epoch_and_one_seed_gives_the_same():
    loader = Loader(DATA, 3)
    seed(1)
    first, second = epochs(loader)
    seed(1)
    np.testing.assert_array_equal([first, second], epochs(loader))
    seed(2)
    third = epochs(loader, 1)[0]
    for inputs in (first, second, third):
        assert inputs.dtype == np.float32
        assert 0.3 < (inputs - INPUTS).std() < 3
    assert (first != second).all()
    assert (first != third).all()
    np.testing.assert_array_equal(DATA.inputs, INPUTS)


def test_a_loader_may_bring_the_transform():
    plain = DATA.with_transform(None)
    found = []
    for loader in (Loader(DATA, 3), Loader(plain, 3, transform=noise)):
        seed(1)
        found.append(epochs(loader))
    np.testing.assert_array_equal(*found)
    assert plain.transform is None


def test_augmented_digits_arrive_as_pixels_from_0_to_1():
    digits = mnist()[0][:100].with_transform(Augment(shift=2))
    ((x, _),) = Loader(digits, "full", shuffle=False)
    assert x.dtype == np.float32
    assert (x.min(), 0.9 < x.max() <= 1) == (0, True)
    assert (x != digits.inputs / np.float32(255)).any(axis=1).all()


def test_a_transform_changes_neither_the_order_of_the_batches_nor_what_else_is_drawn():
    def drawn(data):
        seed(1)
        labels = [y.tolist() for _ in range(3) for _, y in Loader(data, 3)]
        return labels, generator("dropout").random(), generator("init").random()

    assert drawn(DATA) == drawn(DATA.with_transform(None))


def test_what_a_transform_draws_besides_changes_no_later_epoch():
    def greedy(inputs, rng):
        rng.random(1000)
        return inputs

    seed(1)
    list(Loader(DATA.with_transform(greedy), 3))
    later = epochs(Loader(DATA, 3), 1)
    seed(1)
    np.testing.assert_array_equal(epochs(Loader(DATA, 3))[1:], later)


def test_two_epochs_at_once_have_each_its_own_inputs():
    loader = Loader(DATA, 10, shuffle=False)
    (((one, _), (other, _)),) = zip(loader, loader, strict=True)
    assert (one != other).all()


def test_a_function_that_writes_into_what_it_is_given_leaves_the_data_set_alone():
    def in_place(inputs, rng):
        inputs *= 2
        return inputs

    loader = Loader(Dataset(INPUTS.copy(), np.arange(10), transform=in_place), 5)
    for inputs in epochs(loader):
        np.testing.assert_array_equal(inputs, 2 * INPUTS)
    np.testing.assert_array_equal(loader.dataset.inputs, INPUTS)


def test_parts_of_a_data_set_keep_its_transform_but_for_what_is_set_aside_to_validate_on():
    assert DATA[:5].transform is noise
    assert DATA[[1, 2]].transform is noise
    train, validation = DATA.split(0.3)
    assert (train.transform, validation.transform) == (noise, None)
    for training, held_out in DATA.k_folds(5):
        assert (training.transform, held_out.transform) == (noise, None)
    assert (DATA + DATA[:2]).transform is noise
    with pytest.raises(DataError, match="transform: .* and None; make both alike"):
        DATA + DATA.with_transform(None)
    assert DATA.with_transform(None).transform is None
    assert DATA.with_transform(None).with_transform(noise).inputs is not INPUTS
    assert np.shares_memory(DATA.with_transform(None).inputs, INPUTS)
    assert DATA.with_transform(None).classes == DATA.classes


def test_a_data_set_shows_its_transform():
    assert repr(DATA).endswith("10 classes, transform noise>")
    digits = DATA.with_transform(Augment(shift=1))
    assert "transform Augment(shift=1.0, rotate=0.0" in repr(digits)
    assert repr(DATA.with_transform(lambda x, rng: x)).endswith("<lambda>>")
    assert "transform" not in repr(DATA.with_transform(None))


def test_evaluate_and_predict_look_at_the_data_as_they_are_and_draw_nothing_for_them():
    seed(1)
    model = nn.Sequential(nn.Dense(4, 10))
    plain = DATA.with_transform(None)
    seed(1)
    state = rng_state()
    assert evaluate(model, DATA) == evaluate(model, plain)
    np.testing.assert_array_equal(predict(model, DATA), predict(model, plain))
    assert rng_state() == state
    seed(1)
    measured = evaluate(model, Loader(DATA, 3))
    seed(1)
    assert measured == evaluate(model, Loader(plain, 3))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, rng: x.astype(np.float64), r"expected float32\[10, 4\] as it was given, got float64\[10, 4\]"),
        (lambda x, rng: x[:5], r"got float32\[5, 4\]: return the inputs' shape and dtype"),
        (lambda x, rng: None, "got NoneType"),
    ],
)
def test_a_transform_that_gives_something_else_is_told_what_to_return(function, message):
    with pytest.raises(DataError, match=f"digits: transform: .*{message}"):
        list(Loader(Dataset(INPUTS, np.arange(10), name="digits", transform=function), 2))


def test_a_transform_that_is_no_function_is_refused_at_once():
    with pytest.raises(OptionError, match=r"transform='rotate': give a function .*data\.Augment\(shift=2\)"):
        DATA.with_transform("rotate")


def test_batches_on_another_device_have_the_same_transformed_inputs(monkeypatch):
    modules = {"numpy": np, "strict": strict}
    monkeypatch.setattr("minidl.backend.module_of", modules.__getitem__)
    monkeypatch.setattr("minidl.data.loader.module_of", modules.__getitem__)
    found = []
    for backend in modules:
        seed(3)
        loader = Loader(DATA, 4, backend=backend)
        found.append([(x, y) for _ in range(2) for x, y in loader])
    for (x, y), (far_x, far_y) in zip(*found, strict=True):
        np.testing.assert_array_equal(far_x.get(), x, strict=True)
        np.testing.assert_array_equal(far_y.get(), y, strict=True)
