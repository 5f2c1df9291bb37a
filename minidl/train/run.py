"""What the commands ``minidl train``, ``evaluate`` and ``predict`` do: a whole run, kept in a folder."""

import inspect
import json
import platform
import shlex
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .. import data, nn, optim
from ..autograd import recording
from ..backend import seed as start_seed
from ..backend import use_backend
from ..data import Dataset, Loader
from ..durable import write_durably
from ..errors import DataError, OptionError, WriteError
from ..ops import softmax
from .checkpoint import load, notes, save
from .loop import evaluate, fit
from .plot import learning_curve
from .progress import say
from .run_checkpoint import Checkpoint
from .signals import SIGPIPE, listening

MODEL = "model.safetensors"
CONFIG = "config.json"
_ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def mlp(
    inputs: int,
    hidden: Iterable[int],
    classes: int,
    activation: str = "relu",
    batch_norm: str = "none",
    dropout: float = 0.0,
) -> nn.Sequential:
    """A multilayer perceptron; `batch_norm` is "none", "before" or "after" the activation.

    Weights start as suits the activation: He's way for ReLU, Glorot's for tanh and sigmoid, and for the output.
    """
    weight_init = "he_normal" if "relu" in activation else "glorot_normal"
    layers: list[nn.Module] = []
    for size in hidden:
        layers.append(nn.Dense(inputs, size, weight_init=weight_init))
        layers += [nn.BatchNorm(size)] if batch_norm == "before" else []
        layers.append(_ACTIVATIONS[activation]())
        layers += [nn.BatchNorm(size)] if batch_norm == "after" else []
        layers += [nn.Dropout(dropout)] if dropout else []
        inputs = size
    return nn.Sequential(*layers, nn.Dense(inputs, classes, weight_init="glorot_normal"))


def find_dataset(name: str) -> tuple[Dataset, Dataset]:
    """Training and test set of "mnist", "fashion-mnist", or of the folder `name`. Raises `DataError`."""
    if name == "mnist":
        return data.mnist()
    if name == "fashion-mnist":
        return data.fashion_mnist()
    if not Path(name).is_dir():
        raise DataError(f"--dataset {name!r}: choose mnist, fashion-mnist, or an existing folder of IDX files")
    return data.idx_dataset(Path(name).name, path=name)


def find_model(path: Path | None) -> Path:
    """The model file meant by `path`: the file, the one in that folder, or the newest in runs/. Raises `DataError`."""
    if path is None:
        found = sorted(Path("runs").glob(f"*/{MODEL}"), key=lambda file: file.stat().st_mtime)
        if not found:
            raise DataError("no trained model in runs/: run `minidl train` first, or pass --model")
        return found[-1]
    return path / MODEL if path.is_dir() else path


def find_rule(name: str) -> Any:
    """The optimizer class called `name`, in any case. Raises `OptionError` with the list."""
    known = {kind.__name__.lower(): kind for kind in optim.Optimizer.__subclasses__()}
    if name.lower() not in known:
        raise OptionError(f"--optimizer {name!r}: choose one of {', '.join(sorted(known))}")
    return known[name.lower()]


def train_run(
    dataset: str, layers: tuple[int, ...], activation: str, batch_norm: str, dropout: float, optimizer_name: str,
    lr: float | None, schedule: str, batch_size: int | str, epochs: int, seed: int, validation: int,
    threads: int | None, backend: str, on_nonfinite: str, guards: bool, checkpoint_every: str, output: Path | None, *,
    resumed: bool = False,
) -> None:  # fmt: skip
    """Carry out ``minidl train``: its options, by name; `resumed`: go on with what is in the folder `output`."""
    config = {k: str(v) if isinstance(v, Path) else v for k, v in locals().items() if k != "resumed"}
    start = time.perf_counter()
    rule = find_rule(optimizer_name)
    use_backend(backend)
    start_seed(seed)
    train, test = find_dataset(dataset)
    if not len(train):
        raise DataError(f"--dataset {dataset}: {train.name} is empty: there is nothing to train on")
    if validation >= len(train):
        raise OptionError(f"--validation {validation}: the training set has only {len(train)} samples")
    train, held_out = train[: len(train) - validation], train[len(train) - validation :]
    model = mlp(train.inputs.shape[1], layers, len(train.classes), activation, batch_norm, dropout)
    loader = Loader(train, batch_size)
    steps = epochs * len(loader)
    lr = rule.rule.lr if lr is None else lr
    rates: dict[str, Any] = {"constant": optim.schedules.constant(lr)}
    if steps:
        rates |= {"linear": optim.schedules.linear(lr, None, steps), "cosine": optim.schedules.cosine(lr, steps)}
    optimizer = rule(model.parameters(), lr=rates[schedule] if steps else lr)
    folder = output if resumed and output else _free_folder(output, dataset)
    checkpoints = Checkpoint(folder / "checkpoints", checkpoint_every)
    if not resumed:
        _make(folder)
        versions = {"minidl": _version(), "numpy": np.__version__, "python": platform.python_version()}
        written = {k.removesuffix("_name"): v for k, v in config.items()} | {"lr": lr, "versions": versions}
        write_durably(folder / CONFIG, (json.dumps(written, indent=2) + "\n").encode())
    with _told_how_to_go_on(folder, checkpoints), listening(SIGPIPE):
        say(f"{train.name}: {len(train):,} samples to train on, {len(held_out):,} held out, {len(test):,} to test on")
        say(model.summary())
        history = fit(
            model, loader, optimizer=optimizer, epochs=epochs, validation=held_out if validation else None,
            threads=threads, checkpoint=checkpoints, resume=resumed, on_nonfinite=on_nonfinite, guards=guards,
        )  # fmt: skip
        result = evaluate(model, test)
        history.save(folder / "history.jsonl")
        pictured = learning_curve(history, folder / "curve.png") if epochs else False
        told = {"dataset": train.name, "classes": list(train.classes), "shape": list(train.shape), "test": result}
        save(folder / MODEL, model, **told)  # the last: it says that the run is finished
    print(f"{_measured(result)}  ({time.perf_counter() - start:.1f} s in all)")
    print(f"results in {folder}/: {MODEL}, history.jsonl, {CONFIG}{', curve.png' if pictured else ''}, checkpoints/")
    if epochs and not pictured:
        print("(no curve.png: pip install 'minidl[plot]' for the picture)")


def resume_run(folder: Path) -> None:
    """Carry out ``minidl train --resume``: go on with the run in `folder`, as its config.json says.

    Raises `DataError` if that is no run's folder.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        options = {k: v for k, v in config.items() if k not in ("versions", "output", "optimizer")}
        options |= {"optimizer_name": config["optimizer"], "layers": tuple(config["layers"])}
        inspect.signature(train_run).bind(output=folder, resumed=True, **options)
    except FileNotFoundError as error:
        raise DataError(f"--resume {folder}: no run is kept there: it has no {CONFIG}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"--resume {folder}: its {CONFIG} is not as `minidl train` wrote it ({error})") from error
    if (folder / MODEL).exists():
        print(f"{folder}: this run is finished: nothing to do (its model: {folder / MODEL})")
        return
    train_run(output=folder, resumed=True, **options)


@contextmanager
def _told_how_to_go_on(folder: Path, checkpoints: Checkpoint) -> Iterator[None]:
    """Say, when the block is left early, what is saved and how to go on; exit as Unix does: 128 + the signal."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more Ctrl-C would only cut off what is said now
        kept = "nothing was saved yet" if checkpoints.saved is None else f"saved at step {checkpoints.saved}"
        again = f"minidl train --resume {shlex.quote(str(folder))}"
        print(f"\ninterrupted; {kept}; to go on: {again}", file=sys.stderr)
        raise SystemExit(130 if isinstance(stop, KeyboardInterrupt) else stop.code) from None
    except OSError as error:
        again = f"minidl train --resume {shlex.quote(str(folder))}"
        what = error if isinstance(error, WriteError) else f"{error.filename or folder}: {error.strerror}"
        raise WriteError(f"{what}; once that is mended, to go on: {again}") from error


def evaluate_run(dataset: str, path: Path | None) -> None:
    """Carry out ``minidl evaluate``."""
    file = find_model(path)
    model = load(file)
    _, test = find_dataset(dataset)
    result = evaluate(model, test)
    print(f"{file}: {_measured(result)}  ({test.name}, {len(test):,} images)")


def predict_images(images: Iterable[Path], path: Path | None) -> None:
    """Carry out ``minidl predict``: one line per picture, with the three likeliest classes."""
    file = find_model(path)
    model, told = load(file), notes(file)
    classes = told.get("classes") or [str(i) for i in range(10)]
    for image in images:
        x = data.read_digit(image).astype(np.float32)[None] / 255
        with recording(False):
            p = softmax(model(x)).numpy()[0]
        best = np.argsort(-p, kind="stable")[:3]
        print(f"{image}: {classes[best[0]]}  ({', '.join(f'{classes[i]} {p[i]:.1%}' for i in best)})")


def _measured(result: dict[str, float]) -> str:
    return f"test loss {result['loss']:.4f}  test accuracy {result['accuracy']:.2%}"


def _version() -> str:
    from .. import __version__

    return __version__


def _free_folder(output: Path | None, dataset: str) -> Path:
    """A folder for the results: `output`, which must be empty if it exists, or a fresh one in runs/."""
    folder = output or Path("runs") / f"{Path(dataset).name}-{time.strftime('%Y%m%d-%H%M%S')}"
    count = 1
    while output is None and folder.exists():
        count += 1
        folder = folder.with_name(f"{folder.name.rpartition('+')[0] or folder.name}+{count}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(f"--output {folder}: exists already and is not an empty folder; choose another")
    return folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"--output {folder}: cannot make this folder ({error.strerror}); choose another with --output"
        ) from error
