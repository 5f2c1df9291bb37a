"""What holds the house together: the import order, the public names, the sizes, the cost of importing."""

import ast
import subprocess
import sys
from importlib import import_module
from inspect import ismodule
from pathlib import Path

import pytest

import minidl

PACKAGE = Path(minidl.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# A file may import only from the layers above its own, or from its own.
LAYERS = [
    {"errors", "arrays", "contexts", "backend", "signature", "overrides", "hardware", "system"},
    {"node", "recording", "operands", "autograd", "graph", "fitting", "deposit", "backward", "fusable", "guards"},
    {"ops"},
    {"construct", "tensor", "transforms"},
    {"nn", "optim", "data"},
    {"_debug"},
    {"kernels", "compiler"},
    {"train"},
    {"teach"},
    {"commands", "cli", "__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
APART = {"nn", "optim", "data"}  # on one level, yet strangers to each other


def part_of(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_parts(path):
    """The parts of minidl that a file imports, also inside functions."""
    package = ["minidl", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "minidl" and len(name) > 1 and name[1] in RANK:
                yield name[1]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_the_layers_above_it(path):
    part = part_of(path)
    if part == "__init__":
        return
    for other in imported_parts(path):
        if other == part:
            continue
        assert RANK[other] <= RANK[part], f"{path} imports {other}, which lies below"
        assert not {part, other} <= APART, f"{path} imports {other}: nn, optim and data never import each other"
        if (part, other) not in {("compiler", "kernels"), ("train", "compiler"), ("commands", "compiler")}:
            assert other not in ("kernels", "compiler"), f"{path} imports {other}, which only minidl/__init__.py may"


def test_every_part_has_its_layer():
    assert {part_of(p) for p in FILES} - {"__init__", "__main__"} <= set(RANK)


def test_the_engine_is_small_enough_to_read_in_one_sitting():
    lines = {
        name: len((PACKAGE / f"{name}.py").read_text().splitlines())
        for name in RANK
        if (PACKAGE / f"{name}.py").exists()
    }
    assert lines["autograd"] <= 200
    assert lines["autograd"] + lines["tensor"] + lines["transforms"] <= 500
    assert sum(lines[name] for name in ("signature", "autograd", "backward", "fusable", "tensor", "transforms")) <= 750


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_grows_past_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


PUBLIC = {
    "": "Tensor tensor no_grad grad value_and_grad gradients check_grads debug use_backend seed save load nn optim data train errors",
    "ops": (
        "add subtract multiply divide power negative absolute sign exp expm1 log log1p sqrt square reciprocal sin cos tan tanh "
        "sinh cosh arcsin arccos arctan arctan2 maximum minimum clip where equal not_equal less less_equal greater greater_equal "
        "floor ceil round sum mean var std max min prod cumsum logsumexp argmax argmin matmul dot outer inner tensordot einsum trace "
        "diag norm reshape ravel transpose swapaxes moveaxis squeeze expand_dims broadcast_to concatenate stack split tile "
        "repeat pad flip roll sort take sigmoid softplus relu leaky_relu softmax log_softmax"
    ),
    "nn": (
        "Module Parameter Sequential Dense ReLU LeakyReLU Sigmoid Tanh BatchNorm Dropout Flatten init softmax_cross_entropy "
        "mean_squared_error binary_cross_entropy_with_logits relu softmax log_softmax"
    ),
    "nn.init": "glorot_normal glorot_uniform he_normal he_uniform normal uniform zeros ones",
    "optim": "SGD Momentum Nesterov AdaGrad RMSProp RMSPropNesterov AdaDelta Adam NAdam AdamW rules schedules",
    "optim.rules": "SGD Momentum Nesterov AdaGrad RMSProp RMSPropNesterov AdaDelta Adam NAdam AdamW",
    "optim.schedules": "constant linear exponential inverse_time step cosine warmup",
    "data": "mnist fashion_mnist read_idx Loader Dataset",
    "train": "fit evaluate History",
}


@pytest.mark.parametrize("place", PUBLIC)
def test_the_public_names_are_there(place):
    holder = minidl
    for part in filter(None, place.split(".")):
        holder = getattr(holder, part)
    for name in PUBLIC[place].split():
        assert hasattr(holder, name), f"minidl.{place}.{name}"


def _modules_with_public_names():
    for path in FILES:
        if any(line.startswith("__all__") for line in path.read_text().splitlines()):
            yield ".".join(["minidl", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")


@pytest.mark.parametrize("name", [*_modules_with_public_names()])
def test_every_public_name_is_there_and_documented(name):
    module = import_module(name)
    assert module.__doc__
    assert len(module.__all__) == len(set(module.__all__))
    values = {public: getattr(module, public) for public in module.__all__}
    described = {public: value for public, value in values.items() if callable(value) or ismodule(value)}
    assert [public for public, value in described.items() if not value.__doc__] == []


def test_every_numpy_name_is_reachable_from_the_top():
    for name in PUBLIC["ops"].split():
        assert getattr(minidl, name) is getattr(minidl.ops, name)


def test_tensor_has_what_is_promised():
    names = (
        "data grad requires_grad shape dtype ndim size backend T backward detach numpy item to zero_grad "
        "sum mean var std max min reshape transpose"
    )
    tensor = minidl.Tensor([1.0])
    assert all(hasattr(tensor, name) for name in names.split())
    module = "parameters named_parameters state_dict load_state_dict train eval training zero_grad summary estimate_statistics"
    assert all(hasattr(minidl.nn.Module, name) for name in module.split())
    optimizer = minidl.optim.SGD([minidl.nn.Parameter([1.0])])
    assert all(hasattr(optimizer, name) for name in "step zero_grad state_dict load_state_dict lr t groups".split())


def test_importing_minidl_brings_in_nothing_that_it_can_do_without():
    program = (
        "import sys, numpy; before = set(sys.modules); import minidl; "
        "heavy = {'cupy', 'rich', 'click', 'matplotlib', 'PIL', 'safetensors', 'lzma', 'numba', 'scipy'}; "
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_version_is_the_installed_one():
    from importlib.metadata import version

    assert version("minidl") == minidl.__version__
