"""What holds the house together: the import order, the public names, the sizes, the cost of importing."""

import ast
import runpy
import subprocess
import sys
from importlib import import_module
from inspect import ismodule
from pathlib import Path

import pytest
from layers import FILES, PACKAGE, RANK, imported_parts, part_of

import minidl

APART = {"nn", "optim", "data"}  # on one level, yet strangers to each other


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_the_layers_above_it(path):
    part = part_of(path)
    if part == "__init__":
        return
    for other in imported_parts(path):
        assert RANK[other] <= RANK[part], f"{path} imports {other}, which lies below"
        assert not {part, other} <= APART, f"{path} imports {other}: nn, optim and data never import each other"
        if (part, other) not in {("compiler", "kernels"), ("train", "compiler"), ("commands", "compiler")}:
            assert other not in ("kernels", "compiler"), f"{path} imports {other}, which only minidl/__init__.py may"


def test_the_picture_of_the_house_is_drawn_from_todays_imports():
    docs = Path(__file__).parents[2] / "docs"
    drawn = runpy.run_path(str(docs / "draw_house.py"))["drawn"]()
    assert (docs / "house.svg").read_text(encoding="utf-8") == drawn, "run: python docs/draw_house.py"


def test_every_part_has_its_layer():
    assert {part_of(p) for p in FILES} - {"__init__", "__main__"} <= set(RANK)


def test_the_engine_is_small_enough_to_read_in_one_sitting():
    raw = {
        name: len((PACKAGE / f"{name}.py").read_text().splitlines()) for name in ("autograd", "tensor", "transforms")
    }
    assert raw["autograd"] <= 200
    assert sum(raw.values()) <= 500
    engine = "signature", "node", "autograd", "graph", "backward", "fusable", "tensor", "transforms"
    lines = {name: lines_of_code(PACKAGE / f"{name}.py") for name in engine}
    assert lines["autograd"] <= 100
    assert lines["autograd"] + lines["backward"] <= 240
    assert sum(lines.values()) <= 700


def lines_of_code(path):
    """How many lines are neither empty nor part of a docstring."""
    text = path.read_text()
    documented = ast.Module, ast.ClassDef, ast.FunctionDef
    docstrings = [
        node.body[0] for node in ast.walk(ast.parse(text)) if isinstance(node, documented) and ast.get_docstring(node)
    ]
    within = {number for string in docstrings for number in range(string.lineno, string.end_lineno + 1)}
    return sum(bool(line.strip()) and number not in within for number, line in enumerate(text.splitlines(), 1))


# The engine's own files, apart from node.py and tensor.py, which set them, and the parts of a Node that are theirs alone.
ENGINE = {"autograd", "graph", "operands", "deposit", "backward", "fusable"}
OF_A_NODE = {"_array", "_op", "_args", "_saved", "_born", "_changes", "_slot", "_left"}
OF_A_NAMEDTUPLE = {
    "_asdict",
    "_fields",
    "_make",
    "_replace",
}  # underscored so that no field's name meets them, and public
# Other files that use underscored names of somebody else's, and why they may.
REACHING = {
    "optim/flat.py": {"_array"},  # looks at every parameter in every step, where the property would cost
    "ops/shape.py": {"_array"},  # plain(), by which all other files ask for it
    "backend.py": {"_core", "_routines_linalg"},  # CuPy has no public function for TF32
    "commands/info.py": {"_core", "_multiarray_umath"},  # NumPy tells nowhere else which OpenBLAS it has loaded
    "hardware/threads.py": {"_core", "_multiarray_umath"},  # the same library, for its number of threads
    "compiler/native/addresses.py": {"_core", "_multiarray_umath"},  # the same library, for its matrix products
    "compiler/native/jit/memory.py": {"_getvalue"},  # Numba's own way from a structure to its value
    "compiler/native/cache/child.py": {"_exit"},  # os._exit: this process ends at once
    "study/worker.py": {"_exit"},  # os._exit: the driver has ended before this worker began
    "parallel/direct.py": {"_handleof"},  # mpi4py has no public name for the number of a handle
    "parallel/communicator.py": {"_exit"},  # os._exit: MPI has been told to end all ranks, this one too
    "system/early.py": {"_exit"},  # the same, before there is anything to clean up
    "guards.py": {"_getframe"},  # sys._getframe: at which line of the user's to warn
}


def underscored(name):
    return name.startswith("_") and not name.startswith("__")


def reached_for(path):
    """The underscored names that a file uses of objects and files that are not its own."""
    tree = ast.parse(path.read_text())
    own = set()  # what is defined here: functions, classes, variables, attributes of self, and what __slots__ names
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            own.add(node.attr)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            own.update(ast.literal_eval(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and underscored(node.attr) and node.attr not in own:
            if ast.unparse(node.value) not in ("self", "cls"):
                yield node.attr
        elif isinstance(node, ast.ImportFrom):
            folder = path.parents[node.level - 1] if node.level else PACKAGE
            folder = folder.joinpath(*(node.module or "").split("."))
            for name in (alias.name for alias in node.names):
                if underscored(name) and not ((folder / f"{name}.py").exists() or (folder / name).is_dir()):
                    yield name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nobody_but_the_engine_reaches_for_what_is_underscored_elsewhere(path):
    allowed = OF_A_NODE if part_of(path) in ENGINE else set()
    allowed = allowed | OF_A_NAMEDTUPLE | REACHING.get(path.relative_to(PACKAGE).as_posix(), set())
    assert set(reached_for(path)) - allowed == set()


def test_whoever_may_reach_for_underscored_names_still_does():
    reaching = {path.relative_to(PACKAGE).as_posix(): set(reached_for(path)) for path in FILES}
    assert [(name, one) for name, names in REACHING.items() for one in names - reaching.get(name, set())] == []
    engine = [reaching[f"{part}.py"] & OF_A_NODE for part in ENGINE]
    assert all(engine)
    assert OF_A_NODE - set().union(*engine) == set()
    assert OF_A_NAMEDTUPLE - set().union(*reaching.values()) == set()


# What a function may import, and why not at the top of its file.
HEAVY = {
    "cloudpickle",
    "cupy",
    "distributed",
    "numba",
    "llvmlite",
    "loky",
    "matplotlib",
    "mpi4py",
    "onnx",
    "optuna",
    "PIL",
    "pyarrow",
    "scipy",
    "IPython",
    "rich",
    "safetensors",
    "submitit",
    "tensorboardX",
}  # extras, or slow to import
RARE = {
    "gzip",
    "zlib",
    "lzma",
    "hashlib",
    "fcntl",
    "html",
    "resource",
}  # of the standard library: needed for a few files, in a notebook, or on POSIX alone
LATE = {
    "cli.py": "a command imports what it needs, so that --help and typing mistakes are answered at once",
    "commands": "the same; and minidl's version and folder, which minidl/__init__.py knows",
    "compiler/native/cache/child.py": "a process of its own looks where it would import from before it does",
    "nn/_module.py": "Module promises summary() and estimate_statistics(), whose files need Module",
    "questions.py": "a notebook asks for HTML, and nobody else",
    "optim/translate.py": "the optimizers' file needs translate()",
    "train/among_ranks.py": "parallel/ is optional, and needs train",
    "train/engines": "compiler/ is optional, and slow to import",
    "train/saving/archive.py": "minidl's version, which minidl/__init__.py knows",
}


def late_imports(path):
    """The modules that functions of a file import: the name of an outside one, "" for one of minidl's."""
    functions = (
        n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    for node in (inner for function in functions for inner in ast.walk(function)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "" if node.level else (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_at_its_top_but_for_reasons_listed_here(path):
    name = path.relative_to(PACKAGE).as_posix()
    for module in set(late_imports(path)) - HEAVY - RARE:
        assert module in ("", "minidl"), f"{name} imports {module} in a function"
        assert places_of(path) & LATE.keys(), f"{name} imports from minidl in a function"


def places_of(path):
    """A file, and the folders of the package that it lies in: the keys of LATE that allow for it."""
    return {place.as_posix() for place in (path.relative_to(PACKAGE), *path.relative_to(PACKAGE).parents)}


def test_whatever_may_be_imported_late_still_is():
    late = {path: set(late_imports(path)) for path in FILES}
    assert (HEAVY | RARE) - set().union(*late.values()) == set()
    places = set().union(*(places_of(path) for path, modules in late.items() if modules & {"", "minidl"}))
    assert LATE.keys() - places == set()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_grows_past_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda p: str(p.relative_to(TESTS)))
def test_no_file_of_tests_grows_past_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


# What is hardest to read is kept to one idea a line; .ruff.toml in compiler/ has the formatter do its part.
NARROW = [*(PACKAGE / "compiler").rglob("*.py"), PACKAGE / "optim/execution/plan.py"]


@pytest.mark.parametrize("path", NARROW, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_compiler_and_the_plan_keep_to_100_columns(path):
    long = [number for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) > 100]
    assert long == [], f"{path}: lines {long}"


PUBLIC = {
    "": "Tensor tensor no_grad grad value_and_grad gradients check_grads debug use_backend threads seed save load nn optim data train errors "
    "jacobian hessian hvp jvp vmap linalg",
    "linalg": "inv solve pinv det slogdet matrix_power multi_dot cholesky qr eigh eigvalsh svd svdvals cond trace norm",
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
    module = "parameters named_parameters state_dict load_state_dict train eval mode training zero_grad summary estimate_statistics"
    assert all(hasattr(minidl.nn.Module, name) for name in module.split())
    optimizer = minidl.optim.SGD([minidl.nn.Parameter([1.0])])
    assert all(
        hasattr(optimizer, name)
        for name in "step zero_grad state_dict load_state_dict lr t groups parameters at".split()
    )


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
