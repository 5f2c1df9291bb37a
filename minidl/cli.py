"""The command ``minidl``: train, evaluate, predict."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import __version__
from .errors import MinidlError


class Group(click.Group):
    """A click group that shows minidl's own errors in one line, without a traceback (--debug shows it)."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; exit with 1 and one line where minidl refuses."""
        try:
            return super().invoke(context)
        except MinidlError as error:
            if context.params.get("debug"):
                raise
            raise click.ClickException(str(error)) from error


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="minidl")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Train small neural networks on MNIST and its relatives, and use them."""


class Sizes(click.ParamType[Any]):
    """Hidden layer sizes, such as 256,128."""

    name = "N,N,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The sizes as a tuple of ints; none at all for "none"."""
        if not isinstance(value, str):
            return value
        if value == "none":
            return ()
        try:
            sizes = tuple(int(size) for size in value.split(","))
        except ValueError:
            sizes = (0,)
        if min(sizes) < 1:
            self.fail(f"{value!r}: give sizes of hidden layers of at least 1, such as 256,128, or none", param, ctx)
        return sizes


class BatchSize(click.ParamType[Any]):
    """A positive integer, or "full"."""

    name = "N|full"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """An int, or the word."""
        if value == "full":
            return value
        try:
            size = int(value)
        except ValueError:
            size = 0
        if size < 1:
            self.fail(
                f"{value!r}: give a number of samples of at least 1 (1 is SGD), or full (gradient descent)", param, ctx
            )
        return size


def _dataset_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--dataset",
        default="mnist",
        help="mnist, fashion-mnist, or a folder with the four IDX files of a set like them.",
    )(function)


@main.command()
@_dataset_option
@click.option("--layers", type=Sizes(), default="512,256", help="Sizes of the hidden layers; none for a linear model.")
@click.option("--activation", type=click.Choice(["relu", "leaky_relu", "tanh", "sigmoid"]), default="relu")
@click.option(
    "--batch-norm", type=click.Choice(["none", "before", "after"]), default="none",
    help="BatchNorm in each hidden layer, before or after its activation.",
)  # fmt: skip
@click.option(
    "--dropout", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Share dropped behind each hidden layer."
)
@click.option(
    "--optimizer", "optimizer_name", default="adam", help="A rule's name, in any case: sgd, momentum, adam, ..."
)
@click.option("--lr", type=float, default=None, help="Learning rate to start from.  [default: the rule's own]")
@click.option(
    "--schedule", type=click.Choice(["constant", "linear", "cosine"]), default="cosine",
    help="How the learning rate falls over the run: not, to a hundredth, or to 0.",
)  # fmt: skip
@click.option("--batch-size", type=BatchSize(), default="128")
@click.option("--epochs", type=click.IntRange(min=0), default=6)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Same seed, same machine: the same model.")
@click.option("--validation", type=click.IntRange(min=0), default=5000, help="Samples held out of the training set.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="For matrix products.  [default: 1, more if they are large]",
)
@click.option("--backend", type=click.Choice(["numpy", "cupy"]), default="numpy", help="cupy: on the GPU.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=None, help="Results folder.  [default: runs/DATASET-TIME]"
)
def train(**options: Any) -> None:
    """Train a multilayer perceptron, and leave model, history and curve in a folder."""
    from .train.run import train_run

    train_run(**options)


@main.command()
@_dataset_option
@click.option(
    "--model", type=click.Path(path_type=Path), help="A run's folder or a model file.  [default: the newest in runs/]"
)
def evaluate(dataset: str, model: Path | None) -> None:
    """Show the loss and accuracy of a trained model on a test set."""
    from .train.run import evaluate_run

    evaluate_run(dataset, model)


@main.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model", type=click.Path(path_type=Path), help="A run's folder or a model file.  [default: the newest in runs/]"
)
def predict(images: tuple[Path, ...], model: Path | None) -> None:
    """Say which digit each picture shows: centred as MNIST's are, whatever its size and colours."""
    from .train.run import predict_images

    predict_images(images, model)


@main.command()
@click.option("--problem", type=click.Choice(["mnist", "note-a"]), default="mnist",
              help="A small network on MNIST, or f(x) = 0.1·x1² + 2·x2² from (-5, -2).")  # fmt: skip
@click.option("--optimizer", "optimizer_name", default="adam", help="A rule's name, in any case.")
@click.option("--lr", type=float, default=None, help="Learning rate.  [default: the rule's own]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A hyperparameter; may be repeated.")
@click.option("--steps", type=click.IntRange(1, 400), default=10, help="Steps to train.")
@click.option("--at", type=click.IntRange(min=1), default=None, help="The step to explain.  [default: the last]")
@click.option("--element", default=None, metavar="PARAMETER:INDEX",
              help="Such as layers.2.weight:3,7 or x:0.  [default: where the first gradient is largest]")  # fmt: skip
@click.option("--letters", type=click.Choice(["code", "A", "B"]), default="code", help="The code's names, or a note's.")
@click.option("--language", type=click.Choice(["en", "es", "it"]), default="en", help="Of the sentences.")
@click.option("--format", "notation", type=click.Choice(["text", "latex", "mathml"]), default="text")
@click.option("--seed", type=click.IntRange(min=0), default=0)
def explain(**options: Any) -> None:
    """Show one step of an optimizer, number by number, and say why a weight moved by that much."""
    from .teach.trial import explain_run

    explain_run(**options)


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Small budgets for the rows that train networks: a minute for all.")
@click.option("--output", type=click.Path(path_type=Path), default="reproduced", help="Folder for figures and report.")
def reproduce(names: tuple[str, ...], quick: bool, output: Path) -> None:
    """Make numbers, figures and claims of the lecture notes again: "all", or by NAME; without one, list them."""
    from .teach import reproduce as notes

    if names:
        notes.reproduce(names, quick, output)
    else:
        print(notes.listing())


if __name__ == "__main__":
    sys.exit(main())
