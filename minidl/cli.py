"""The command ``minidl``: train, evaluate, predict, export, explain, reproduce, sweep, study, info."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from . import __version__
from .commands.console import ARGUMENTS, Command, Group
from .commands.options import PERIOD, RULE, RULES, SETTINGS, BatchSize, Limit, Rate, Share, Sizes, Whole
from .commands.recipes import RECIPES
from .commands.studies import study, sweep
from .errors import OptionError
from .system.terminal import tell


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="minidl")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Train small neural networks on MNIST and its relatives, and use them."""


def _dataset_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--dataset",
        default="mnist",
        help="mnist, fashion-mnist, or a folder with the four IDX files of a set like them.",
    )(function)


def _follow(context: click.Context, _: click.Parameter, recipe: str | None) -> None:
    """Let the options of a recipe be the defaults of those that are not given."""
    if recipe is not None:
        context.default_map = RECIPES[recipe]


@main.command(cls=Command)
@click.option(
    "--recipe", type=click.Choice(list(RECIPES)), is_eager=True, expose_value=False, callback=_follow,
    help="Other defaults. best: a larger network, augmented pictures, 100 epochs (docs/recipe.md).",
)  # fmt: skip
@_dataset_option
@click.option("--layers", type=Sizes(), default="512,256", help="Sizes of the hidden layers; none for a linear model.")
@click.option("--activation", type=click.Choice(["relu", "leaky_relu", "tanh", "sigmoid"]), default="relu")
@click.option(
    "--batch-norm", type=click.Choice(["none", "before", "after"]), default="none",
    help="BatchNorm in each hidden layer, before or after its activation.",
)  # fmt: skip
@click.option("--dropout", type=Share(), default=0.0, help="Share dropped behind each hidden layer.")
@click.option(
    "--augment/--no-augment", default=False,
    help="Other pictures in each epoch: moved, turned, scaled and bent a little, at random.",
)  # fmt: skip
@click.option(
    "--optimizer",
    "optimizer_name",
    type=RULE,
    default="adam",
    help="A rule's name, in any case: sgd, momentum, adam, ...",
)
@click.option("--lr", type=Rate(), default=None, help="Learning rate to start from.  [default: the rule's own]")
@click.option(
    "--schedule", type=click.Choice(["constant", "linear", "cosine"]), default="cosine",
    help="How the learning rate falls over the run: not, to a hundredth, or to 0.",
)  # fmt: skip
@click.option(
    "--set", "settings", type=SETTINGS, multiple=True, callback=lambda context, option, values: ",".join(values),
    help="A hyperparameter of the rule, such as beta=0.95; may be repeated.",
)  # fmt: skip
@click.option("--weight-decay", type=Rate(), default=None,
              help="Of weights alone, not of biases and BatchNorm.  [default: the rule's own, of all]")  # fmt: skip
@click.option("--ema", type=Share(), default=None,
              help="Average the weights, keeping this share of the old, such as 0.999.")  # fmt: skip
@click.option("--clip-norm", type=Limit(), default=None, help="Scale gradients down to this norm.")
@click.option("--batch-size", type=BatchSize(), default="128")
@click.option("--accumulate", type=Whole(1), default=1, help="Batches for an update.")
@click.option("--early-stopping", type=Whole(1), default=None,
              help="Stop after so many epochs without a lower validation loss, and keep the best.")  # fmt: skip
@click.option("--epochs", type=Whole(0), default=6)
@click.option("--seed", type=Whole(0), default=0, help="Same seed, same machine: the same model.")
@click.option("--validation", type=Whole(0), default=5000, help="Samples held out of the training set.")
@click.option(
    "--threads",
    type=Whole(1),
    default=None,
    help="How many may share the work.  [default: 2, more if products are large]",
)
@click.option("--backend", type=click.Choice(["numpy", "cupy"]), default="numpy", help="cupy: on the GPU.")
@click.option(
    "--on-nonfinite", type=click.Choice(["stop", "skip", "continue"]), default="stop",
    help="What to do about a loss or gradient that is infinite or NaN.",
)  # fmt: skip
@click.option("--guards/--no-guards", default=True, help="Warn of likely mistakes (docs/guards.md).")
@click.option("--quiet", is_flag=True, help="Print the result only.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=None, help="Results folder.  [default: runs/DATASET-TIME]"
)
@click.option(
    "--checkpoint-every",
    type=PERIOD,
    default="10 s",
    help="How often the run is saved; in any case at its end, and when a signal stops it.",
)
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="RUN", default=None,
    help="Go on with the run in this folder, which was interrupted; no other option is needed, or allowed.",
)  # fmt: skip
@click.option("--find-lr", is_flag=True, help="Do not train: show the loss for many learning rates.")
@click.option("--ranks", type=Whole(1), default=None, help="Processes of this machine that share every batch, by MPI.")
@click.option("--oversubscribe", is_flag=True, help="Allow more ranks than cores: slower, to try something out.")
@click.option("--parallel", is_flag=True, help="This is one of the processes that mpiexec or srun has started.")
@click.option(
    "--deadline", type=Rate(), default=60.0, help="Seconds until ranks that wait end one that hangs; 0: never."
)
@click.pass_context
def train(
    context: click.Context, /, resume: Path | None, ranks: int | None, oversubscribe: bool, parallel: bool,
    deadline: float, **options: Any,
) -> None:  # fmt: skip
    """Train a multilayer perceptron. Model, history and curve are left in a folder."""
    from .commands.ranks import as_rank
    from .commands.train import resume_run, train_run

    if ranks is not None:
        from .parallel.launch import launch

        arguments = list(context.meta[ARGUMENTS])
        sys.exit(launch(ranks, arguments, oversubscribe, bound=options["threads"] in (None, 1)))
    given = [p.opts[0] for p in context.command.params if _was_given(context, p) and p.name not in OF_EACH_START]
    if resume is not None and given:
        raise OptionError(f"--resume takes every option from {resume / 'config.json'}: leave out {', '.join(given)}")
    with as_rank(parallel, deadline, context.find_root().params["debug"]) as comm:
        if resume is None:
            train_run(**options, parallel=comm)
        else:
            resume_run(resume, _readers(context), comm)


OF_EACH_START = "resume", "ranks", "oversubscribe", "parallel", "deadline"  # which a run may have other each time
NOT_KEPT = (*OF_EACH_START, "recipe", "output", "find_lr")  # options that config.json does not hold


def _readers(context: click.Context) -> dict[str, Callable[[str | None], Any]]:
    """The parsers of the options of ``minidl train``, by the option's name in config.json."""
    stored = [option for option in context.command.params if option.name not in NOT_KEPT]
    return {str(option.name).removesuffix("_name"): partial(_read, context, option) for option in stored}


def _read(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    """Parse `text` as if it had been typed for `option`. Raises `OptionError`."""
    if text is None and option.default is not None:
        raise OptionError(f"null: leave it at such as {option.default!r}")
    try:
        return None if text is None else option.type.convert(text, option, context)
    except click.BadParameter as error:
        raise OptionError(error.message) from error


def _was_given(context: click.Context, parameter: click.Parameter) -> bool:
    return context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE


@main.command()
@_dataset_option
@click.option(
    "--model", type=click.Path(path_type=Path), help="A run's folder or a model file.  [default: the newest in runs/]"
)
@click.option("--confusion", is_flag=True, help="Show what is taken for what, as a table and as a picture.")
def evaluate(dataset: str, model: Path | None, confusion: bool) -> None:
    """Show the loss and accuracy of a trained model on a test set."""
    from .commands.trained import evaluate_run

    evaluate_run(dataset, model, confusion)


@main.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model", type=click.Path(path_type=Path), help="A run's folder or a model file.  [default: the newest in runs/]"
)
def predict(images: tuple[Path, ...], model: Path | None) -> None:
    """Say which digit each picture shows. It is centred as MNIST's are, whatever its size and colours."""
    from .commands.trained import predict_images

    if not predict_images(images, model):
        sys.exit(1)


@main.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(["onnx"]), default="onnx", expose_value=False, help="The format.")
@click.option("--pixels", is_flag=True, help="Take uint8 pixels, and scale them in the file, as training did.")
@click.option("--output", type=click.Path(path_type=Path), default=None, help="File to write.  [default: MODEL.onnx]")
def export(model: Path | None, pixels: bool, output: Path | None) -> None:
    """Write a trained model for other programs. MODEL is its file, or a run's folder.

    Without MODEL it is the newest run in runs/.
    """
    from .commands.export import export_run

    export_run(model, output, pixels)


@main.command()
@click.option("--problem", type=click.Choice(["mnist", "note-a"]), default="mnist",
              help="A small network on MNIST, or f(x) = 0.1·x1² + 2·x2² from (-5, -2).")  # fmt: skip
@click.option("--optimizer", "optimizer_name", type=RULE, default="adam", help=f"One of {RULES}.")
@click.option("--lr", type=Rate(), default=None, help="Learning rate.  [default: the rule's own]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A hyperparameter; may be repeated.")
@click.option(
    "--steps", type=Whole(1, 10_000), default=None, help="Steps to train.  [default: 10, or as many as asked for]"
)
@click.option("--at", type=Whole(1, 10_000), default=None, help="The step to explain.  [default: the last]")
@click.option("--from", "first", type=Whole(1, 10_000), default=None, help="Show a table of steps, from this one on.")
@click.option("--to", "last", type=Whole(1, 10_000), default=None, help="Show a table of steps, up to this one.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), default=None, metavar="FILE",
              help="Draw what the rule keeps and its effective rate, as .svg or .png (extra plot).")  # fmt: skip
@click.option("--element", default=None, metavar="PARAMETER:INDEX",
              help="Such as layers.2.weight:3,7 or x:0.  [default: where the first gradient is largest]")  # fmt: skip
@click.option("--gradient", default=None, metavar="PARAMETER:INDEX",
              help="Why this element's gradient is what it is at that step: the terms of its sum.")  # fmt: skip
@click.option("--note", type=click.Choice(["A", "B", "code"]), default=None,
              help="Train and write as a lecture note does: its convention, its equation, its letters.")  # fmt: skip
@click.option("--letters", type=click.Choice(["code", "A", "B"]), default="code",
              help="minidl's equation, in the code's names or a note's letters.")  # fmt: skip
@click.option("--language", type=click.Choice(["en", "es", "it"]), default="en", help="Of the sentences.")
@click.option(
    "--decimal", type=click.Choice(["point", "comma"]), default=None, help="Before decimals.  [default: the language's]"
)
@click.option("--format", "notation", type=click.Choice(["text", "latex", "mathml"]), default="text")
@click.option("--seed", type=Whole(0), default=0)
def explain(**options: Any) -> None:
    """Show one step of an optimizer, number by number. It says why a weight moved by that much."""
    from .teach.explain_command import explain_run

    explain_run(**options)


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Small budgets for the rows that train networks: a minute for all.")
@click.option("--output", type=click.Path(path_type=Path), default="reproduced", help="Folder for figures and report.")
@click.option("--language", type=click.Choice(["en", "es", "it"]), default="en", help="Of the report's own words.")
@click.option("--seed", type=Whole(0, 1000), default=0, help="Of all random numbers: does a verdict hang on them?")
def reproduce(names: tuple[str, ...], quick: bool, output: Path, language: Any, seed: int) -> None:
    """Make the lecture notes' numbers and figures again. NAME is "all" or some; without one, they are listed."""
    from .teach import reproduce as notes

    if names:
        notes.reproduce(names, quick, output, language, seed)
    else:
        tell(notes.listing())


@main.command()
@click.argument("entrants", nargs=-1, required=True, metavar="RULE[:NAME=VALUE,...]...")
@click.option("--on", default="bowl", metavar="SURFACE",
              help="bowl (note A's), saddle, rosenbrock, plateau, two-valleys, parabola, or a formula.")  # fmt: skip
@click.option("--start", default=None, metavar="X1,X2", help="Where all begin.")
@click.option("--steps", type=Whole(1, 100_000), default=20, help="Steps of each.")
@click.option("--figure", type=click.Path(path_type=Path), default=None, help="File for a picture (.png, .svg, .pdf).")
def race(entrants: tuple[str, ...], on: str, start: str | None, steps: int, figure: Path | None) -> None:
    """Let update rules race down a surface. They are given as sgd:lr=0.4 momentum:lr=0.6,beta=0.5."""
    from .teach.race_command import run_race

    run_race(entrants, on, start, steps, figure)


@main.command()
@click.option("--port", type=Whole(0, 65_535), default=8570, help="Where to listen; if it is taken, the next; 0: any.")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Address of this machine to listen at.")
@click.option("--browser/--no-browser", default=True, help="Open a browser there.")
@click.option("--i-know", "known", is_flag=True, help="Allow a --host that others can reach.")
@click.option("--export", "folder", type=click.Path(path_type=Path, file_okay=False), default=None, metavar="FOLDER",
              help="Write it into a folder, for any file server, instead.")  # fmt: skip
def lab(port: int, host: str, browser: bool, known: bool, folder: Path | None) -> None:
    """Open the laboratory in a browser.

    Update rules on a surface: step by step and back, with their numbers, and why (extra lab).
    """
    if folder is not None:
        from .lab.export import export as write

        write(folder)
        tell(f"Written: {folder}\nTo look at it: python -m http.server --directory {folder}")
        return
    from .lab.command import run_lab

    run_lab(host, port, browser, known)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--rule", "name", type=RULE, default=None, help="The rule that it is to be.  [default: from the file's name]"
)
@click.option("--language", type=click.Choice(["en", "es", "it"]), default="en", help="Of the sentences.")
def check(file: Path, name: str | None, language: Any) -> None:
    """Compare an update rule of your own with minidl's. It is executed (see `minidl exercise`)."""
    from .teach.check_command import check_file

    if not check_file(file, name, language):
        sys.exit(1)


@main.command()
@click.argument("rule", type=RULE)
@click.option("--answer", "answered", is_flag=True, help="Print the answer.")
@click.option("--language", type=click.Choice(["en", "es", "it"]), default="en", help="Of the text.")
def exercise(rule: str, answered: bool, language: Any) -> None:
    """Show what to write for an update rule of your own. `minidl check` compares it."""
    from .teach.check_command import show_exercise

    show_exercise(rule, answered, language)


@main.command()
@click.option("--clear-cache", is_flag=True, help="Remove the machine code that minidl has compiled.")
@click.option("--build-cache", is_flag=True, help="Compile what is missing of it now, for every optimizer.")
def info(clear_cache: bool, build_cache: bool) -> None:
    """Show versions, machine and cache, as a bug report needs them."""
    from .commands import info

    if clear_cache:
        info.clear_cache()
    if build_cache:
        info.build_cache()
    if not clear_cache and not build_cache:
        print(info.report())


main.add_command(sweep)
main.add_command(study)

if __name__ == "__main__":
    sys.exit(main())
