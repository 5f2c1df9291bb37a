"""What a Module finds inside itself, however it is kept, and what it takes over from a state."""

import copy
import functools
import pickle
import subprocess
import sys
import types
from collections import OrderedDict, UserList, deque, namedtuple
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import Tensor, nn, optim
from minidl.errors import OptionError, ShapeError, StateError
from minidl.overrides import overridden

X = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)


class Holder(nn.Module):
    """Keeps whatever it is given as one attribute."""

    def __init__(self, kept):
        self.kept = kept


def layer():
    return nn.Sequential(nn.Dense(2, 2), nn.BatchNorm(2))


# found, however it is kept

Pair = namedtuple("Pair", "first second")


@dataclass
class Block:
    first: nn.Module
    rest: list = field(default_factory=list)


@dataclass(slots=True)
class Slotted:
    inner: object


class Plain:
    """A layer of one's own that forgot to be a Module."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, x):
        return self.inner(x)

    def method(self, x):
        return self.inner(x)


def closure(inner):
    def run(x):
        return inner(x)

    return run


def default(inner):
    return lambda x, inner=inner: inner(x)


def keyword_default(inner):
    def run(x, *, inner=inner):
        return inner(x)

    return run


def cached(inner):
    return functools.lru_cache(closure(inner))


WAYS = {
    "attribute": lambda m: m,
    "list": lambda m: [m],
    "tuple": lambda m: (m,),
    "dict": lambda m: {"a": m},
    "ordered dict": lambda m: OrderedDict(a=m),
    "read-only dict": lambda m: types.MappingProxyType({"a": m}),
    "deque": lambda m: deque([m]),
    "user list": lambda m: UserList([m]),
    "values of a dict": lambda m: {"a": m}.values(),
    "named tuple": lambda m: Pair(1, m),
    "array of objects": lambda m: np.array([None, m], object),
    "dataclass": lambda m: Block(m),
    "dataclass with slots": lambda m: Slotted(m),
    "namespace": lambda m: types.SimpleNamespace(a=m),
    "object that can be called": Plain,
    "partial": lambda m: functools.partial(lambda layer, x: layer(x), m),
    "partial, by keyword": lambda m: functools.partial(lambda x, layer: layer(x), layer=m),
    "closure": closure,
    "default": default,
    "keyword default": keyword_default,
    "method of a module": lambda m: Holder(m).forward,
    "method of an object": lambda m: Plain(m).method,
    "cached function": cached,
    "module": Holder,
}


@pytest.mark.parametrize("outer", WAYS)
@pytest.mark.parametrize("inner", WAYS)
def test_layers_are_found_however_they_are_kept(outer, inner):
    held = layer()
    model = Holder(WAYS[outer](WAYS[inner](held)))
    assert set(map(id, model.parameters())) == set(map(id, held.parameters()))
    assert len(model.state_dict()) == 6
    assert not model.eval().training
    assert not held[1].training
    state = {name: value + 1 for name, value in model.state_dict().items()}
    before = held[0].weight.numpy().copy()
    model.load_state_dict(state)
    assert (held[0].weight.numpy() == before + 1).all()
    assert model.to("numpy") is model
    assert "BatchNorm" in repr(model)


def test_blocks_of_blocks_are_trained():
    class Net(nn.Module):
        def __init__(self):
            self.blocks = [[nn.Dense(2, 4), nn.BatchNorm(4), minidl.tanh], [nn.Dense(4, 2)]]

        def forward(self, x):
            for block in self.blocks:
                for part in block:
                    x = part(x)
            return x

    model = Net()
    names = [
        "blocks.0.0.weight",
        "blocks.0.0.bias",
        "blocks.0.1.gamma",
        "blocks.0.1.beta",
        "blocks.1.0.weight",
        "blocks.1.0.bias",
    ]
    assert [name for name, _ in model.named_parameters()] == names
    before = model.state_dict()
    optimizer = optim.Adam(model.parameters())
    nn.softmax_cross_entropy(model(X), [0, 1, 1, 0, 1]).backward()
    optimizer.step()
    assert all((before[name] != value).any() for name, value in model.state_dict().items())


@st.composite
def nests(draw, leaves):
    """Those leaves, in their order, inside nested lists, tuples, dicts, dataclasses and partials."""
    if len(leaves) == 1 and draw(st.booleans()):
        return leaves[0]
    cuts = sorted(draw(st.sets(st.integers(1, max(len(leaves) - 1, 1)), max_size=3)) - {len(leaves)})
    parts = [leaves[a:b] for a, b in zip([0, *cuts], [*cuts, len(leaves)], strict=True)]
    inner = [draw(nests(part)) if len(part) < len(leaves) else part for part in parts]
    shape = draw(st.sampled_from(["list", "tuple", "dict", "block", "namespace", "partial", "module"]))
    if shape == "dict":
        return dict(zip("abcd", inner, strict=False))
    if shape == "block":
        return Block(inner[0], inner[1:])
    if shape == "namespace":
        return types.SimpleNamespace(**dict(zip("abcd", inner, strict=False)))
    return {"list": list, "tuple": tuple, "partial": lambda i: functools.partial(print, *i), "module": Holder}[shape](
        inner
    )


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    data=st.data(),
    kinds=st.lists(st.sampled_from(["dense", "norm", "relu", "function", "number"]), min_size=1, max_size=8),
)
def test_a_nest_of_any_shape_has_the_parameters_of_a_flat_list(data, kinds):
    make = {
        "dense": lambda: nn.Dense(2, 2),
        "norm": lambda: nn.BatchNorm(2),
        "relu": nn.ReLU,
        "function": lambda: minidl.exp,
        "number": lambda: 3,
    }
    leaves = [make[kind]() for kind in kinds]
    flat, nested = Holder(leaves), Holder(data.draw(nests(leaves)))
    modules = [m for m in leaves if isinstance(m, nn.Module)]
    assert [id(m) for _, m in flat.named_modules()][1:] == [id(m) for m in modules]
    assert {id(m) for _, m in nested.named_modules()} >= set(map(id, modules))
    assert {id(p) for p in nested.parameters()} == {id(p) for p in flat.parameters()}
    assert len(nested.parameters()) == len(flat.parameters())
    assert len(nested.state_dict()) == len(flat.state_dict())
    assert len({name for name, _ in nested.named_modules()}) == len(list(nested.named_modules()))
    other = copy.deepcopy(nested)
    other.load_state_dict({name: value + 1 for name, value in nested.state_dict().items()})
    assert all((other.state_dict()[name] == value + 1).all() for name, value in nested.state_dict().items())


def test_layers_of_the_class_itself_are_found():
    class Net(nn.Module):
        body = (nn.Dense(2, 2),)
        head = None

        def __init__(self):
            self.head = nn.Dense(2, 1)

    class Child(Net):
        body = None

    assert [name for name, _ in Net().named_parameters()] == [
        "body.0.weight",
        "body.0.bias",
        "head.weight",
        "head.bias",
    ]
    assert len(Child().parameters()) == 2


def test_layers_in_slots_are_found_and_copied():
    class Net(nn.Module):
        __slots__ = ("__hidden", "first")

        def __init__(self):
            self.first, self.__hidden = nn.Dense(2, 2), nn.Dense(2, 1)

    model = Net()
    assert len(model.parameters()) == 4
    assert all(
        (a.data == b.data).all() for a, b in zip(copy.deepcopy(model).parameters(), model.parameters(), strict=True)
    )


def test_a_layer_that_forward_finds_in_a_closure_is_found():
    inner = nn.Dense(2, 1)

    class Net(nn.Module):
        def forward(self, x):
            return inner(x)

    assert [id(p) for p in Net().parameters()] == [id(inner.weight), id(inner.bias)]


def test_what_can_be_reached_in_two_ways_counts_once():
    inner = layer()
    model = Holder([inner, {"again": inner, "deeper": (inner[0], inner[0].weight)}])
    assert [id(p) for p in model.parameters()] == [id(p) for p in inner.parameters()]
    assert list(model.state_dict())[:2] == ["kept.1.deeper.1", "kept.0.layers.0.bias"]  # its own before its layers'


def test_circles_end():
    model = Holder([layer()])
    model.kept += [model, model.kept, lambda x: model(x), {"up": model}, functools.partial(model), model.forward]
    model.kept[0].parent = model
    assert len(model.parameters()) == 4
    assert len(model.eval().state_dict()) == 6
    assert "..." in repr(model)
    del model.kept[3]  # a function is not copied, and neither is what it calls
    assert len(copy.deepcopy(model).parameters()) == 4


def test_depth_is_no_matter():
    kept = nn.Dense(2, 2)
    for _ in range(5000):
        kept = [kept]
    assert len(Holder(kept).parameters()) == 2


@pytest.mark.parametrize("make", [set, frozenset, lambda items: {(1, *items)}, lambda items: [{"a": set(items)}]])
def test_a_set_of_layers_is_refused_by_name(make):
    model = Holder(make([nn.Dense(2, 2)]))
    for ask in (
        model.parameters,
        model.state_dict,
        model.eval,
        lambda: list(model.named_modules()),
        lambda: repr(model),
    ):
        with pytest.raises(OptionError, match=r"Holder.kept.* is a set with a Dense in it: .*: use a list"):
            ask()
    assert Holder({1, "a", (2, 3)}).parameters() == []


def test_a_fault_in_a_forward_is_told_whatever_else_is_wrong():
    model = Holder({nn.Dense(2, 2)})
    model.forward = lambda x: nn.Dense(3, 1)(x)
    with pytest.raises(ShapeError, match=r"expected an input of shape \(batch, 3\)"):
        model(X)


def test_two_arrays_with_one_name_are_refused():
    model = Holder({1: nn.Dense(2, 2), "1": nn.Dense(2, 2)})
    assert len(model.parameters()) == 4
    with pytest.raises(
        StateError, match=r"two of its arrays would both be called 'kept.1.weight': give .* names that differ"
    ):
        model.state_dict()


def test_a_summary_counts_what_functions_hold_and_what_is_shared_once():
    shared = nn.Dense(3, 3)
    model = nn.Sequential(nn.Dense(2, 3), shared, closure(nn.Dense(3, 3)), shared, minidl.tanh)
    text = model.summary()
    assert text.endswith(f"{sum(p.size for p in model.parameters())} parameters to train")
    assert [line.split()[-1] for line in text.splitlines()[3:8]] == ["9", "12", "12", "0", "0"]


@pytest.mark.parametrize("training", [True, False])
def test_mode_holds_for_the_block_and_gives_each_module_its_own_back(training):
    model = nn.Sequential(nn.Dense(2, 3), nn.BatchNorm(3), nn.Sequential(nn.Dropout(0.5)))
    model[1].eval()  # frozen, say
    before = [module.training for _, module in model.named_modules()]
    with model.mode(training=training):
        assert all(module.training is training for _, module in model.named_modules())
        with model.mode(training=not training):
            assert all(module.training is not training for _, module in model.named_modules())
        assert all(module.training is training for _, module in model.named_modules())
    assert [module.training for _, module in model.named_modules()] == before
    with pytest.raises(KeyError), model.mode(training=training):
        raise KeyError
    assert [module.training for _, module in model.named_modules()] == before


def test_a_summary_that_fails_leaves_the_mode_as_it_was():
    model = nn.Sequential(nn.Dense(2, 3), nn.Dense(2, 3))
    with pytest.raises(ShapeError):
        model.summary()
    assert model.training
    assert model[0].training


# called


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Dense(2, 3), lambda: nn.BatchNorm(2), nn.Flatten, nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softmax,
        lambda: nn.Dropout(0.0), lambda: nn.Sequential(nn.ReLU(), nn.Dense(2, 2)), lambda: nn.Sequential(nn.Dropout(0.5), nn.Dense(2, 2)),
    ],
)  # fmt: skip
def test_layers_take_lists_as_float32(make):
    model = make()
    model.eval()
    for x in ([[1, 2], [3, 4], [5, -6]], ((1.0, 2.0), (3.0, 4.0), (5.0, -6.0))):
        y, expected = model(x), model(np.array(x, np.float32))
        assert y.dtype == np.float32
        np.testing.assert_array_equal(
            np.asarray(getattr(y, "data", y)), np.asarray(getattr(expected, "data", expected))
        )


def test_lists_that_are_no_arrays_are_refused_in_one_line():
    with pytest.raises(ShapeError, match="equal lengths"):
        nn.Dense(2, 3)([[1, 2], [3]])
    with pytest.raises(minidl.errors.DTypeError, match="real numbers"):
        nn.Dense(2, 3)([["a", "b"]])


@pytest.mark.parametrize("kind", [nn.Dense, nn.ReLU, nn.BatchNorm, nn.Dropout, nn.Sequential])
@pytest.mark.parametrize(
    "how", ["instance forward", "subclass forward", "subclass call", "class forward", "class call"]
)
def test_what_is_put_in_the_way_of_a_layer_is_honoured(kind, how, monkeypatch):
    calls = []

    def make(kind):
        sizes = {nn.Dense: (2, 2), nn.BatchNorm: (2,), nn.Sequential: (nn.ReLU(),)}
        return kind(*next((sizes[base] for base in kind.__mro__ if base in sizes), ()))

    name = how.split()[1].replace("call", "__call__")
    if how.startswith("subclass"):
        method = lambda self, x: calls.append(1) or getattr(super(own, self), name)(x)
        own = type("Own", (kind,), {name: method})
        watched = make(own)
    else:
        watched = make(kind)
    model = nn.Sequential(nn.Dense(2, 2), watched, nn.ReLU())
    minidl.seed(0)
    expected = model(X).numpy()
    calls.clear()
    original = getattr(kind, name)
    if how == "instance forward":
        inner = watched.forward
        watched.forward = lambda x: calls.append(1) or inner(x)
    elif how.startswith("class"):
        monkeypatch.setattr(
            kind, name, lambda self, *args: (self is watched and calls.append(1)) or original(self, *args)
        )
    minidl.seed(0)
    found = model(X).numpy()
    assert calls == [1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_only_watches_is_not_in_the_way():
    model = nn.Sequential(nn.Dense(2, 3), nn.ReLU(), nn.BatchNorm(3), nn.Dropout(0.5), nn.Flatten(), nn.Softmax())
    assert not any(overridden(layer, "forward", "__call__") for layer in (model, *model))
    with minidl.debug():
        assert not any(overridden(layer, "forward", "__call__") for layer in (model, *model))


# copies


def keeps_activations():
    class Net(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Dense(2, 3), nn.Dense(3, 1)

        def forward(self, x):
            self.h = minidl.tanh(self.first(x))
            self.seen = {"all": [self.h, self.h * 2]}
            return self.second(self.h)

    return Net()


def test_a_copy_of_a_model_that_keeps_activations_holds_their_values():
    model = keeps_activations()
    model(X)
    twin = copy.deepcopy(model)
    assert (twin.h.numpy() == model.h.numpy()).all()
    assert (twin.seen["all"][1].numpy() == 2 * model.h.numpy()).all()
    assert twin.h._op is None
    assert twin.h.data is not model.h.data
    model.h.sum().backward()  # the model's own history is untouched
    assert model.first.weight.grad is not None


def test_a_model_that_keeps_activations_reaches_another_process():
    program = """
import pickle, sys
import numpy as np, minidl
from minidl import nn
class Net(nn.Module):
    def __init__(self): self.first = nn.Dense(2, 1)
    def forward(self, x):
        self.h = minidl.tanh(self.first(x)); self.all = [self.h]
        return self.h
model = Net(); model(np.ones((1, 2), "f4"))
twin = pickle.loads(pickle.dumps(model))
print((twin.h.numpy() == model.h.numpy()).all(), (twin(np.ones((1, 2), "f4")).numpy() == model.h.numpy()).all())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "True True\n", result.stderr


def test_pickling_keeps_what_is_shared():
    model = nn.Sequential(nn.Dense(2, 2), nn.Dense(2, 2))
    model.same = model.layers
    twin = pickle.loads(pickle.dumps(model))
    assert twin.same is twin.layers
    assert (twin(X).numpy() == model(X).numpy()).all()


# states


class Mixed(nn.Module):
    """Parameters and buffers of several dtypes."""

    def __init__(self):
        self.single = nn.Parameter(np.ones((2, 2), np.float32))
        self.half = nn.Parameter(np.ones(3, np.float16))
        self.double = nn.Parameter(np.ones(2))
        self.count = nn.Buffer(np.zeros(2, np.int32))
        self.flag = nn.Buffer(np.zeros(1, bool))


BAD = {
    "text": ("single", np.array([["a", "b"], ["c", "d"]]), "is <U1, expected real numbers"),
    "objects": ("single", np.array([[None, 1], [2, 3]], object), "is object, expected real numbers"),
    "complex": ("single", np.ones((2, 2), complex), "is complex128, expected real numbers"),
    "dates": ("single", np.zeros((2, 2), "M8[s]"), "is datetime64.*, expected real numbers"),
    "too large for float32": ("single", np.full((2, 2), 1e300), "holds 1e.300, which float32 cannot hold"),
    "too large for float16": ("half", np.array([1, 70_000, 2]), "holds 70000, which float16 cannot hold"),
    "an integer beyond every dtype": ("single", [[2**200, 1], [1, 1]], "is object, expected real numbers"),
    "a fraction for an integer": ("count", np.array([1, 1.5]), "holds 1.5, which int32 cannot hold"),
    "too large for int32": ("count", np.array([1, 2**31]), "holds 2147483648, which int32 cannot hold"),
    "NaN for an integer": ("count", np.array([1, np.nan]), "holds nan, which int32 cannot hold"),
    "a number for a flag": ("flag", np.array([2]), "holds 2, which bool cannot hold"),
    "another shape": ("double", np.ones(3), r"has shape \(3,\), expected \(2,\)"),
    "ragged lists": ("single", [[1, 2], [3]], "is nested lists of different lengths"),
    "a number": ("single", 1.0, r"has shape \(\), expected \(2, 2\)"),
    "None": ("half", None, r"has shape \(\), expected"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_state_with_one_bad_value_changes_nothing(case):
    name, value, message = BAD[case]
    model = Mixed()
    before = model.state_dict()
    changes = {n: t._changes for n, t in model._state().items()}
    with pytest.raises(StateError, match=f"nothing was loaded into Mixed: '{name}' {message}"):
        model.load_state_dict({n: v * 0 + 1 for n, v in before.items()} | {name: value})
    assert all((before[n] == v).all() for n, v in model.state_dict().items())
    assert changes == {n: t._changes for n, t in model._state().items()}


@settings(max_examples=100, deadline=None)
@given(
    bad=st.sampled_from(sorted(BAD)),
    good=st.dictionaries(st.sampled_from(["single", "half", "double", "count", "flag"]), st.integers(0, 1)),
    order=st.permutations(["single", "half", "double", "count", "flag"]),
    missing=st.booleans(),
)
def test_a_bad_value_anywhere_in_a_state_leaves_all_as_it_was(bad, good, order, missing):
    model = Mixed()
    before = model.state_dict()
    name, value, _ = BAD[bad]
    state = {n: np.full(before[n].shape, good.get(n, 1)) for n in order} | {name: value}
    if missing:
        del state[next(n for n in order if n != name)]
    with pytest.raises(StateError):
        model.load_state_dict(state)
    with pytest.raises(StateError):
        model.load_state_dict(state, strict=False)
    assert all((before[n] == v).all() for n, v in model.state_dict().items())


def test_numbers_that_fit_are_taken_whatever_they_come_as():
    model = Mixed()
    model.load_state_dict(
        {"single": [[1, np.nan], [np.inf, 4.0]], "half": Tensor([1.0, 2.0, 3.0]), "double": (1, 2), "count": np.array([3.0, 4.0]),
         "flag": np.array([1])}
    )  # fmt: skip
    np.testing.assert_array_equal(model.single.numpy(), np.array([[1, np.nan], [np.inf, 4]], np.float32))
    assert model.half.tolist() == [1, 2, 3]
    assert model.count.tolist() == [3, 4]
    assert model.flag.tolist() == [True]
    assert [t.dtype for t in model._state().values()] == ["f4", "f2", "f8", "i4", "?"]


def test_values_that_are_views_of_the_model_itself_are_exchanged_rightly():
    model = Holder([nn.Parameter([1.0, 2.0]), nn.Parameter([3.0, 4.0])])
    model.load_state_dict({"kept.0": model.kept[1].data, "kept.1": model.kept[0].data})
    assert [p.tolist() for p in model.parameters()] == [[3, 4], [1, 2]]


def test_an_array_that_is_read_only_is_said_before_anything_changes():
    model = Holder([nn.Parameter([1.0, 2.0]), nn.Parameter([3.0, 4.0])])
    model.kept[1].data.flags.writeable = False
    with pytest.raises(StateError, match="'kept.1' would be written into an array that is read-only"):
        model.load_state_dict({"kept.0": [0, 0], "kept.1": [0, 0]})
    assert model.kept[0].tolist() == [1, 2]


def test_a_part_of_a_state_is_loaded_if_asked_for():
    model, other = nn.Sequential(nn.Dense(2, 3), nn.ReLU(), nn.Dense(3, 4)), nn.Sequential(nn.Dense(2, 3), nn.ReLU())
    head = model[2].weight.numpy().copy()
    model.load_state_dict(other.state_dict() | {"of another": np.ones(3)}, strict=False)
    assert (model[0].weight.numpy() == other[0].weight.numpy()).all()
    assert (model[2].weight.numpy() == head).all()
    with pytest.raises(StateError, match=r"'layers.0.weight' has shape \(1,\)"):
        model.load_state_dict({"layers.0.weight": np.ones(1)}, strict=False)


@pytest.mark.parametrize("state", [None, 5, "model.safetensors", [np.ones(2)]])
def test_what_is_no_state_is_said(state):
    with pytest.raises(StateError, match=r"expected a dict of arrays, as state_dict\(\) gives, got a "):
        nn.Dense(2, 2).load_state_dict(state)
