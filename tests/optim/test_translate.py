"""Other frameworks' optimizers in minidl: fifty steps each, against values computed by Keras 3.15 and PyTorch 2.13."""

import math

import numpy as np
import pytest

from minidl import Tensor, nn, optim
from minidl.errors import OptionError
from minidl.optim import schedules, translate

VALUES = [
    ("keras", "SGD", {}, [-4.521027532862018, -0.2530698843800607]),
    ("keras", "SGD", {"learning_rate": 0.1, "weight_decay": 0.1}, [-1.0296442166466777, 0.11244233990378051]),
    ("keras", "SGD", {"momentum": 0.9}, [-1.9218484979506067, 0.13620518658053643]),
    ("keras", "SGD", {"momentum": 0.9, "nesterov": True}, [-1.9059220277633668, 0.058099251529306874]),
    ("keras", "Adagrad", {"learning_rate": 0.5}, [-1.303793579128587, 0.03201532888634566]),
    ("keras", "RMSprop", {}, [-4.951087295421867, -1.9410092631845957]),
    (
        "keras",
        "RMSprop",
        {"learning_rate": 0.05, "rho": 0.8, "epsilon": 0.1},
        [-3.1675601331357885, 0.001990042713104455],
    ),
    ("keras", "Adadelta", {"learning_rate": 1.0}, [-4.938546251511072, -1.9239292334093077]),
    ("keras", "Adam", {"learning_rate": 0.05}, [-3.1643234703697045, -0.11643748715513633]),
    (
        "keras",
        "Adam",
        {"learning_rate": 0.05, "epsilon": 0.1, "amsgrad": True, "beta_2": 0.9},
        [-3.3998625309595747, -0.20976526645384286],
    ),
    ("keras", "Adam", {"learning_rate": 0.05, "weight_decay": 0.1}, [-2.3664313766479452, -0.026043566405549844]),
    ("keras", "AdamW", {"learning_rate": 0.05}, [-3.127998029364396, -0.11190975402441804]),
    ("keras", "Nadam", {"learning_rate": 0.05}, [-3.274691865781296, -0.2683405155054235]),
    (
        "keras",
        "Nadam",
        {"learning_rate": 0.05, "beta_1": 0.95, "epsilon": 0.1},
        [-3.6028066251081334, -0.36095202745275096],
    ),
    ("pytorch", "SGD", {"weight_decay": 0.1}, [-4.92531847258185, -1.628600281773653]),
    (
        "pytorch",
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
        [0.26025111814033286, 0.05399996406377275],
    ),
    ("pytorch", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, [-0.05595819762030846, 0.2925703712557348]),
    ("pytorch", "Adagrad", {"lr": 0.5, "lr_decay": 0.1}, [-2.7108546943896195, -0.10423151312059067]),
    ("pytorch", "RMSprop", {}, [-3.9367727265731385, -0.8582536652475582]),
    ("pytorch", "Adadelta", {"weight_decay": 0.1}, [-4.803881619357298, -1.8178239693095493]),
    (
        "pytorch",
        "Adam",
        {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1},
        [-2.903439844673177, -0.11632061276731342],
    ),
    (
        "pytorch",
        "Adam",
        {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True},
        [-2.3664303467925563, -0.026043467897991918],
    ),
    ("pytorch", "AdamW", {"lr": 0.05}, [-3.0742534191420607, -0.10527727056901354]),
    ("pytorch", "NAdam", {"lr": 0.05}, [-3.260861986229036, -0.3244728965972295]),
]


@pytest.mark.parametrize(("framework", "name", "options", "expected"), VALUES)
def test_the_translated_optimizer_takes_the_same_steps(framework, name, options, expected):
    x = Tensor(np.array([-5.0, -2.0]), requires_grad=True)
    optimizer = translate(framework, name, **options).build([x])
    for k in range(50):
        x.grad = Tensor(np.array([0.2, 4.0]) * x.data + np.array([math.cos(k), math.sin(k)]))
        optimizer.step()
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("framework", "name", "options", "exact", "reason"),
    [
        ("keras", "SGD", {"momentum": 0.9}, "exact", "Keras keeps lr inside v"),
        ("pytorch", "SGD", {"momentum": 0.9}, "exact", "both keep lr outside v"),
        ("pytorch", "SGD", {"dampening": 0.5}, "exact", "the same rule"),  # without momentum it does nothing
        ("pytorch", "SGD", {"momentum": 0.9, "nesterov": True}, "constant lr only", "equal only until lr changes"),
        ("pytorch", "SGD", {"momentum": 0.9, "dampening": 0.9}, "none", "dampens every gradient but the first"),
        ("keras", "SGD", {"momentum": 0.9, "weight_decay": 0.1}, "none", "apart from the gradient"),
        ("keras", "Adagrad", {"weight_decay": 0.1}, "none", "apart from the gradient"),
        ("keras", "Adadelta", {"weight_decay": 0.1}, "none", "apart from the gradient"),
        ("keras", "Nadam", {"weight_decay": 0.1}, "none", "apart from the gradient"),
        ("keras", "RMSprop", {"weight_decay": 0.1}, "none", "apart from the gradient"),
        ("keras", "RMSprop", {"momentum": 0.9}, "none", "plain momentum"),
        ("keras", "RMSprop", {"centered": True}, "none", "centered"),
        ("pytorch", "RMSprop", {"momentum": 0.9}, "none", "plain momentum"),
        ("pytorch", "RMSprop", {"centered": True}, "none", "centered"),
        ("pytorch", "NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}, "none", "apart from the gradient"),
        ("pytorch", "Adagrad", {"lr": schedules.constant(0.1), "lr_decay": 0.1}, "none", "one schedule of the two"),
        *[
            ("pytorch", name, {"maximize": True}, "none", "negate the loss")
            for name in ("SGD", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "NAdam")
        ],
    ],
)
def test_how_exact_a_translation_is_and_why(framework, name, options, exact, reason):
    translation = translate(framework, name, **options)
    assert translation.exact == exact
    assert reason in translation.reason
    x = Tensor(np.zeros(2), requires_grad=True)
    if exact == "none":
        with pytest.raises(OptionError, match="minidl has no such optimizer: .*" + reason):
            translation.build([x])
    else:
        assert type(translation.build([x])) is getattr(optim, translation.name)


def test_pytorchs_nesterov_parts_from_ours_when_lr_changes_and_keras_does_not():
    """Its lines, v = βv + g and w -= lr·(g + βv), beside note B's under an lr that halves."""
    w, v = -5.0, 0.0
    x = Tensor(np.array([-5.0]), requires_grad=True)
    optimizer = translate("pytorch", "SGD", lr=schedules.step(0.4, 2, 0.5), momentum=0.9, nesterov=True).build([x])
    for k in range(3):
        g = 0.2 * w
        v = 0.9 * v + g
        w = w - 0.4 * 0.5 ** (k // 2) * (g + 0.9 * v)
        x.grad = Tensor(0.2 * x.data)
        optimizer.step()
        assert (abs(x.item() - w) < 1e-12) == (k < 2)


def test_a_translation_prints_as_the_call_to_write():
    assert str(translate("keras", "SGD", momentum=0.9)) == (
        "minidl.optim.Momentum(params, lr=0.01, beta=0.9, form='velocity')  # exact: Keras keeps lr inside v"
    )
    assert str(translate("pytorch", "RMSprop", centered=True)).startswith("nothing in minidl  # none: it divides by")


def test_schedules_go_through():
    schedule = schedules.exponential(0.01, 10, 0.9)
    translation = translate("keras", "adam", learning_rate=schedule)
    assert translation.options["lr"] is schedule


@pytest.mark.parametrize(
    ("framework", "name", "options", "message"),
    [
        ("jax", "SGD", {}, "framework='jax': choose one of 'keras', 'pytorch'"),
        ("keras", "Lion", {}, "keras optimizer 'Lion': choose one of 'SGD', 'Adagrad', 'RMSprop', 'Adadelta'"),
        (
            "keras",
            "SGD",
            {"lr": 0.1},
            "keras's SGD with 'lr': known ones are learning_rate, momentum, nesterov, weight",
        ),
        ("pytorch", "Adam", {"fused": True}, "pytorch's Adam with 'fused': known ones are lr, betas"),
        ("pytorch", "SGD", {"nesterov": True}, "takes nesterov only with a momentum and without dampening"),
    ],
)
def test_what_is_not_known_is_refused_in_words(framework, name, options, message):
    with pytest.raises(OptionError, match=message):
        translate(framework, name, **options)


PARAMS = [Tensor(np.ones((2, 2)), requires_grad=True), Tensor(np.ones(2), requires_grad=True)]


@pytest.mark.parametrize(
    ("kind", "keywords", "here"),
    [
        (optim.SGD, {"momentum": 0.9}, "PyTorch's SGD(momentum=0.9) is here optim.Momentum(params, beta=0.9)"),
        (optim.SGD, {"lr": 1.0, "momentum": 0.8, "nesterov": True}, "is here optim.Nesterov(params, beta=0.8)"),
        (
            optim.Adam,
            {"betas": (0.9, 0.98)},
            "PyTorch's Adam(betas=(0.9, 0.98)) is here optim.Adam(params, beta2=0.98)",
        ),
        (
            optim.Adam,
            {"learning_rate": 0.1},
            "Keras's Adam(learning_rate=0.1) is here optim.Adam(params, lr=0.1, eps=1e",
        ),
        (optim.Adam, {"betas": (0.9, 0.98), "learning_rate": 0.1}, "optim.Adam(params, beta2=0.98). Keras's Adam("),
        (optim.RMSProp, {"momentum": 0.9}, "PyTorch's RMSProp(momentum=0.9) is not here: it adds plain momentum"),
        (optim.Momentum, {"momentum": 0.9}, "Here momentum is beta="),
        (optim.Adam, {"clipnorm": 1.0}, "Here clipnorm is train.fit(clip_norm=)"),
        (optim.Adam, {"use_ema": True}, "Here use_ema is ema="),
        (optim.rules.SGD, {"momentum": 0.9}, "is here optim.Momentum(params, beta=0.9)"),
    ],
)
def test_a_keyword_of_another_framework_is_told_by_what_it_is_here(kind, keywords, here):
    args = [] if issubclass(kind, optim.rules.Rule) else [PARAMS]
    with pytest.raises(OptionError, match=r"unknown hyperparameter .*; known ones: ") as error:
        kind(*args, **keywords)
    assert here in str(error.value)


def test_of_a_keyword_that_nobody_has_only_those_that_there_are_are_told():
    with pytest.raises(OptionError, match=r"known ones: weight_decay, ema$"):
        optim.SGD(PARAMS, nonsense=1)


@pytest.mark.parametrize(
    ("name", "here"),
    [("param_groups", "optimizer.groups"), ("add_param_group", "a matter of making it"), ("nope", "'nope'$")],
)
def test_another_frameworks_attribute_of_an_optimizer_is_told_by_what_it_is_here(name, here):
    with pytest.raises(AttributeError, match=here):
        getattr(optim.SGD(PARAMS), name)


@pytest.mark.parametrize("name", ["Lion", "RAdam", "LBFGS"])
def test_an_optimizer_that_is_not_here_is_a_rule_of_ones_own(name):
    with pytest.raises(AttributeError, match=r"here it is optim\.rules\.Rule to make it of"):
        getattr(optim, name)


def test_a_model_in_the_place_of_its_parameters_is_told():
    with pytest.raises(
        OptionError, match=r"Adam: params is a Sequential, a whole model: give .*Adam\(model\.parameters"
    ):
        optim.Adam(nn.Sequential(nn.Dense(2, 2)))
