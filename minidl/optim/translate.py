"""Another framework's optimizer in minidl's words: which rule it is, with which numbers, and how exactly.

Under the same names the frameworks disagree about where ε stands, what the learning rate multiplies and
what weight decay is. Read off the sources of Keras 3.15 and PyTorch 2.13, and checked against both.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..elsewhere import keyword_of_optimizer
from ..errors import OptionError
from .schedules import inverse_time

if TYPE_CHECKING:
    from .optimizer import Optimizer


@dataclass(frozen=True)
class Translation:
    """The minidl optimizer that another framework's is.

    `name` is its class in `minidl.optim`, `options` its keyword arguments. `exact` says whether the steps
    are the same: "exact", "constant lr only" (they part as soon as the learning rate changes) or "none"
    (minidl has no such rule, and `name` is empty); `reason` says why.
    """

    name: str
    options: dict[str, Any]
    exact: str
    reason: str

    def build(self, params: Iterable[Any]) -> "Optimizer":
        """Make that optimizer for `params`. Raises `OptionError` if minidl has none."""
        from .. import optim  # which imports this file

        if not self.name:
            raise OptionError(f"minidl has no such optimizer: {self.reason}")
        return getattr(optim, self.name)(params, **self.options)

    def __str__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        call = f"minidl.optim.{self.name}(params{options})" if self.name else "nothing in minidl"
        return f"{call}  # {self.exact}: {self.reason}"


def translate(framework: Literal["keras", "pytorch"], optimizer: str, **options: Any) -> Translation:
    """What ``optimizer(**options)`` of `framework`, "keras" or "pytorch", is in minidl.

    Options go by that framework's names and have its defaults: ``translate("keras", "SGD", momentum=0.9)``.
    PyTorch counts t for each parameter, minidl for all together: where t enters the rule they agree as long
    as every parameter has a gradient at every step. Raises `OptionError` for a framework, an optimizer or
    an option that is not known here.
    """
    if framework not in _TABLES:
        raise OptionError(f"translate: framework={framework!r}: choose one of {', '.join(map(repr, _TABLES))}")
    table = _TABLES[framework]
    name = {known.lower(): known for known in table}.get(optimizer.lower())
    if name is None:
        raise OptionError(
            f"translate: {framework} optimizer {optimizer!r}: choose one of {', '.join(map(repr, table))}"
        )
    known = inspect.signature(table[name]).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        raise OptionError(f"translate: {framework}'s {name} with {unknown[0]!r}: known ones are {', '.join(known)}")
    return table[name](**options)


def in_our_words(rule: str, unknown: dict[str, Any]) -> str:
    """What ``rule(**unknown)``, which no optimizer of minidl's takes, is here: the end of an error, perhaps empty."""
    frameworks: tuple[tuple[Literal["keras", "pytorch"], str], ...] = ("pytorch", "PyTorch"), ("keras", "Keras")
    for framework, shown in frameworks:
        try:
            found = translate(framework, rule, **unknown)
            usual = translate(framework, rule).options
        except (OptionError, TypeError, LookupError):  # not an option there either, or not such a value
            continue
        theirs = f"{shown}'s {rule}({', '.join(f'{name}={value!r}' for name, value in unknown.items())})"
        return f". {theirs} is here {_short(found, usual)}" if found.name else f". {theirs} is not here: {found.reason}"
    if len(unknown) > 1:  # of two frameworks, perhaps
        return "".join(dict.fromkeys(in_our_words(rule, {name: value}) for name, value in unknown.items()))
    return "".join(f". Here {name} is {here}" for name in unknown if (here := keyword_of_optimizer(name)))


def _short(found: Translation, usual: dict[str, Any]) -> str:
    """The call, without what is the default here and, but for options such as form, `usual` there."""
    from .. import optim

    rule = getattr(optim, found.name).rule
    shown = [
        f"{name}={value!r}"
        for name, value in found.options.items()
        if (name != "lr" and value != getattr(rule, name)) or (not isinstance(value, str) and value != usual.get(name))
    ]
    return f"optim.{found.name}({', '.join(['params', *shown])})"


def _exactly(name: str, reason: str, **options: Any) -> Translation:
    return Translation(name, options, "exact", reason)


def _none(reason: str) -> Translation:
    return Translation("", {}, "none", reason)


_APART = "it takes the weight decay apart from the gradient, as in minidl only AdamW does"
_HEAVY = "it adds plain momentum to RMSProp; minidl's RMSPropNesterov, which looks ahead, is the nearest"
_CENTERED = "it divides by the deviation of the gradient, not by its size: minidl has no centered RMSProp"
_UPHILL = "it maximises: negate the loss and leave out maximize"


# Keras. Its weight decay is always apart from the gradient: w *= 1 - lr·λ, then the step.


def _keras_sgd(
    learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, weight_decay: float | None = None
) -> Translation:
    if not momentum:
        reason = "without momentum a weight decay apart from the gradient is the same as one within"
        return _exactly("SGD", reason, lr=learning_rate, weight_decay=weight_decay or 0.0)
    if weight_decay:
        return _none(_APART)
    if nesterov:
        return _exactly("Nesterov", "both keep lr inside v and hold the look-ahead", lr=learning_rate, beta=momentum)
    return _exactly("Momentum", "Keras keeps lr inside v", lr=learning_rate, beta=momentum, form="velocity")


def _keras_adagrad(
    learning_rate: Any = 0.001,
    initial_accumulator_value: float = 0.1,
    epsilon: float = 1e-7,
    weight_decay: float | None = None,
) -> Translation:
    if weight_decay:
        return _none(_APART)
    options = {"initial_accumulator": initial_accumulator_value, "eps": epsilon, "eps_mode": "inside"}
    return _exactly("AdaGrad", "Keras puts ε inside the root, and starts s at 0.1", lr=learning_rate, **options)


def _keras_rmsprop(
    learning_rate: Any = 0.001,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
    weight_decay: float | None = None,
) -> Translation:
    if momentum or centered or weight_decay:
        return _none(_HEAVY if momentum else _CENTERED if centered else _APART)
    return _exactly("RMSProp", "both put ε inside the root", lr=learning_rate, rho=rho, eps=epsilon, eps_mode="inside")


def _keras_adadelta(
    learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, weight_decay: float | None = None
) -> Translation:
    if weight_decay:
        return _none(_APART)
    reason = "the same rule; Keras' default learning rate makes its steps a thousandth of the paper's"
    return _exactly("AdaDelta", reason, lr=learning_rate, rho=rho, eps=epsilon, eps_mode="inside")


def _keras_adam(
    learning_rate: Any = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
    weight_decay: float | None = None,
) -> Translation:
    options = {"beta1": beta_1, "beta2": beta_2, "eps": epsilon, "eps_mode": "hat", "amsgrad": amsgrad}
    if weight_decay:
        reason = "Keras' Adam with weight decay is AdamW; its ε is added before the bias correction"
        return _exactly("AdamW", reason, lr=learning_rate, **options, weight_decay=weight_decay)
    return _exactly("Adam", "Keras adds ε before the bias correction", lr=learning_rate, **options)


def _keras_adamw(
    learning_rate: Any = 0.001,
    weight_decay: float = 0.004,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
) -> Translation:
    return _keras_adam(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay)


def _keras_nadam(
    learning_rate: Any = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    weight_decay: float | None = None,
) -> Translation:
    if weight_decay:
        return _none(_APART)
    options = {"beta1": beta_1, "beta2": beta_2, "eps": epsilon, "momentum_decay": 1.0}
    return _exactly("NAdam", "Keras' momentum rises as 0.96^t, a momentum_decay of 1", lr=learning_rate, **options)


# PyTorch. What only says how the step is computed (foreach, fused, ...) is not an option here.


def _torch_sgd(
    lr: Any = 0.001,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> Translation:
    if nesterov and (not momentum or dampening):
        raise OptionError("translate: PyTorch's SGD takes nesterov only with a momentum and without dampening")
    if maximize:
        return _none(_UPHILL)
    if not momentum:
        return _exactly("SGD", "the same rule", lr=lr, weight_decay=weight_decay)
    options = {"lr": lr, "beta": momentum, "weight_decay": weight_decay}
    if nesterov:
        reason = "PyTorch keeps lr outside v, minidl (as note B) inside: equal only until lr changes"
        return Translation("Nesterov", options, "constant lr only", reason)
    if dampening:
        reason = 'it dampens every gradient but the first; minidl\'s form="averaged" dampens that too'
        return _none(reason)
    return _exactly("Momentum", "both keep lr outside v", **options, form="accumulated")


def _torch_adagrad(
    lr: Any = 0.01,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    maximize: bool = False,
) -> Translation:
    if maximize:
        return _none(_UPHILL)
    if lr_decay and callable(lr):
        return _none("lr_decay on top of a schedule: make one schedule of the two")
    options = {"initial_accumulator": initial_accumulator_value, "eps": eps, "weight_decay": weight_decay}
    rate = inverse_time(lr, 1, lr_decay) if lr_decay else lr
    return _exactly("AdaGrad", "both put ε outside the root; lr_decay is a schedule", lr=rate, **options)


def _torch_rmsprop(
    lr: Any = 0.01,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> Translation:
    if momentum or centered or maximize:
        return _none(_HEAVY if momentum else _CENTERED if centered else _UPHILL)
    options = {"rho": alpha, "eps": eps, "eps_mode": "outside", "weight_decay": weight_decay}
    return _exactly("RMSProp", "PyTorch puts ε outside the root", lr=lr, **options)


def _torch_adadelta(
    lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0, maximize: bool = False
) -> Translation:
    if maximize:
        return _none(_UPHILL)
    options = {"rho": rho, "eps": eps, "eps_mode": "inside", "weight_decay": weight_decay}
    return _exactly("AdaDelta", "both put ε inside the root", lr=lr, **options)


def _torch_adam(
    lr: Any = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Translation:
    if maximize:
        return _none(_UPHILL)
    options = {"beta1": betas[0], "beta2": betas[1], "eps": eps, "amsgrad": amsgrad, "weight_decay": weight_decay}
    return _exactly("AdamW" if decoupled_weight_decay else "Adam", "the same rule", lr=lr, **options)


def _torch_adamw(
    lr: Any = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    amsgrad: bool = False,
    maximize: bool = False,
) -> Translation:
    return _torch_adam(lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay=True, maximize=maximize)


def _torch_nadam(
    lr: Any = 0.002,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_decay: float = 0.004,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Translation:
    if maximize or (decoupled_weight_decay and weight_decay):
        return _none(_UPHILL if maximize else _APART)
    options = {"beta1": betas[0], "beta2": betas[1], "eps": eps, "weight_decay": weight_decay}
    return _exactly("NAdam", "the same rule", lr=lr, **options, momentum_decay=momentum_decay)


_TABLES: dict[str, dict[str, Callable[..., Translation]]] = {
    "keras": {
        "SGD": _keras_sgd,
        "Adagrad": _keras_adagrad,
        "RMSprop": _keras_rmsprop,
        "Adadelta": _keras_adadelta,
        "Adam": _keras_adam,
        "AdamW": _keras_adamw,
        "Nadam": _keras_nadam,
    },
    "pytorch": {
        "SGD": _torch_sgd,
        "Adagrad": _torch_adagrad,
        "RMSprop": _torch_rmsprop,
        "Adadelta": _torch_adadelta,
        "Adam": _torch_adam,
        "AdamW": _torch_adamw,
        "NAdam": _torch_nadam,
    },
}
