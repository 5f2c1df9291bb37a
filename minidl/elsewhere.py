"""What other libraries call it: for the error about a name that is not minidl's."""

from collections.abc import Collection, Iterable

_OWN_RULE = "optim.rules.Rule to make it of, in a few lines: docs/extending.md"

_FAR = "outside minidl's aim, which are small multilayer perceptrons: PyTorch and Keras have it"
# By where it is looked for: the name that somebody may know, and what to write here.
_NAMES = {
    "minidl": {
        "cat": "minidl.concatenate",
        "clamp": "minidl.clip",
        "DataLoader": "minidl.data.Loader",
        "det": "minidl.linalg.det",
        "elementwise_grad": "minidl.grad of the sum, or minidl.vmap(minidl.grad(f))",
        "empty": "minidl.zeros",
        "from_numpy": "minidl.Tensor(array), which shares the array's memory",
        "GradientTape": "minidl.gradients(output, inputs), or minidl.grad of a function",
        "inv": "minidl.linalg.inv",
        "inverse": "minidl.linalg.inv",
        "jacfwd": "minidl.jacobian",
        "jacrev": "minidl.jacobian",
        "manual_seed": "minidl.seed",
        "onnx": "minidl.export.onnx(model, path)",
        "permute": "minidl.transpose",
        "randint": "minidl.Tensor(numpy.random.default_rng(seed).integers(n, size=shape))",
        "solve": "minidl.linalg.solve",
        "svd": "minidl.linalg.svd",
        "unsqueeze": "minidl.expand_dims",
        "Variable": "minidl.Tensor(data, requires_grad=True)",
        "vjp": "minidl.gradients(output, inputs, grad)",
    },
    "minidl.linalg": {
        "eig": "linalg.eigh, for symmetric matrices; the eigenvalues of others are complex, which Tensors are not",
        "eigvals": "linalg.eigvalsh, for symmetric matrices; the eigenvalues of others are complex, as Tensors are not",
        "lstsq": "linalg.pinv(a) @ b",
    },
    "minidl.data": {
        "DataLoader": "data.Loader",
        "read_csv": "pandas.read_csv: fit and Dataset take its frames and columns",
        "TensorDataset": "data.Dataset(inputs, labels)",
    },
    "minidl.nn": {
        "BatchNorm1d": "nn.BatchNorm",
        "Conv1d": _FAR,
        "Conv2d": _FAR,
        "Embedding": _FAR,
        "GRU": _FAR,
        "LSTM": _FAR,
        "MaxPool2d": _FAR,
        "SyncBatchNorm": "nn.BatchNorm, which is synchronised under fit(parallel=)",
        "Mish": "a function among the layers: lambda x: x * minidl.tanh(minidl.softplus(x))",
        "MultiheadAttention": _FAR,
        "PReLU": "nn.LeakyReLU, or a Module of your own with an nn.Parameter: docs/extending.md",
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
        "LBFGS": _OWN_RULE,
        "Lion": _OWN_RULE,
        "Nadam": "optim.NAdam",
        "RAdam": _OWN_RULE,
        "RMSprop": "optim.RMSProp",
    },
}

# By the method or attribute of PyTorch's Tensor: what to write here.
_FUNCTIONS = """
    abs absolute arctan arctan2 broadcast_to ceil cos cosh cross deg2rad diag diff erf exp exp2 expm1 flip fliplr flipud
    floor fmax fmin fmod hypot inner isfinite isnan kron log log10 log1p log2 log_softmax logaddexp logsumexp matmul
    maximum median minimum moveaxis nan_to_num nanmean nansum norm outer power quantile reciprocal relu remainder roll
    rot90 sigmoid sign sin sinc sinh softmax split sqrt square tan tanh tile tril triu trunc vdot where
"""
OF_TENSORS = {name: f"minidl.{name}(x)" for name in _FUNCTIONS.split()} | {
    "bool": "x.astype(bool)",
    "clamp": "x.clip(min, max)",
    "clone": "x.copy()",
    "contiguous": "x itself",
    "cpu": "x.to('numpy')",
    "cuda": "x.to('cupy')",
    "device": "x.backend",
    "dim": "x.ndim",
    "double": "x.astype('float64')",
    "eq": "x == y",
    "expand": "minidl.broadcast_to(x, shape)",
    "fill": "x[...] = value, in minidl.no_grad()",
    "float": "x.astype('float32')",
    "gather": "minidl.take_along_axis(x, indices, axis)",
    "grad_fn": "minidl.gradients(y, [x]), which asks for any gradient",
    "half": "x.astype('float16')",
    "long": "x.astype(int)",
    "masked_fill": "minidl.where(mask, value, x)",
    "mm": "x @ y",
    "numel": "x.size",
    "permute": "x.transpose(axes)",
    "register_hook": "minidl.gradients(y, [x]), which asks for any gradient",
    "requires_grad_": "x.requires_grad = True",
    "t": "x.T",
    "topk": "minidl.argsort(x)",
    "type": "x.astype(dtype)",
    "unsqueeze": "minidl.expand_dims(x, axis)",
    "view": "x.reshape(shape)",
}
_OPTIONS = {"dim": "axis", "dims": "axis", "keepdim": "keepdims", "unbiased": "ddof", "correction": "ddof"}

# By class of layer: the keyword that somebody may know, and what to write here.
_KEYWORDS = {
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
    "fit": {
        "accumulate_grad_batches": "accumulate=",
        "device": "model.to('cupy'), or minidl.use_backend('cupy')",
        "gradient_accumulation_steps": "accumulate=",
        "gradient_clip_val": "clip_norm=",
        "initial_epoch": "checkpoint= and resume=True",
        "lr": "optimizer=optim.Adam(model.parameters(), lr=...)",
        "learning_rate": "optimizer=optim.Adam(model.parameters(), lr=...)",
        "max_epochs": "epochs=",
        "num_nodes": "parallel=minidl.parallel.world(), started by mpiexec or srun",
        "shuffle": "a Loader's: fit(model, Loader(data, 128, shuffle=False), ...)",
        "steps_per_epoch": "decided by the data and batch_size=",
        "validation_data": "validation=(x, y)",
        "validation_split": "validation=0.2, a share",
        "verbose": "progress=",
    },
}

_IN_FLOAT64 = "a matter of making it: weight_init=lambda shape: nn.init.he_normal(shape, dtype='float64') in each Dense"
# Attributes of a Module and of an optimizer.
_ATTRIBUTES = {
    "Module": {
        "astype": _IN_FLOAT64,
        "compile": "minidl.compile(model, loss, optimizer), or train.fit(compile=True)",
        "count_params": "sum(p.size for p in model.parameters()), which summary() prints",
        "cpu": "model.to('numpy')",
        "cuda": "model.to('cupy')",
        "double": _IN_FLOAT64,
        "evaluate": "train.evaluate(model, data)",
        "fit": "train.fit(model, ...)",
        "get_weights": "model.state_dict()",
        "load": "minidl.load(path)",
        "load_weights": "model.load_state_dict(minidl.load(path).state_dict())",
        "named_buffers": "model.named_tensors(nn.Buffer)",
        "named_children": "model.named_modules()",
        "register_backward_hook": "minidl.gradients(loss, [x]), or retain_grad() of a layer's result",
        "register_buffer": "an attribute that is an nn.Buffer",
        "register_full_backward_hook": "minidl.gradients(loss, [x]), or retain_grad() of a layer's result",
        "register_parameter": "an attribute that is an nn.Parameter",
        "requires_grad_": "p.requires_grad = False for each p of model.parameters()",
        "save_weights": "model.save(path)",
        "set_weights": "model.load_state_dict(arrays)",
        "train_on_batch": "minidl.compile(model, loss, optimizer), which makes a step",
    },
    "Optimizer": {
        "add_param_group": "a matter of making it: optim.Adam([{'params': weights}, {'params': biases, 'lr': 0.1}])",
        "apply_gradients": "optimizer.step()",
        "learning_rate": "optimizer.lr",
        "minimize": "optimizer.zero_grad(); loss.backward(); optimizer.step()",
        "param_groups": "optimizer.groups",
    },
}

# Keywords of optimizers that are not among another optimizer's hyperparameters (for those see optim/translate.py).
_OPTIMIZER_KEYWORDS = {
    "clipnorm": "train.fit(clip_norm=), or optim.clip_grad_norm",
    "clipvalue": "train.fit(clip_value=), or optim.clip_grad_value",
    "decay": "a schedule: lr=optim.schedules.inverse_time(...)",
    "ema_momentum": "ema=",
    "global_clipnorm": "train.fit(clip_norm=), or optim.clip_grad_norm",
    "gradient_accumulation_steps": "train.fit(accumulate=)",
    "learning_rate": "lr=",
    "momentum": "beta=",
    "use_ema": "ema=, such as ema=0.99",
}


def missing(module: str, name: str) -> AttributeError:
    """The error for a `name` that `module` does not have, with what minidl calls it, if it has it."""
    known = _NAMES.get(module, {}).get(name)
    hint = "" if known is None else f": here it is {known}"
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint}", name=name)


def unexpected(kind: str, keyword: str) -> TypeError:
    """The error for a `keyword` that `kind`, a layer or function, does not take, with what it is here, if anything."""
    known = _KEYWORDS.get(kind, {}).get(keyword)
    hint = "" if known is None else f": here it is {known}"
    return TypeError(f"{kind}() got an unexpected keyword argument {keyword!r}{hint}")


def refuse_options(function: str, names: Iterable[str], wrong: Collection[str]) -> None:
    """Raise `TypeError` if there is a `wrong` option, with what is called here as another library calls that."""
    if wrong:
        known = ", ".join(f"{_OPTIONS[name]}=" for name in wrong if name in _OPTIONS)
        hint = known and f": here it is {known}"
        raise TypeError(f"{function}({', '.join(names)}) cannot take {[*wrong]}{hint}")


def keyword_of_optimizer(name: str) -> str | None:
    """What another library's keyword of an optimizer is here; None if that is not known."""
    return _OPTIMIZER_KEYWORDS.get(name)


def missing_attribute(base: str, kind: str, name: str) -> AttributeError:
    """The error for the attribute `name` that a Module or an Optimizer (`base`), of this `kind`, does not have."""
    known = _ATTRIBUTES[base].get(name)
    hint = "" if known is None else f": here it is {known}"
    return AttributeError(f"{kind!r} object has no attribute {name!r}{hint}", name=name)
