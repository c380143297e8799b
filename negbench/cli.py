"""The command line: each command calls the function of the Python API with the same purpose and prints its result."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import negbench
from negbench import libraries
from negbench.commands import advice, audits, comparison, completion, listings, negatives, start, store
from negbench.commands.running import given_command, print_outcome, progress_bar, size_of
from negbench.commands.shared import AsJson, Assignments, GridPath, Yes, label_of_stage
from negbench.escaping import for_terminal
from negbench.terminal import Commands, carry_out, print_error, say
from negbench.terminal import show as _show

app = typer.Typer(
    name="negbench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_help_option=False,  # typer's own makes every command load pydantic's types before it can print its help
    cls=Commands,
)
app.add_typer(start.app)
app.add_typer(advice.app)
app.add_typer(negatives.app)
app.add_typer(comparison.app)
app.add_typer(audits.app)
app.add_typer(listings.app)
app.add_typer(completion.app)
app.add_typer(store.app, name="store")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"negbench {negbench.__version__}")
        raise typer.Exit


def _print_help(context: typer.Context, wanted: bool) -> None:
    if wanted:
        print(context.get_help())
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    wants_help: Annotated[
        bool, typer.Option("--help", callback=_print_help, is_eager=True, help="Show this message and exit.")
    ] = False,
) -> None:
    """Benchmark hard-negative mining for dense retrieval: which negatives to train on, and how many are false."""


def main() -> None:
    """Run the command line; an InputError is printed in one line on stderr, with exit code 2."""
    if completion.VARIABLE in os.environ:
        completion.register_shells()
    libraries.configure()
    carry_out(_with_others if "WORLD_SIZE" in os.environ else app)


def _with_others() -> None:
    """Run the command line as one of the processes that torchrun has started."""
    from negbench.api.launches import carry_out

    carry_out(app)


class Models(StrEnum):
    """Which encoders a run leaves in its results."""

    best = "best"
    all = "all"
    none = "none"


class Runner(StrEnum):
    """Where stages are made."""

    local = "local"
    ray = "ray"


@app.command()
def run(
    grid: GridPath,
    assignments: Assignments = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; by default runs/NAME.", show_default=False)
    ] = None,
    log_models: Annotated[
        bool, typer.Option("--log-models", help="Also log the trained encoders to MLflow, about 90 MB each.")
    ] = False,
    models: Annotated[
        Models, typer.Option(help="Encoders to copy to the results: the best row by dev, all rows, or none.")
    ] = Models.best,
    runs: Annotated[bool, typer.Option("--runs", help="Also write TREC runs and MTEB result files.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Stages that are made at a time; one by default, on Ray all it can.", show_default=False
        ),
    ] = None,
    runner: Annotated[
        Runner, typer.Option(help="Where stages are made: on this machine, or on a Ray cluster.")
    ] = Runner.local,
    address: Annotated[
        str | None, typer.Option(help="With --runner ray: address of the cluster, or auto.", show_default=False)
    ] = None,
    push: Annotated[
        str | None, typer.Option(metavar="REPO", help="Upload best/ to this model hub repository.", show_default=False)
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Run what is missing of a grid and print its table.

    Stages that are stored are not run again. The results are written to a folder.

    Example: negbench run grid.yaml --set 'seeds=[0, 1, 2]'
    """
    asked = negbench.load_grid(grid, assignments)
    if push is not None:
        from negbench.api.pushes import check_push

        check_push(push, models.value)
    with progress_bar(size_of(asked)) as progress:
        result = negbench.run(
            asked,
            out,
            progress=progress,
            log_models=log_models,
            models=models.value,
            runs=runs,
            workers=workers,
            runner=runner.value,
            address=address,
            yes=yes,
            command=given_command(),
        )
    _show(result, as_json)
    print_outcome(result, as_json)
    if push is not None:
        say(f"pushed to {negbench.push_model(result, push)}", stderr=True)


@app.command()
def repair(
    grid: GridPath,
    assignments: Assignments = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; by default runs/NAME.", show_default=False)
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Measure what the false negatives of a grid cost.

    The grid is run with false negatives removed and injected, by the fuller judgments of its collection.

    Example: negbench repair grid.yaml --set 'axes.repair=[null, replaced]'
    """
    asked = negbench.load_grid(grid, assignments)
    with progress_bar(size_of(asked)) as progress:
        result = negbench.run_repair(asked, out, progress=progress, yes=yes, command=given_command())
    _show(result, as_json)
    print_outcome(result.run, as_json)


@app.command()
def reproduce(
    paper: Annotated[
        str,
        typer.Argument(help="A paper of experiments/papers, all, or a folder with paper.yaml and expect.yaml."),
    ],
    only: Annotated[
        list[str], typer.Option("--only", metavar="NAME", help="A statement, or a pattern with *; can be repeated.")
    ] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="Folder for the results, a folder a paper.")] = Path("results/papers"),
    as_json: AsJson = False,
) -> None:
    """Give a verdict on each claim of a paper.

    What the claims need is run first.

    Example: negbench reproduce minilm
    """
    with progress_bar() as progress:
        result = negbench.reproduce(paper, only, out, progress=progress, command=given_command())
    _show(result, as_json)
    if not as_json and result.papers:
        say(f"results in {result.path}")
    for line in (*result.failures, *result.worse, *(f"negbench: {error}" for error in result.errors)):
        print_error(line)
    if result.errors:
        raise typer.Exit(2)
    if result.worse or result.failures:
        raise typer.Exit(1)


@app.command()
def plan(grid: GridPath, assignments: Assignments = [], yes: Yes = False, as_json: AsJson = False) -> None:  # noqa: B006
    """Show the trials and stages of a grid; nothing is run.

    Each stage is stored, shared by trials, or left to run.

    Example: negbench plan grid.yaml
    """
    _show(negbench.plan_run(negbench.load_grid(grid, assignments), yes=yes), as_json)


@app.command()
def evaluate(
    encoder: Annotated[str, typer.Option(help="Hub id, model folder, name of offline weights, or bm25.")],
    collection: Annotated[
        str, typer.Option(help="Collection as in a grid: helpdesk, a folder, a file of pairs, hub:ID, ir_datasets:ID.")
    ],
    split: Annotated[str, typer.Option(help="Split to evaluate on.")] = "test",
    precision: Annotated[str, typer.Option(help="Arithmetic of the encoder: auto, float32 or bfloat16.")] = "auto",
    max_length: Annotated[
        int | None, typer.Option(min=8, help="Most tokens per text; by default the model's limit.", show_default=False)
    ] = None,
    measures: Annotated[
        str, typer.Option(help="Measures of ir-measures, separated by spaces.")
    ] = "nDCG@10 RR@10 R@100 AP Judged@10",
    as_json: AsJson = False,
) -> None:
    """Measure an encoder, or BM25, on a collection.

    Example: negbench evaluate --encoder all-MiniLM-L6-v2 --collection helpdesk
    """
    result = negbench.evaluate(
        encoder,
        collection,
        split,
        measures,
        precision=precision,
        max_length=max_length,
        progress=None if as_json else label_of_stage,
    )
    _show(result, as_json)


@app.command()
def report(
    grid: GridPath,
    assignments: Assignments = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Folder with the results; by default runs/NAME.", show_default=False)
    ] = None,
    texts: Annotated[
        int, typer.Option(min=0, help="Number of training queries whose negatives are shown with their texts.")
    ] = 3,
    audit: Annotated[
        list[Path],
        typer.Option(
            help="Answered audit of this grid; its rates join tables, page and model cards. Repeat it for several.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
) -> None:
    """Write an HTML page, figures and a LaTeX table of results.

    They go into the folder of the grid's results.

    Example: negbench report grid.yaml
    """
    for path in negbench.write_report(negbench.load_grid(grid, assignments), out, texts=texts, audit=audit):
        print(for_terminal(str(path)))


@app.command()
def inspect(
    grid: GridPath,
    queries: Annotated[
        list[str], typer.Argument(help="Ids of training queries; by default those with most false negatives.")
    ] = [],  # noqa: B006
    assignments: Assignments = [],  # noqa: B006
) -> None:
    """Show the negatives of each method side by side.

    For single queries: text, score, rank and label of each negative.

    Example: negbench inspect grid.yaml q17
    """
    _show(negbench.inspect(negbench.load_grid(grid, assignments), queries), as_json=False)
