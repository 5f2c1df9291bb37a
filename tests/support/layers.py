"""The layers of the package, and which parts each of its files imports: for test_house.py and docs/draw_house.py."""

import ast
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(find_spec("minidl").origin).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# A file may import only from the layers above its own, or from its own.
LAYERS = {
    "foundations": {
        "errors",
        "checks",
        "arrays",
        "contexts",
        "elsewhere",
        "backend",
        "machine_code",
        "signature",
        "hardware",
        "system",
        "display",
    },
    "autograd": {
        "node",
        "recording",
        "operands",
        "hooks",
        "autograd",
        "graph",
        "fitting",
        "deposit",
        "backward",
        "fusable",
        "guards",
        "overrides",
    },
    "operations": {"ops", "linalg"},
    "tensors": {
        "construct",
        "dlpack",
        "questions",
        "methods",
        "tensor",
        "creation",
        "trees",
        "evaluation",
        "transforms",
        "derivatives",
        "batching",
        "gradcheck",
        "_debug",
    },
    "models": {"nn", "optim", "data"},
    "speed": {"kernels", "compiler"},
    "training": {"train", "parallel"},
    "other libraries": {"export", "sklearn"},
    "teaching": {"teach", "plots"},
    "studies": {"study"},
    "command line": {"commands", "cli", "lab", "__main__"},
}
RANK = {name: rank for rank, names in enumerate(LAYERS.values()) for name in names}


def part_of(path):
    """The file or folder of the package that a file is, or lies in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path, late=True):
    """The other parts that a file imports, inside functions as well if `late`, at its top alone if not."""
    package = ["minidl", *path.relative_to(PACKAGE).parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if late else tree.body:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            names = [[*base, alias.name] for alias in node.names]
        found |= {name[1] for name in names if name[0] == "minidl" and len(name) > 1}
    return (found & set(RANK)) - {part_of(path)}
