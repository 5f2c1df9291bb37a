"""What somebody types who knows NumPy and PyTorch: a Tensor answers as an array does."""

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn, optim
from minidl.errors import ShapeError, UnsupportedError


def test_a_loss_is_formatted_as_a_number_is():
    loss = Tensor(2.34567)
    assert f"{loss:.2f}" == "2.35"
    assert f"{loss:10.3f}" == "     2.346"
    assert f"{Tensor([[3.0]]):.1e}" == "3.0e+00"
    assert f"{loss}" == str(loss)
    assert f"loss {nn.mean_squared_error(Tensor([1.0], requires_grad=True), [3.0]):.4f}" == "loss 4.0000"


def test_several_numbers_have_no_format_and_the_error_says_what_to_write():
    with pytest.raises(ShapeError, match=r"shape \(3,\).*f'\{x\.mean\(\):\.2f\}'"):
        f"{Tensor([1, 2, 3]):.2f}"


def test_any_all_and_nonzero_answer_with_plain_values():
    x = Tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True)
    assert (x == 2).any() is True
    assert not (x > 0).all()
    np.testing.assert_array_equal((x > 0).all(axis=1), [False, True])
    np.testing.assert_array_equal((x > 2).any(axis=0, keepdims=True), [[False, True]])
    assert isinstance((x > 0).any(axis=0), np.ndarray)
    np.testing.assert_array_equal(x.nonzero(), np.nonzero(x.numpy()))


def test_the_accuracy_of_a_loop_of_ones_own_is_one_line():
    predicted, y = Tensor([[0.1, 0.9], [0.8, 0.2]]).argmax(axis=1), np.array([1, 1])
    assert (predicted == y).any()
    assert f"{(predicted == y).mean():.0%}" == "50%"


def test_masks_are_combined_as_numpys_are():
    x = Tensor([0.0, 1.0, 2.0, 3.0])
    assert ((x > 0) & (x < 3)).tolist() == [False, True, True, False]
    assert ((x == 0) | (x == 3)).tolist() == [True, False, False, True]
    assert ((x > 0) ^ (x > 1)).tolist() == [False, True, False, False]
    assert (~(x > 0)).tolist() == [True, False, False, False]
    mask = np.array([True, True, False, False])
    assert (mask & (x > 0)).tolist() == ((x > 0) & mask).tolist() == [False, True, False, False]
    assert x[(x > 0) & (x < 3)].tolist() == [1, 2]
    assert (Tensor([6, 3], dtype=int) & 2).tolist() == [2, 2]
    with pytest.raises(TypeError):
        x & x


def test_numpys_questions_take_tensors():
    x, y = Tensor([1.0, 2.0, 2.0], requires_grad=True), np.array([1, 2, 2.0000001])
    assert np.allclose(x, y)
    assert np.isclose(x, y).tolist() == [True] * 3
    assert np.array_equal(x, [1, 2, 2])
    assert np.any(x > 1)
    assert not np.all(x > 1)
    assert np.count_nonzero(x == 2) == 2
    np.testing.assert_array_equal(np.unique(x, return_counts=True), [[1, 2], [1, 2]])
    assert np.logical_and(x > 1, y > 3).tolist() == [False] * 3
    assert np.bincount(Tensor([0, 1, 1], dtype=int)).tolist() == [1, 2]
    assert np.argsort(Tensor([3.0, 1.0])).tolist() == [1, 0]
    assert type(np.isinf(x)) is np.ndarray
    with pytest.raises(UnsupportedError, match="numpy.fft"):
        np.fft.fft(x)


def test_in_looks_for_a_number():
    x = Tensor([1.0, 2.0])
    assert 2.0 in x
    assert 3 not in x


def test_copy_and_flatten_are_copies_through_which_gradients_flow():
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    for made in (x.copy(), x.flatten()):
        assert not np.shares_memory(made.numpy(), x.numpy())
        assert minidl.gradients((made * 3).sum(), [x])[0].tolist() == [[3, 3]]
    assert x.flatten().shape == (2,)


@pytest.mark.parametrize(
    ("module", "name", "ours"),
    [
        (nn, "Linear", "nn.Dense"),
        (nn, "CrossEntropyLoss", "nn.softmax_cross_entropy, a function"),
        (nn, "L1Loss", "nn.mean_absolute_error, a function"),
        (optim, "RMSprop", "optim.RMSProp"),
        (optim, "lr_scheduler", "optim.schedules"),
        (minidl, "cat", "minidl.concatenate"),
        (minidl, "manual_seed", "minidl.seed"),
    ],
)
def test_a_name_of_another_library_is_told_minidls(module, name, ours):
    with pytest.raises(AttributeError, match=f"no attribute '{name}': here it is {ours}"):
        getattr(module, name)
    assert not hasattr(module, name)


def test_what_is_told_exists():
    from minidl.elsewhere import _NAMES, OF_TENSORS

    for names in (*_NAMES.values(), OF_TENSORS):
        for told in names.values():
            others = "outside ", "pandas.", "a function "  # what is no part of minidl, or of the user's making
            if told.startswith(("x ", *others)) or " = " in told or "==" in told:  # an operator, or a word
                continue
            told = told.replace("x.", "Tensor.", 1) if told.startswith("x.") else told
            first = told.replace("minidl.", "").split(",")[0].split("(")[0].split(":")[0].split(" ")[0]
            place = minidl
            for part in first.split("."):
                place = getattr(place, part)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("view", r"x.reshape\(shape\)"),
        ("permute", r"x.transpose\(axes\)"),
        ("exp", r"minidl.exp\(x\)"),
        ("norm", r"minidl.norm\(x\)"),
        ("split", r"minidl.split\(x\)"),
        ("relu", r"minidl.relu\(x\)"),
        ("device", "x.backend"),
        ("cuda", r"x.to\('cupy'\)"),
        ("register_hook", "minidl.gradients"),
    ],
)
def test_a_method_of_pytorchs_is_told_minidls(name, ours):
    with pytest.raises(AttributeError, match=f"'Tensor' object has no attribute '{name}': here it is {ours}"):
        getattr(Tensor([1.0]), name)
    assert not hasattr(Tensor([1.0]), name)
    assert name not in dir(Tensor([1.0]))  # which editors complete


def test_a_parameter_is_told_too_and_any_other_name_is_pythons_own_error():
    with pytest.raises(AttributeError, match=r"no attribute 'view': here it is x.reshape"):
        nn.Dense(2, 2).weight.view(4)
    with pytest.raises(AttributeError, match="has no attribute 'sine'$"):
        Tensor([1.0]).sine


@pytest.mark.parametrize("method", "sum mean var std max min prod argmax argmin any all squeeze cumsum sort".split())
def test_dim_is_told_that_it_is_axis(method):
    with pytest.raises(TypeError, match=rf"{method}\(.*cannot take \['dim'\]: here it is axis="):
        getattr(Tensor([[1.0]]), method)(dim=1)


def test_keepdim_and_dim_of_functions_are_told():
    x = Tensor([[1.0, 2.0]])
    with pytest.raises(TypeError, match=r"\['dim', 'keepdim'\]: here it is axis=, keepdims="):
        x.sum(dim=1, keepdim=True)
    for f in (minidl.mean, minidl.softmax, lambda a, dim: minidl.concatenate([a, a], dim=dim)):
        with pytest.raises(TypeError, match="here it is axis="):
            f(x, dim=0)


def test_whole_quotients_remainders_and_rounding_are_numpys():
    a = np.array([[7.5, -7.5], [2.0, -0.5]], np.float32)
    x = Tensor(a, requires_grad=True)
    for ours, theirs in [
        (x // 2, a // 2),
        (x % 2, a % 2),
        (2 // x, 2 // a),
        (2 % x, 2 % a),
        (divmod(x, 2)[1], a % 2),
        (divmod(9, x)[0], 9 // a),
        (round(x, 1), a.round(1)),
        (round(x), a.round()),
        (np.divmod(x, 2)[0], a // 2),
    ]:
        np.testing.assert_array_equal(ours.numpy(), theirs, strict=True)
    assert minidl.gradients((x % 2).sum(), x)[0].tolist() == [[1, 1], [1, 1]]
    total = Tensor([7.0, 5.0])
    total //= 2
    total %= 2
    assert total.tolist() == [1, 0]


def test_indices_in_floating_point_are_told_their_dtype():
    with pytest.raises(IndexError, match=r"Tensor\(numbers, dtype=int\)"):
        Tensor([1.0, 2.0])[Tensor([0, 1])]
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 2$"):
        Tensor([1.0, 2.0])[5]


def test_more_of_numpys_methods():
    a = np.array([[3.0, 1.0], [2.0, 5.0]])
    x = Tensor(a, requires_grad=True)
    for ours, theirs in [
        (x.cumprod(1), a.cumprod(1)),
        (x.diagonal(1), a.diagonal(1)),
        (x.conj() + x.conjugate() + x.real + x.imag, 3 * a),
        (x.argsort(0), a.argsort(0)),
        (x.mT, a.T),
        ((x > 2).copy(), a > 2),
    ]:
        np.testing.assert_array_equal(ours.numpy(), theirs, strict=True)
    assert Tensor([1.0, 2.0]).searchsorted([1.5, 3]).tolist() == [1, 2]
    assert (x.nbytes, x.itemsize) == (32, 8)


def test_any_other_name_is_pythons_own_error():
    for module in (minidl, nn, optim):
        with pytest.raises(AttributeError, match="has no attribute 'dens'$"):
            module.dens
