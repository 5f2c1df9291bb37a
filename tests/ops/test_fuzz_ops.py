"""Any shapes, any dtypes: values are NumPy's, and each gradient has the shape and the dtype of its argument."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import Tensor

FLOATS = [np.float32, np.float64, np.float16]
DTYPES = [*FLOATS, np.int64, np.int32, np.uint8, np.bool_]
some = settings(max_examples=80, deadline=None, derandomize=True)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)

TWO = "add subtract multiply divide maximum minimum arctan2 power".split()
COMPARE = "equal not_equal less less_equal greater greater_equal".split()
ONE = (
    "positive negative absolute square exp expm1 sin cos tan sinh cosh tanh arctan reciprocal log log1p sqrt arcsin "
    "arccos sign floor ceil isfinite isnan"
).split()
REDUCE = "sum mean prod max min var std".split()


@st.composite
def arrays(draw, shape, dtypes=tuple(DTYPES)):
    """An array with values in (0, 1), where every function here has a value and a derivative; or of 1, 2 and 3.

    Contiguous or not, and read-only: an op that writes into its arguments is found out.
    """
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    how = draw(st.sampled_from(["plain", "transposed", "gaps", "reversed"])) if shape else "plain"
    stored = shape[::-1] if how == "transposed" else (*shape[:-1], 2 * shape[-1]) if how == "gaps" else shape
    values = (
        rng.uniform(0.1, 0.9, stored) if dtype.kind == "f" else rng.integers(1, 2 if dtype.kind == "b" else 4, stored)
    )
    a = np.asarray(values, dtype)
    a = a.T if how == "transposed" else a[..., ::2] if how == "gaps" else a[..., ::-1] if how == "reversed" else a
    assert a.shape == shape
    a.flags.writeable = False
    return a


def tensors(*given):
    return [Tensor(a, requires_grad=a.dtype.kind == "f") for a in given]


def same(found, expected):
    """Equal in shape and dtype; in value up to rounding."""
    found, expected = np.asarray(found), np.asarray(expected)
    tolerance = {"float16": 5e-3, "float32": 2e-5}.get(expected.dtype.name, 1e-10)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, strict=True)


def gradients_fit(y, inputs, exact):
    """Each gradient of Σ y · cos(0, 1, 2, ...) is like its argument; where `exact` holds it, it has that value."""
    wanted = [x for x in inputs if x.requires_grad]
    assert y.requires_grad == (bool(wanted) and y.dtype.kind == "f")
    if not y.requires_grad:
        return
    weights = np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)
    for x, g, right in zip(wanted, minidl.gradients(y, wanted, weights), exact(weights), strict=True):
        assert g.shape == x.shape
        assert g.dtype == x.dtype
        assert isinstance(g, Tensor)
        tolerance = {2: 5e-2, 4: 1e-4, 8: 1e-9}[min(a.dtype.itemsize for a in (y, *wanted))]
        np.testing.assert_allclose(
            g.numpy(), right, rtol=tolerance, atol=tolerance * max(1, np.abs(right).max(initial=0))
        )


def in_full(name, inputs, weights, shape):
    """The gradients worked out with nothing to broadcast and in float64, and only then summed: a second way to them."""
    full = [Tensor(np.broadcast_to(x.numpy(), shape).astype(np.float64), requires_grad=True) for x in inputs]
    y = getattr(minidl, name)(*full)
    for x, g in zip(inputs, minidl.gradients(y, full, weights.astype(np.float64)), strict=True):
        if x.requires_grad:
            extra = tuple(range(len(shape) - x.ndim))
            g = g.numpy().sum(axis=extra)
            yield g.sum(axis=tuple(i for i in range(x.ndim) if x.shape[i] == 1), keepdims=True)


TWO_SHAPES = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4)


@pytest.mark.parametrize("name", TWO)
@settings(some, max_examples=40)
@given(data=st.data(), shapes=TWO_SHAPES)
def test_functions_of_two_broadcast_and_promote_as_numpys_do(name, data, shapes):
    a, b = (data.draw(arrays(shape)) for shape in shapes.input_shapes)
    if name == "subtract" and a.dtype == b.dtype == np.bool_:  # NumPy has it not
        return
    expected = getattr(np, name)(a, b)
    same(getattr(minidl, name)(a, b), expected)
    inputs = tensors(a, b)
    y = getattr(minidl, name)(*inputs)
    assert isinstance(y, Tensor)
    same(y.numpy(), expected)
    gradients_fit(y, inputs, lambda weights: in_full(name, inputs, weights, shapes.result_shape))


@pytest.mark.parametrize("name", COMPARE)
@settings(some, max_examples=12)
@given(data=st.data(), shapes=TWO_SHAPES)
def test_comparisons_broadcast_as_numpys_do(name, data, shapes):
    a, b = (data.draw(arrays(shape)) for shape in shapes.input_shapes)
    y = getattr(minidl, name)(*tensors(a, b))
    same(y.numpy(), getattr(np, name)(a, b))
    assert not y.requires_grad


@some
@given(data=st.data(), shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3))
def test_where_and_clip_broadcast_three(data, shapes):
    a, b, c = (data.draw(arrays(shape)) for shape in shapes.input_shapes)
    for mine, theirs in ((minidl.where, np.where), (minidl.clip, np.clip)):
        given_ = (a > b.ravel()[:1].sum(), b, c) if mine is minidl.where else (a, b, c)
        try:
            expected = theirs(*given_)
        except TypeError:  # clip has no loop for these dtypes
            continue
        inputs = tensors(*given_)
        y = mine(*inputs)
        same(y.numpy(), expected)
        wanted = [x for x in inputs if x.requires_grad]
        if y.requires_grad:
            for x, g in zip(wanted, minidl.gradients(y, wanted, np.ones(y.shape, y.dtype)), strict=True):
                assert (g.shape, g.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize("name", ONE)
@settings(some, max_examples=15)
@given(data=st.data(), shape=SHAPES)
def test_functions_of_one(name, data, shape):
    a = data.draw(arrays(shape, dtypes=tuple(FLOATS if name.startswith("arc") else DTYPES)))
    try:
        expected = getattr(np, name)(a)
    except TypeError:
        return  # NumPy has none for this dtype: negative of booleans, say
    (x,) = inputs = tensors(a)
    y = getattr(minidl, name)(x)
    same(y.numpy(), expected)
    if y.requires_grad:
        gradients_fit(y, inputs, lambda weights: in_full(name, inputs, weights, shape))


@st.composite
def shape_and_axis(draw, min_side=0):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=min_side, max_side=4))
    axes = (
        st.none()
        if not shape
        else st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1), hnp.valid_tuple_axes(len(shape)))
    )
    return shape, draw(axes)


@pytest.mark.parametrize("name", REDUCE)
@settings(some, max_examples=40)
@given(data=st.data(), keepdims=st.booleans())
def test_reductions_over_any_axes(name, data, keepdims):
    shape, axis = data.draw(shape_and_axis(min_side=0 if name in ("sum", "prod") else 1))
    a = data.draw(arrays(shape))
    expected = getattr(np, name)(a, axis=axis, keepdims=keepdims)
    (x,) = inputs = tensors(a)
    y = getattr(minidl, name)(x, axis=axis, keepdims=keepdims)
    same(y.numpy(), expected)

    def exact(weights):
        wide = Tensor(a.astype(np.float64), requires_grad=True)
        g = minidl.gradients(
            getattr(minidl, name)(wide, axis=axis, keepdims=keepdims), [wide], weights.astype(np.float64)
        )
        return [g[0].numpy()] if x.requires_grad else []

    if y.dtype.kind == "f" and x.requires_grad:
        gradients_fit(y, inputs, exact)


@some
@given(data=st.data(), shapes=hnp.mutually_broadcastable_shapes(signature="(m?,k),(k,n?)->(m?,n?)", max_dims=2, min_side=0, max_side=4))  # fmt: skip
def test_products_of_matrices(data, shapes):
    a, b = (data.draw(arrays(shape)) for shape in shapes.input_shapes)
    expected = a @ b
    inputs = tensors(a, b)
    y = inputs[0] @ inputs[1]
    same(y.numpy(), expected)

    def exact(weights):
        wide = [Tensor(v.astype(np.float64), requires_grad=True) for v in (a, b)]
        found = minidl.gradients(wide[0] @ wide[1], wide, weights.astype(np.float64))
        return [g.numpy() for g, x in zip(found, inputs, strict=True) if x.requires_grad]

    gradients_fit(y, inputs, exact)


@some
@given(data=st.data(), shape=SHAPES)
def test_changes_of_shape_keep_every_element_and_give_each_its_own_gradient(data, shape):
    a = data.draw(arrays(shape, dtypes=tuple(FLOATS)))
    changes = {
        "ravel": lambda xp, v: xp.ravel(v),
        "transpose": lambda xp, v: xp.transpose(v),
        "flip": lambda xp, v: xp.flip(v),
        "roll": lambda xp, v: xp.roll(v, 3),
        "expand_dims": lambda xp, v: xp.expand_dims(v, (0, -1)),
        "squeeze": lambda xp, v: xp.squeeze(v),
        "reshape": lambda xp, v: xp.reshape(v, (*a.shape[::-1], 1)),
        "stack": lambda xp, v: xp.stack([v, v], -1),
        "concatenate": lambda xp, v: xp.concatenate([v, v], None),
        "repeat": lambda xp, v: xp.repeat(v, 2),
        "tile": lambda xp, v: xp.tile(v, (2, 1)),
        "pad": lambda xp, v: xp.pad(v, 1),
    }
    name = data.draw(st.sampled_from(sorted(changes)))
    x = Tensor(a, requires_grad=True)
    y = changes[name](minidl, x)
    same(y.numpy(), changes[name](np, a))
    copies = 2 if name in ("stack", "concatenate", "repeat", "tile") else 1
    (g,) = minidl.gradients(y, [x], np.ones(y.shape, y.dtype))
    same(g.numpy(), np.full(shape, copies, a.dtype))


@some
@given(st.data(), st.booleans())
def test_python_and_numpy_numbers_on_either_side_never_widen_a_tensor(data, tensor_first):
    a = data.draw(arrays(data.draw(SHAPES), dtypes=tuple(FLOATS)))
    number = data.draw(st.sampled_from([2, 2.5, np.float64(2.5), np.int64(2), True, np.float32(1.5)]))
    name = data.draw(st.sampled_from(["add", "subtract", "multiply", "divide", "maximum", "power"]))
    x = Tensor(a, requires_grad=True)
    y = getattr(minidl, name)(*((x, number) if tensor_first else (number, x)))
    plain = number.item() if isinstance(number, np.generic) else number
    same(y.numpy(), getattr(np, name)(*((a, plain) if tensor_first else (plain, a))))
    (g,) = minidl.gradients(y, [x], np.ones(y.shape, y.dtype))
    assert (g.shape, g.dtype) == (a.shape, a.dtype)
