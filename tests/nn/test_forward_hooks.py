"""Forward hooks: what they see, what they may change, and that nothing runs past them."""

import copy
import pickle

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.errors import OptionError

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def model():
    return nn.Sequential(nn.Dense(4, 3), nn.ReLU(), nn.BatchNorm(3), nn.Dense(3, 2), nn.Softmax())


def test_a_hook_sees_the_layer_what_went_in_and_what_came_out():
    made, seen = model(), []
    made[2].register_forward_hook(lambda *found: seen.append(found))
    y = made(X)
    ((layer, (x,), output),) = seen
    assert layer is made[2]
    np.testing.assert_array_equal(x.numpy(), np.maximum(made[0](X).numpy(), 0))
    np.testing.assert_array_equal(made[4](made[3](output)).numpy(), y.numpy())


@pytest.mark.parametrize("i", range(5))
def test_every_layer_of_a_sequential_can_be_hooked_also_those_that_run_as_one(i):
    made, seen = model(), []
    expected = made(X).numpy()
    made[i].register_forward_hook(lambda layer, args, output: seen.append(layer))
    np.testing.assert_allclose(made(X).numpy(), expected, rtol=1e-6)
    assert seen == [made[i]]


def test_what_a_hook_returns_takes_the_outputs_place_and_gradients_pass_through_it():
    made = nn.Sequential(nn.Dense(4, 2))
    plain = made(X).numpy()
    made[0].register_forward_hook(lambda layer, args, output: output * 3)
    made[0].register_forward_hook(lambda layer, args, output: output + 1)  # the oldest is called first
    y = made(X)
    np.testing.assert_allclose(y.numpy(), 3 * plain + 1, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(made[0].bias.grad.numpy(), [15, 15])


def test_remove_and_the_end_of_a_block_take_a_hook_away_and_leave_the_others():
    made, seen = model(), []
    first = made.register_forward_hook(lambda *found: seen.append("first"))
    with made.register_forward_hook(lambda *found: seen.append("second")):
        made(X)
    made(X)
    first.remove()
    first.remove()
    made(X)
    assert seen == ["first", "second", "first"]
    assert "_forward_hooks" not in vars(made)


def test_a_hook_that_removes_itself_is_called_once():
    made, seen = model(), []
    hook = made.register_forward_hook(lambda *found: (seen.append(1), hook.remove())[0])
    made(X)
    made(X)
    assert seen == [1]


def test_what_a_hook_holds_is_no_part_of_the_model():
    made, other = model(), nn.Dense(9, 9)
    names = [name for name, _ in made.named_modules()]
    made[0].register_forward_hook(lambda layer, args, output: other and made and None)
    assert [name for name, _ in made.named_modules()] == names
    assert made.state_dict().keys() == model().state_dict().keys()


def test_a_copy_has_hooks_of_its_own_and_a_function_of_a_file_can_be_pickled_with_the_model():
    made, seen = model(), []
    made[0].register_forward_hook(lambda layer, args, output: seen.append(layer))
    twin = copy.deepcopy(made)
    twin(X)
    assert seen == [twin[0]]
    made = model()
    made[0].register_forward_hook(doubled)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made))(X).numpy(), made(X).numpy())


def doubled(layer, args, output):
    return output * 2


def test_a_hook_is_called_while_debug_watches_and_what_is_no_function_is_refused():
    made, seen = model(), []
    made[0].register_forward_hook(lambda layer, args, output: seen.append(1))
    with minidl.debug():
        made(X)
    assert seen == [1]
    with pytest.raises(OptionError, match=r"expected a function of \(module, args, output\), got 'print'"):
        made.register_forward_hook("print")


# keywords, and looking around


def test_a_call_passes_keywords_on_to_forward():
    class Scaled(nn.Module):
        def __init__(self):
            self.inner = nn.Dense(4, 2)

        def forward(self, x, *, scale=1.0):
            return self.inner(x) * scale

    made = Scaled()
    expected = 2 * made(X).numpy()
    for y in (made(X, scale=2.0), made(x=X, scale=2.0)):
        np.testing.assert_array_equal(y.numpy(), expected)
    with minidl.debug():
        np.testing.assert_array_equal(made(X, scale=2.0).numpy(), expected)
    np.testing.assert_array_equal(nn.Sequential(nn.Dense(4, 2))(x=X).shape, (5, 2))
    with pytest.raises(TypeError, match="unexpected keyword argument 'scal'"):
        made(X, scal=2.0)


def test_modules_children_and_buffers_are_each_listed_once():
    inner = nn.Sequential(nn.BatchNorm(3), nn.ReLU())
    made = nn.Sequential(nn.Dense(4, 3), inner, inner)
    assert made.children() == [made[0], inner]
    assert made.modules() == [made, made[0], inner, inner[0], inner[1]]
    assert [id(b) for b in made.buffers()] == [id(inner[0].running_mean), id(inner[0].running_var)]
    assert nn.ReLU().children() == []


def test_apply_reaches_every_module_and_returns_the_model():
    made, seen = model(), []

    def start_at_one(module):
        seen.append(module)
        if isinstance(module, nn.Dense):
            module.bias.data[...] = 1

    assert made.apply(start_at_one) is made
    assert seen == made.modules()
    assert made[3].bias.tolist() == [1, 1]
