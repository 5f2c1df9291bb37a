"""What other libraries call it: for the error about a name that is not minidl's."""

# By module: the name that somebody may know, and what to write here.
_NAMES = {
    "minidl": {
        "abs": "minidl.absolute, or abs(x)",
        "arange": "minidl.Tensor(numpy.arange(n, dtype='f4'))",
        "cat": "minidl.concatenate",
        "DataLoader": "minidl.data.Loader",
        "eye": "minidl.Tensor(numpy.eye(n, dtype='f4'))",
        "from_numpy": "minidl.Tensor(array), which shares the array's memory",
        "manual_seed": "minidl.seed",
        "onnx": "minidl.export.onnx(model, path)",
        "ones": "minidl.Tensor(numpy.ones(shape, 'f4'))",
        "rand": "minidl.Tensor(numpy.random.default_rng(seed).random(shape, 'f4'))",
        "randn": "minidl.Tensor(numpy.random.default_rng(seed).standard_normal(shape, 'f4'))",
        "Variable": "minidl.Tensor(data, requires_grad=True)",
        "zeros": "minidl.Tensor(numpy.zeros(shape, 'f4'))",
    },
    "minidl.nn": {
        "BatchNorm1d": "nn.BatchNorm",
        "BatchNormalization": "nn.BatchNorm",
        "BCELoss": "nn.binary_cross_entropy, a function",
        "BCEWithLogitsLoss": "nn.binary_cross_entropy_with_logits, a function",
        "cross_entropy": "nn.softmax_cross_entropy",
        "CrossEntropyLoss": "nn.softmax_cross_entropy, a function",
        "functional": "minidl.nn itself: nn.relu, nn.softmax_cross_entropy, ...",
        "hinge_loss": "nn.hinge",
        "huber_loss": "nn.huber",
        "HuberLoss": "nn.huber, a function",
        "kl_div": "nn.kl_divergence",
        "KLDivLoss": "nn.kl_divergence, a function",
        "l1_loss": "nn.mean_absolute_error",
        "L1Loss": "nn.mean_absolute_error, a function",
        "LayerNormalization": "nn.LayerNorm",
        "LazyLinear": "nn.Dense(outputs), which finds its inputs",
        "Linear": "nn.Dense",
        "ModuleDict": "nn.Module itself, which finds the layers in a dict among its attributes",
        "mse_loss": "nn.mean_squared_error",
        "MSELoss": "nn.mean_squared_error, a function",
        "nll_loss": "nn.negative_log_likelihood",
        "NLLLoss": "nn.negative_log_likelihood, a function",
        "smooth_l1_loss": "nn.huber",
        "SmoothL1Loss": "nn.huber, a function",
        "swish": "nn.silu",
        "Swish": "nn.SiLU",
    },
    "minidl.optim": {
        "Adadelta": "optim.AdaDelta",
        "Adagrad": "optim.AdaGrad",
        "clip_grad_norm_": "optim.clip_grad_norm",
        "clip_grad_value_": "optim.clip_grad_value",
        "lr_scheduler": "optim.schedules: give one as lr=",
        "Nadam": "optim.NAdam",
        "RMSprop": "optim.RMSProp",
    },
}

# By class of layer: the keyword that somebody may know, and what to write here.
_LAYER_KEYWORDS = {
    "Dense": {
        "activation": "a layer of its own: nn.Sequential(nn.Dense(784, 128), nn.ReLU())",
        "bias_initializer": "bias_init",
        "device": "minidl.use_backend, or model.to",
        "dtype": "that of the initial values: weight_init=lambda shape: nn.init.he_normal(shape, dtype='float64')",
        "input_dim": "in_features",
        "kernel_initializer": "weight_init",
        "units": "out_features",
        "use_bias": "bias",
    },
}


def missing(module: str, name: str) -> AttributeError:
    """The error for a `name` that `module` does not have, with what minidl calls it, if it has it."""
    known = _NAMES.get(module, {}).get(name)
    hint = "" if known is None else f": here it is {known}"
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint}", name=name)


def unexpected(kind: str, keyword: str) -> TypeError:
    """The error for a `keyword` that a layer of class `kind` does not take, with what it is here, if it is anything."""
    known = _LAYER_KEYWORDS.get(kind, {}).get(keyword)
    hint = "" if known is None else f": here it is {known}"
    return TypeError(f"{kind}() got an unexpected keyword argument {keyword!r}{hint}")
