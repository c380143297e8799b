"""The command line: each command calls the function of the Python API with the same purpose and prints its result."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

import negbench
from negbench.commands import advice, audits, listings, negatives, store
from negbench.commands.shared import AsJson, Assignments, GridPath
from negbench.terminal import Commands, carry_out
from negbench.terminal import show as _show

app = typer.Typer(
    name="negbench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    cls=Commands,
)
app.add_typer(advice.app)
app.add_typer(negatives.app)
app.add_typer(audits.app)
app.add_typer(listings.app)
app.add_typer(store.app, name="store")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"negbench {negbench.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Benchmark hard-negative mining for dense retrieval: which negatives to train on, and how many are false."""


def main() -> None:
    """Run the command line; an InputError is printed in one line on stderr, with exit code 2."""
    _configure_libraries()
    carry_out(app)


def _configure_libraries() -> None:
    """Configure libraries by environment variables, unless set: no progress bars, less spinning of threads."""
    # Torch's threads spin while they wait, even if another process needs the core. With less spinning a busy machine is
    # up to ten times faster, and an idle one as fast.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    keep_memory()
    for name in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("sentence_transformers", "transformers", "datasets", "bm25s"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")


def keep_memory() -> None:
    """Keep freed memory in the process and use huge pages: a fifth less time on a CPU.

    Otherwise every operation of a model gets its output's memory from Linux page by page. Call it before torch is
    imported; it does nothing without glibc.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch uses huge pages
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 2**30)
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # constants of malloc.h


class Models(StrEnum):
    """Which encoders a run leaves in its results."""

    best = "best"
    all = "all"
    none = "none"


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
    push: Annotated[
        str | None, typer.Option(metavar="REPO", help="Upload best/ to this model hub repository.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the stages of a grid that are not stored yet, write the results and print the table.

    Example: negbench run grid.yaml --set 'seeds=[0, 1, 2]'
    """
    asked = negbench.load_grid(grid, assignments)
    with _progress() as progress:
        result = negbench.run(
            asked,
            out,
            progress=progress,
            log_models=log_models,
            models=models.value,
            runs=runs,
            command=_command(),
        )
    _show(result, as_json)
    _tell(result, as_json)
    if push is not None:
        Console(stderr=True).print(f"pushed to {negbench.push_model(result, push)}", markup=False, soft_wrap=True)


@app.command()
def repair(
    grid: GridPath,
    assignments: Assignments = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; by default runs/NAME.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a grid with false negatives removed and injected, by its fuller judgments, and estimate what they cost.

    Example: negbench repair grid.yaml --set 'axes.repair=[null, replaced]'
    """
    asked = negbench.load_grid(grid, assignments)
    with _progress() as progress:
        result = negbench.run_repair(asked, out, progress=progress, command=_command())
    _show(result, as_json)
    _tell(result.run, as_json)


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
    """Run what the claims of a paper need, and give a verdict on each.

    Example: negbench reproduce minilm
    """
    with _progress() as progress:
        result = negbench.reproduce(paper, only, out, progress=progress, command=_command())
    _show(result, as_json)
    if not as_json and result.papers:
        Console().print(f"results in {result.path}", markup=False, highlight=False, soft_wrap=True)
    errors = Console(stderr=True)
    for line in (*result.failures, *result.worse, *result.errors):
        errors.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    if result.errors:
        raise typer.Exit(2)
    if result.worse or result.failures:
        raise typer.Exit(1)


@app.command()
def plan(grid: GridPath, assignments: Assignments = [], as_json: AsJson = False) -> None:  # noqa: B006
    """Show the trials and stages of a grid: stored, shared, left to run. Nothing is run.

    Example: negbench plan grid.yaml
    """
    _show(negbench.plan_run(negbench.load_grid(grid, assignments)), as_json)


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
    errors = Console(stderr=True)

    def progress(label: str) -> None:
        if not as_json:
            errors.print(label, markup=False, highlight=False, soft_wrap=True)

    result = negbench.evaluate(
        encoder, collection, split, measures, precision=precision, max_length=max_length, progress=progress
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
        Path | None,
        typer.Option(help="Answered audit of this grid; its rates join tables and page.", show_default=False),
    ] = None,
) -> None:
    """Write an HTML page, figures and a LaTeX table of a grid's results into their folder.

    Example: negbench report grid.yaml
    """
    for path in negbench.write_report(negbench.load_grid(grid, assignments), out, texts=texts, audit=audit):
        print(path)


@app.command()
def inspect(
    grid: GridPath,
    queries: Annotated[
        list[str], typer.Argument(help="Ids of training queries; by default those with most false negatives.")
    ] = [],  # noqa: B006
    assignments: Assignments = [],  # noqa: B006
) -> None:
    """Show the negatives of each method for single queries, side by side: text, score, rank, label.

    Example: negbench inspect grid.yaml q17
    """
    _show(negbench.inspect(negbench.load_grid(grid, assignments), queries), as_json=False)


def _tell(found: negbench.Results, as_json: bool) -> None:
    """Print where the results are and what failed; exit with code 1 if anything failed."""
    if not as_json:
        where = f"results in {found.path}; {found.tracking}"
        for line in (where, *found.model_notes):
            Console().print(line, markup=False, highlight=False, soft_wrap=True)
    errors = Console(stderr=True)
    for reason in dict.fromkeys(found.failures.values()):
        names = [name for name, why in found.failures.items() if why == reason]
        whose = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        errors.print(f"failed: {whose}: {reason}", style="red", markup=False, soft_wrap=True)
    if found.failures:
        errors.print(f"tracebacks in {found.path / 'errors.log'}", markup=False, soft_wrap=True)
        raise typer.Exit(1)


def _command() -> list[str]:
    return ["negbench", *sys.argv[1:]]


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Any], None]]:
    """Yield a callback that shows progress on stderr: a bar on a terminal, else one line per stage."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("checking the stored stages", total=None, left="")

        def report(now: Any) -> None:
            left = f"about {_duration(now.seconds_left)} left"
            bar.update(task, total=now.total, completed=now.done, description=now.label, left=left)
            if not console.is_terminal:
                console.print(f"[{now.done + 1}/{now.total}] {now.label} ({left})", markup=False, soft_wrap=True)

        yield report


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
