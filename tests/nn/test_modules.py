"""What a Module finds inside itself, however it is kept; its summary and its mode."""

import copy
import functools
import types
from collections import OrderedDict, UserList, deque, namedtuple
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import nn, optim
from minidl.errors import OptionError, ShapeError, StateError

X = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)


class Holder(nn.Module):
    """Keeps whatever it is given as one attribute."""

    def __init__(self, kept):
        self.kept = kept


def layer():
    return nn.Sequential(nn.Dense(2, 2), nn.BatchNorm(2))


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
