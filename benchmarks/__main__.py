"""python -m benchmarks [SECTION | WORKLOAD ...]: minidl beside other frameworks.

Everyone runs in a process of its own, in turn, round by round. The other frameworks live in environments of their
own, which ``bash benchmarks/peers.sh`` makes; those that are not there are left out, and named.
"""

import json
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import click

from minidl.data import mnist

from . import machine, picture
from .contenders import CONTENDERS
from .report import tables
from .runner import ROOT, Bench, share_samples
from .workloads import WORKLOADS, Samples

SECTIONS = ("steps", "loops", "models", "growth", "ops", "startup", "job", "memory", "long", "busy")
BY_WORKLOAD = ("steps", "loops")  # of which a workload that is named picks a part; alone, of steps


def known(context: click.Context, parameter: click.Parameter, value: str) -> list[str]:
    """The names of the contenders in a comma-separated list: their names, or a file's of contenders/ for all of its."""
    chosen = []
    for name in filter(None, value.split(",")):
        found = [c.name for c in CONTENDERS if c.name == name] or [c.name for c in CONTENDERS if c.module == name]
        if not found:
            raise click.BadParameter(f"{name!r}: choose from {', '.join(c.name for c in CONTENDERS)}")
        chosen += found
    return chosen


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice([*SECTIONS, *WORKLOADS, "all"]))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--output", default="runs/benchmark", show_default=True, type=click.Path(path_type=Path), help="A folder."
)
@click.option("--only", default="", callback=known, help="Contenders, with commas between them.")
@click.option(
    "--peers",
    default=ROOT / ".peers",
    envvar="MINIDL_PEERS",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="What peers.sh made, or an environment with all the frameworks.",
)
@click.option("--smoke", is_flag=True, help="Tiny sizes, one round: that it runs, not how fast.")
def main(
    names: tuple[str, ...], rounds: int, output: Path, only: list[str], peers: Path, smoke: bool
) -> None:  # fmt: skip
    workloads = tuple(name for name in names if name in WORKLOADS)
    asked = {name for name in names or ["all"] if name not in WORKLOADS}
    asked |= {"steps"} if workloads and not asked & {*BY_WORKLOAD, "all"} else set()
    chosen = [section for section in SECTIONS if asked & {section, "all"}]
    train, test = (Samples(d.inputs, d.labels) for d in mnist())
    if smoke:
        train, test = (Samples(*(part[:2000] for part in samples)) for samples in (train, test))
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder), 1 if smoke else rounds, smoke, peers, only)
        share_samples(bench.folder, train, test)
        bench.muster()
        if not bench.contenders:
            raise click.ClickException(f"nobody to run: {bench.missing}")
        for name, why in bench.missing.items():
            click.echo(f"left out: {name}: {why}")
        result: dict[str, Any] = {
            "machine": machine.describe(), "versions": bench.versions, "missing": bench.missing,
            "rounds": bench.rounds, "smoke": smoke, "sections": {},
        }  # fmt: skip
        for section in chosen:
            start = perf_counter()
            collect = import_module(f"benchmarks.sections.{section}").collect
            result["sections"][section] = collect(bench, workloads) if section in BY_WORKLOAD else collect(bench)
            write(result, output)
            click.echo(f"{section}: {perf_counter() - start:.0f} s")
    click.echo("\n" + "\n".join(tables(result).values()))
    click.echo(f"to keep it: benchmarks/results/{machine.family(result['machine'])}.json")
    click.echo(f"{output}/: results.json, tables.md{', picture.png' if (output / 'picture.png').exists() else ''}")


def write(result: dict[str, Any], output: Path) -> None:
    """The result so far: raw, as tables, and as a picture."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    made = tables(result)
    (output / "tables.md").write_text("\n".join(f"<!-- benchmark: {n} -->\n{made[n]}<!-- end -->\n" for n in made))
    picture.draw(result, output / "picture.png")


if __name__ == "__main__":
    main()
