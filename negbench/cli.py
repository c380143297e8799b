"""The commands. No logic: each reads its arguments, calls a room, prints."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from negbench.errors import InputError

if TYPE_CHECKING:
    from negbench.config.grid import Grid
    from negbench.plan.trials import Trial
    from negbench.runners.grid import Finished

app = typer.Typer(
    name="negbench",
    help="Benchmark hard-negative mining for dense retrieval: which negatives to train on, and how many are false.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

GridPath = Annotated[Path, typer.Argument(help="The grid file (YAML).", show_default=False)]
Assignments = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the grid; dotted, repeatable.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def main() -> None:
    """Run the command line; a user's error is one line on stderr and exit code 2."""
    _calm()
    try:
        app()
    except InputError as error:
        Console(stderr=True, soft_wrap=True).print(f"negbench: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)


def _calm() -> None:
    """Keep libraries' progress bars out of the output, and their threads from spinning, unless the user asks for it."""
    # A thread of torch's that waits for another spins; where something else has its core, for as long as that runs.
    # Less patience makes a busy machine up to ten times faster, and costs nothing on a quiet one.
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
    """Let the process keep the memory that it frees, and take it in large pages: a fifth less time on a CPU.

    Otherwise each operation of a model gets its output's memory from Linux afresh, page by page. To be called before
    torch is imported; does nothing where the C library is not glibc.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for large pages
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 2**30)
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them


def _console() -> Console:
    width = None if sys.stdout.isatty() else 160
    return Console(width=width)


@app.command()
def run(
    grid: GridPath,
    assignments: Assignments = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(help="Where results go; runs/NAME otherwise.", show_default=False)] = None,
    log_models: Annotated[
        bool, typer.Option("--log-models", help="Log the trained encoders to MLflow too, some 90 MB each.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run what is missing of a grid, write its results, print the table."""
    from negbench.config.grid import read
    from negbench.plan.trials import trials

    asked = read(grid, assignments)
    folder = out or Path("runs") / asked.name
    finished = _carry_out(asked, trials(asked), folder, log_models)
    if as_json:
        print((folder / "results.json").read_text(), end="")
    else:
        _console().print(finished.table)
    _tell(finished, folder, as_json)


@app.command()
def repair(
    grid: GridPath,
    assignments: Assignments = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(help="Where results go; runs/NAME otherwise.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Run a grid with false negatives taken out and put in, by the truth, and say what they cost."""
    from negbench.plan.trials import trials
    from negbench.runners import repair as repairing
    from negbench.store import Store

    asked = repairing.read(grid, assignments)
    found = trials(asked)
    repairing.check(grid, found)
    folder = out or Path("runs") / asked.name
    finished = _carry_out(asked, found, folder)
    shown = repairing.write(asked, found, Store.default(), folder)
    if as_json:
        print((folder / "repair.json").read_text(), end="")
    else:
        _console().print(shown)
    _tell(finished, folder, as_json)


def _carry_out(asked: Grid, found: list[Trial], folder: Path, log_models: bool = False) -> Finished:
    """Run what is missing of a grid, and say on stderr how far it is."""
    from negbench.runners import grid as runner
    from negbench.store import Store

    with _progress() as progress:
        task = progress.add_task("looking at what is stored", total=None, left="")

        def report(now: Any) -> None:
            left = f"about {_duration(now.seconds_left)} left"
            progress.update(task, total=now.total, completed=now.done, description=now.label, left=left)
            if not progress.console.is_terminal:
                progress.console.print(
                    f"[{now.done + 1}/{now.total}] {now.label} ({left})", markup=False, soft_wrap=True
                )

        return runner.run(asked, found, Store.default(), folder, ["negbench", *sys.argv[1:]], report, log_models)


def _tell(finished: Finished, folder: Path, as_json: bool) -> None:
    """Say where the results are and what failed; exit code 1 where anything did."""
    if not as_json:
        where = f"results in {folder}; {finished.tracking}"
        _console().print(where, markup=False, highlight=False, soft_wrap=True)
    for reason in dict.fromkeys(finished.failed.values()):
        names = [name for name, why in finished.failed.items() if why == reason]
        whose = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        Console(stderr=True).print(f"failed: {whose}: {reason}", style="red", markup=False, soft_wrap=True)
    if finished.failed:
        Console(stderr=True).print(f"tracebacks in {folder / 'errors.log'}", markup=False, soft_wrap=True)
        raise typer.Exit(1)


@app.command()
def plan(grid: GridPath, assignments: Assignments = [], as_json: AsJson = False) -> None:  # noqa: B006
    """Show the trials and stages of a grid: which are stored, which are shared. Runs nothing."""
    from negbench.config.grid import read
    from negbench.plan.graph import planned
    from negbench.plan.trials import trials
    from negbench.store import Store

    found = trials(read(grid, assignments))
    stages = planned(found, Store.default())
    if as_json:
        data = {
            "trials": [{"name": trial.name, "stages": [stage.key for stage in trial.stages]} for trial in found],
            "stages": [
                {"key": item.stage.key, "kind": item.stage.kind, "label": item.stage.label}
                | {"trials": item.users, "stored": item.stored}
                for item in stages
            ],
        }
        print(json.dumps(data, indent=1))
        return
    table = Table(title=f"{len(found)} trials, {len(stages)} stages", title_justify="left")
    for name in ("stage", "digest", "used by", "stored"):
        table.add_column(name, overflow="fold")
    for item in stages:
        names = [trial.name for trial in found if item.stage in trial.stages]
        users = names[0] if len(names) == 1 else f"{len(names)} trials"
        table.add_row(item.stage.label, item.stage.key[:10], users, "yes" if item.stored else "no")
    console = _console()
    console.print(table)
    missing = sum(not item.stored for item in stages)
    console.print(f"{len(stages) - missing} stages are stored, {missing} are left to run")


@app.command()
def evaluate(
    encoder: Annotated[str, typer.Option(help="Hub id, folder, offline name, or bm25.")],
    collection: Annotated[str, typer.Option(help="As in a grid: helpdesk, a folder, hub:ID, ir_datasets:ID.")],
    split: Annotated[str, typer.Option(help="Which judgments.")] = "test",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    max_length: Annotated[
        int | None, typer.Option(min=8, help="Tokens a text; the model's own otherwise.", show_default=False)
    ] = None,
    measures: Annotated[
        str, typer.Option(help="ir-measures, separated by spaces.")
    ] = "nDCG@10 RR@10 R@100 AP Judged@10",
    as_json: AsJson = False,
) -> None:
    """Measure an encoder, or BM25, on a collection."""
    from negbench.runners.evaluate import evaluate as measure

    errors = Console(stderr=True)

    def report(label: str) -> None:
        if not as_json:
            errors.print(label, markup=False, highlight=False, soft_wrap=True)

    found = measure(encoder, collection, split, precision, max_length, tuple(measures.split()), report)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = Table()
    for name in found["metrics"]:
        table.add_column(name, justify="right")
    table.add_row(*[f"{value:.4f}" for value in found["metrics"].values()])
    console = _console()
    for warning in found["warnings"]:
        console.print(f"note: {warning}", markup=False, highlight=False, soft_wrap=True)
    title = f"{encoder} on {found['collection']}, {split}, {found['queries']} queries"
    console.print(title, markup=False, highlight=False, soft_wrap=True)  # a table's own title wraps at its width
    console.print(table)


@app.command()
def methods(
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
) -> None:
    """List the methods that a grid can name: what they do, from which paper, in which forms, and what they need."""
    from negbench.methods import catalogue, listing

    listed = catalogue()
    if as_json:
        print(json.dumps({name: method.model_dump(mode="json") for name, method in listed.items()}, indent=1))
        return
    if as_markdown:
        print(listing.page(listed.values()), end="")
        return
    table = Table(title="methods", title_justify="left", show_lines=True)
    for name in ("method", "what it does", "axes", "form", "needs beside training", "paper"):
        table.add_column(name, overflow="fold")
    for name, method in listed.items():
        paper = f"{method.paper} ({method.year})"
        cells = [name, method.summary, listing.axes(method), listing.forms(method), listing.cost(method), paper]
        table.add_row(*[Text(cell) for cell in cells])
    _console().print(table)


@app.command()
def report(
    grid: GridPath,
    assignments: Assignments = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Where the results are; runs/NAME otherwise.", show_default=False)
    ] = None,
    texts: Annotated[int, typer.Option(min=0, help="Training queries whose negatives are shown with their texts.")] = 3,
) -> None:
    """Write a page of a grid's results, figures and a LaTeX table, beside the results."""
    from negbench.config.grid import read
    from negbench.plan.trials import trials
    from negbench.report import inspect, page
    from negbench.store import Store

    asked = read(grid, assignments)
    shown = inspect.examples(trials(asked), Store.default(), (), texts) if texts else []
    for path in page.write(out or Path("runs") / asked.name, shown):
        print(path)


@app.command()
def inspect(
    grid: GridPath,
    queries: Annotated[list[str], typer.Argument(help="Ids of training queries; telling ones otherwise.")] = [],  # noqa: B006
    assignments: Assignments = [],  # noqa: B006
) -> None:
    """Show what each method drew for a query, side by side: text, score, rank, label."""
    from negbench.config.grid import read
    from negbench.plan.trials import trials
    from negbench.report import inspect as inspecting
    from negbench.store import Store

    _console().print(
        inspecting.terminal(inspecting.examples(trials(read(grid, assignments)), Store.default(), queries))
    )


@app.command()
def audit(
    negatives: Annotated[
        list[Path],
        typer.Argument(help="Files or folders of mined negatives, a grid, or a folder that an audit wrote."),
    ],
    collection: Annotated[
        str | None,
        typer.Option(help="Whose queries, documents and judgments these are; as in a grid.", show_default=False),
    ] = None,
    labels: Annotated[
        int | None,
        typer.Option(min=2, help="Write a sheet that asks about so many pairs; 200 is a start.", show_default=False),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=0.5, help="The same, for intervals of +- this, as in 0.05: 5 points.", show_default=False
        ),
    ] = None,
    label: Annotated[bool, typer.Option("--label", help="Write a sheet of 200 pairs.")] = False,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Who scores all pairs, to guide the draw and narrow the interval: bi-encoder, llm(...), as a teacher.",
            show_default=False,
        ),
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Ask in a browser, on this machine.")] = False,
    annotator: Annotated[
        str | None, typer.Option(help="With --serve: whose answers these are, one of several.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the sheet goes; audits/NAME otherwise.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw and the order of the sheet.")] = 0,
    answers: Annotated[
        Path | None, typer.Option(help="Answers in a file of your own: item, answer or grade.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask people which negatives are relevant, and estimate the false-negative rate from what they say.

    NEGATIVES are as sentence-transformers, FlagEmbedding, Tevatron or DPR write them, triples, or a grid that was
    run. Without --label, --labels, --width, --judge or --serve they are described; where a sheet has answers, the rate
    is estimated.
    """
    from negbench.audit import run as auditing
    from negbench.audit import told
    from negbench.store import Store

    console, errors = _console(), Console(stderr=True)

    def show(address: str) -> None:
        errors.print(f"open {address}", markup=False, highlight=False, soft_wrap=True)
        errors.print("Ctrl-C stops it; what was answered is kept.", highlight=False)

    if label and labels is None and width is None:
        labels = auditing.LABELS
    asked = auditing.Asked(tuple(negatives), collection, labels, width, serve, out, seed, answers, judge, annotator)
    found = auditing.run(asked, Store.default(), show)
    if as_json:
        print(json.dumps(told.everything(found), indent=1))
        return
    for part in told.parts(found):
        console.print(part, markup=False, highlight=False, soft_wrap=True)


@app.command()
def schema() -> None:
    """Print the JSON schema of grid files."""
    from negbench.config.schema import grid_schema

    print(json.dumps(grid_schema(), indent=1))


def _progress() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
