"""Augmented pictures: moved, turned, scaled and bent as far as was asked for, and drawn from the generator alone.

Where a point of a picture comes from is read off two pictures that hold their own coordinates: interpolation between
pixels is exact for those.
"""

import numpy as np
import pytest

from minidl.data import Augment, mnist
from minidl.errors import DataError, OptionError

SIDE, N = 41, 500
INSIDE = np.s_[:, :, 10:-10, 10:-10]  # where nothing comes from outside the picture


def sources(height=SIDE, width=SIDE, count=N, **amounts):
    """Row and column, from the centre, of the points where augmented pictures are read: (count, 2, height, width)."""
    coordinates = np.mgrid[:height, :width].astype(np.float32) - np.float32([[[height - 1]], [[width - 1]]]) / 2
    pictures = np.broadcast_to(coordinates.reshape(-1), (count, coordinates.size))
    augment = Augment(shape=coordinates.shape, **amounts)
    return augment(pictures, np.random.default_rng(5)).reshape(count, 2, height, width), coordinates


def linear(read, coordinates):
    """The matrix A (count, 2, 2) and the shift b (count, 2) of maps A p + b; fails if they are no such maps."""
    p = np.concatenate([coordinates[:, 10:-10, 10:-10], np.ones((1, SIDE - 20, SIDE - 20))]).reshape(3, -1)
    values = read[INSIDE].reshape(2 * N, -1)
    solved = values @ np.linalg.pinv(p)
    np.testing.assert_allclose(solved @ p, values, atol=2e-4)
    solved = solved.reshape(N, 2, 3)
    return solved[..., :2], solved[..., 2]


def test_shift_moves_by_up_to_so_many_pixels_each_way():
    matrix, by = linear(*sources(shift=3))
    np.testing.assert_allclose(matrix, np.broadcast_to(np.eye(2), matrix.shape), atol=1e-4)
    assert abs(by).max() <= 3.001
    np.testing.assert_allclose(by.std(axis=0), 3 / np.sqrt(3), rtol=0.1)  # uniform from -3 to 3
    assert abs(np.corrcoef(by.T)[0, 1]) < 0.15  # down and right are drawn by themselves


def test_rotate_turns_by_up_to_so_many_degrees_either_way():
    matrix, by = linear(*sources(rotate=15))
    np.testing.assert_allclose(matrix @ matrix.transpose(0, 2, 1), np.broadcast_to(np.eye(2), matrix.shape), atol=1e-4)
    angle = np.rad2deg(np.arctan2(matrix[:, 0, 1], matrix[:, 0, 0]))
    assert abs(angle).max() <= 15.01
    np.testing.assert_allclose(angle.std(), 15 / np.sqrt(3), rtol=0.1)
    np.testing.assert_allclose(by, 0, atol=1e-3)  # about the centre


def test_scale_makes_height_and_width_each_larger_or_smaller():
    matrix, by = linear(*sources(scale=0.2))
    np.testing.assert_allclose(matrix[:, [0, 1], [1, 0]], 0, atol=1e-4)
    sizes = 1 / matrix[:, [0, 1], [0, 1]]  # twice as large: read half as far from the centre
    assert (sizes.min() >= 0.799, sizes.max() <= 1.201) == (True, True)
    np.testing.assert_allclose(sizes.std(axis=0), 0.2 / np.sqrt(3), rtol=0.1)
    assert abs(np.corrcoef(sizes.T)[0, 1]) < 0.15
    np.testing.assert_allclose(by, 0, atol=1e-3)


@pytest.mark.parametrize(("alpha", "sigma"), [(34, 4), (8, 2)])
def test_elastic_displaces_by_noise_that_a_gaussian_smooths(alpha, sigma):
    read, coordinates = sources(elastic=alpha, sigma=sigma)
    field = (read - coordinates)[INSIDE]
    # White noise of variance 1/3, smoothed: variance 1 / (4 pi sigma^2) of it, correlated as a wider Gaussian.
    np.testing.assert_allclose(field.std(), alpha / np.sqrt(3) / (2 * np.sqrt(np.pi) * sigma), rtol=0.05)
    for distance in (1, sigma, 2 * sigma):
        for a, b in (
            (field[..., distance:, :], field[..., :-distance, :]),
            (field[..., distance:], field[..., :-distance]),
        ):
            correlation = (a * b).mean() / field.var()
            np.testing.assert_allclose(correlation, np.exp(-(distance**2) / (4 * sigma**2)), atol=0.04)
    rows, columns = field[:, 0], field[:, 1]
    assert abs((rows * columns).mean()) < 0.05 * field.var()


def test_all_of_it_is_one_map():
    together, _ = sources(shift=2, rotate=10, scale=0.1, elastic=20)
    bent, coordinates = sources(elastic=20)
    matrix, by = linear(sources(shift=2, rotate=10, scale=0.1)[0], coordinates)
    point = coordinates[:, 20, 15]
    expected = (matrix @ point + by) + (bent[:, :, 20, 15] - point)
    np.testing.assert_allclose(together[:, :, 20, 15], expected, atol=1e-3)


def test_pictures_need_not_be_square():
    read = sources(height=30, width=60, count=40, rotate=5, shift=1)[0]
    middle = read[:, :, 14:16, 29:31].mean(axis=(2, 3))
    assert abs(middle).max() <= 1.001  # the centre goes to where the shift takes it, in both directions
    assert np.isfinite(read).all()


def test_outside_a_picture_there_is_nothing():
    white = np.full((200, 784), 255, np.uint8)
    moved = Augment(shift=9)(white, np.random.default_rng(0)).reshape(-1, 28, 28)
    assert (moved[:, 14, 14] == 255).all()
    assert ((moved == 0).any(axis=(1, 2))).mean() > 0.9
    far = Augment(shift=500, elastic=1e4)(white, np.random.default_rng(0))
    assert (far == 0).mean() > 0.9  # as far as one likes


def test_pixels_are_rounded_and_other_numbers_kept():
    digits = mnist()[0].inputs[:200]
    augment = Augment(shift=2, rotate=10, scale=0.1, elastic=34)
    pixels = augment(digits, np.random.default_rng(1))
    assert (pixels.dtype, pixels.shape) == (np.uint8, digits.shape)
    for dtype in (np.float32, np.float64):
        numbers = augment(digits.astype(dtype), np.random.default_rng(1))
        assert numbers.dtype == dtype
        np.testing.assert_array_equal(np.floor(numbers + 0.5), pixels)
    np.testing.assert_allclose(pixels.mean(), digits.mean(), rtol=0.05)  # there is as much ink


def test_the_channels_of_a_picture_move_together():
    rng = np.random.default_rng(2)
    colour = rng.integers(0, 256, (70, 3, 8, 6), np.uint8)
    amounts = {"shift": 2, "rotate": 30, "elastic": 10}
    together = Augment(shape=(3, 8, 6), **amounts)(colour.reshape(70, -1), np.random.default_rng(1))
    for channel in range(3):
        grey = colour[:, channel].reshape(70, -1)
        alone = Augment(shape=(8, 6), **amounts)(grey, np.random.default_rng(1))
        np.testing.assert_array_equal(together.reshape(70, 3, -1)[:, channel], alone)


def test_one_generator_gives_one_set_of_pictures_and_each_its_own():
    digits = np.repeat(mnist()[0].inputs[:1], 150, axis=0)
    augment = Augment(rotate=10, elastic=34)
    before = digits.copy()
    first, again = (augment(digits, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(digits, before)
    assert len(np.unique(first, axis=0)) == 150
    assert (first != augment(digits, np.random.default_rng(8))).any(axis=1).all()
    assert repr(augment) == "Augment(shift=0.0, rotate=10.0, scale=0.0, elastic=34.0, sigma=4.0, shape=None)"


@pytest.mark.parametrize(
    ("amounts", "message"),
    [
        ({}, "nothing to do: give amounts, such as shift=2"),
        ({"sigma": 3}, "nothing to do"),
        ({"shift": -1}, "shift=-1: give a finite number of at least 0"),
        ({"rotate": np.inf}, "rotate=inf: give a finite number"),
        ({"elastic": "strong"}, "elastic='strong': give a finite number"),
        ({"scale": 1.5}, "scale=1.5: give a share below 1"),
        ({"elastic": 34, "sigma": 0}, "sigma=0: give how many pixels"),
        ({"shift": 1, "shape": (28,)}, r"shape=\(28,\): give \(height, width\)"),
        ({"shift": 1, "shape": (0, 28)}, r"shape=\(0, 28\): give"),
    ],
)
def test_amounts_that_make_no_sense_are_refused_at_once(amounts, message):
    with pytest.raises(OptionError, match=f"Augment: {message}"):
        Augment(**amounts)


@pytest.mark.parametrize(("length", "shape"), [(3072, None), (784, (3, 32, 32)), (784, (27, 28))])
def test_samples_that_are_no_such_pictures_are_refused_with_the_remedy(length, shape):
    with pytest.raises(DataError, match=f"samples of {length} numbers are not .*give shape="):
        Augment(shift=1, shape=shape)(np.zeros((4, length)), np.random.default_rng(0))
