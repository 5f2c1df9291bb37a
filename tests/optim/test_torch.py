"""Fifty steps in float64 against PyTorch 2.13's optimizers, whose values stand here as they came out.

Two parameters, one of which now and then has no gradient. PyTorch counts t for each parameter; its count
was moved on in those steps, as minidl has one t for all.
"""

import math

import numpy as np
import pytest

from minidl import Tensor, optim

VALUES = [
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}, [-1.3522315632713107, 0.11217530430238586, 0.15300505533006137]),
    ("Momentum", {"lr": 0.1, "beta": 0.9}, [-0.2736066374251207, -0.006833764030386987, -0.013845729438993521]),
    (
        "Momentum",
        {"lr": 0.1, "beta": 0.8, "weight_decay": 0.05},
        [0.1033524534287463, 0.0309607008610737, 0.06914016954038261],
    ),
    (
        "Nesterov",
        {"lr": 0.1, "beta": 0.8, "weight_decay": 0.05},
        [0.16716620146205877, 0.274618758148824, 0.11603605020027531],
    ),
    ("AdaGrad", {"lr": 0.5, "eps": 1e-10}, [-1.2471724480436193, 0.03203931612757547, 0.06301436675124453]),
    (
        "AdaGrad",
        {"lr": 0.5, "initial_accumulator": 0.1, "weight_decay": 0.02, "eps": 0.001},
        [-1.1503518473885121, 0.03187248229397284, 0.06143623230085496],
    ),
    (
        "RMSProp",
        {"lr": 0.05, "rho": 0.99, "eps": 1e-08, "eps_mode": "outside"},
        [-1.1530723781839003, 0.04199417707032916, 0.06533052434769913],
    ),
    (
        "RMSProp",
        {"lr": 0.05, "rho": 0.9, "eps": 0.1, "eps_mode": "outside", "weight_decay": 0.1},
        [-2.7412517408774644, -0.04942765191327291, 0.3731415420847227],
    ),
    ("AdaDelta", {"lr": 1, "rho": 0.9, "eps": 1e-06}, [-4.861688217631737, -1.8178201112558792, 1.427470393442262]),
    (
        "AdaDelta",
        {"lr": 2, "rho": 0.95, "eps": 0.001, "weight_decay": 0.1},
        [0.11725752774152731, 0.07307011782836735, 0.13796575607989256],
    ),
    ("Adam", {"lr": 0.05}, [-3.164322218646076, -0.11643735132283195, 0.2500256918991061]),
    (
        "Adam",
        {"lr": 0.05, "beta1": 0.8, "beta2": 0.95, "eps": 0.01, "weight_decay": 0.1},
        [-2.9242241077457143, -0.15102207868711398, 0.26723177804283765],
    ),
    (
        "Adam",
        {"lr": 0.05, "amsgrad": True, "beta2": 0.9},
        [-3.2545128612841334, -0.1916774228505465, 0.33215397075514724],
    ),
    ("AdamW", {"lr": 0.05}, [-3.0742534191420607, -0.10527727056901354, 0.2399861784578206]),
    (
        "AdamW",
        {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True, "beta2": 0.9},
        [-1.3601074606364802, 0.007305514085722159, 0.09252936942282675],
    ),
    ("NAdam", {"lr": 0.05}, [-3.260861986229036, -0.3244728965972295, 0.38736748331631776]),
    (
        "NAdam",
        {"lr": 0.05, "beta1": 0.95, "beta2": 0.9, "momentum_decay": 0.1, "weight_decay": 0.1, "eps": 0.001},
        [-3.158848285213978, -0.11918368805829498, 0.4007771160724223],
    ),
    (
        "NAdam",
        {"lr": 0.05, "beta1": 0.99, "beta2": 0.9, "momentum_decay": 0.0},
        [-3.7799192269659487, -0.5673497976322339, 0.7078631688683734],
    ),
]


@pytest.mark.parametrize(("name", "options", "expected"), VALUES)
def test_fifty_steps_of_pytorch(name, options, expected):
    x = Tensor(np.array([-5.0, -2.0]), requires_grad=True)
    y = Tensor(np.array([1.5]), requires_grad=True)
    optimizer = getattr(optim, name)([x, y], **options)
    for k in range(50):
        x.grad = Tensor(np.array([0.2, 4.0]) * x.data + np.array([math.cos(k), math.sin(k)]))
        y.grad = None if 5 <= k < 12 or k == 30 else Tensor(0.5 * y.data + math.cos(2.0 * k))
        optimizer.step()
    np.testing.assert_allclose([*x.tolist(), *y.tolist()], expected, rtol=1e-9, atol=1e-12)
