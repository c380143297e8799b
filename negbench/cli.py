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
from negbench.commands import advice, listings, negatives, store
from negbench.commands.shared import AsJson, Assignments, GridPath, Yes
from negbench.escaping import for_terminal
from negbench.terminal import Commands, carry_out, print_error, say
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
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Run the stages of a grid that are not stored yet, write the results and print the table.

    Example: negbench run grid.yaml --set 'seeds=[0, 1, 2]'
    """
    asked = negbench.load_grid(grid, assignments)
    with _progress(_size(asked)) as progress:
        result = negbench.run(
            asked,
            out,
            progress=progress,
            log_models=log_models,
            models=models.value,
            runs=runs,
            yes=yes,
            command=_command(),
        )
    _show(result, as_json)
    _tell(result, as_json)
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
    """Run a grid with false negatives removed and injected, by its fuller judgments, and estimate what they cost.

    Example: negbench repair grid.yaml --set 'axes.repair=[null, replaced]'
    """
    asked = negbench.load_grid(grid, assignments)
    with _progress(_size(asked)) as progress:
        result = negbench.run_repair(asked, out, progress=progress, yes=yes, command=_command())
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
        say(f"results in {result.path}")
    for line in (*result.failures, *result.worse, *result.errors):
        print_error(line)
    if result.errors:
        raise typer.Exit(2)
    if result.worse or result.failures:
        raise typer.Exit(1)


@app.command()
def plan(grid: GridPath, assignments: Assignments = [], yes: Yes = False, as_json: AsJson = False) -> None:  # noqa: B006
    """Show the trials and stages of a grid: stored, shared, left to run. Nothing is run.

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

    def progress(label: str) -> None:
        if not as_json:
            say(label, stderr=True)

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
) -> None:
    """Write an HTML page, figures and a LaTeX table of a grid's results into their folder.

    Example: negbench report grid.yaml
    """
    for path in negbench.write_report(negbench.load_grid(grid, assignments), out, texts=texts):
        print(for_terminal(str(path)))


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


@app.command()
def audit(
    negatives: Annotated[
        list[Path],
        typer.Argument(help="Files or folders with mined negatives, a grid, or the folder of an audit."),
    ],
    collection: Annotated[
        str | None,
        typer.Option(
            help="Collection that the negatives are from, as in a grid; adds its judgments.", show_default=False
        ),
    ] = None,
    labels: Annotated[
        int | None,
        typer.Option(
            min=2, help="Draw this many pairs to label, and write the sheet; 200 is a good start.", show_default=False
        ),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.5,
            help="Draw as many pairs as intervals of this half-width need; 0.05 is 5 points.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[bool, typer.Option("--label", help="The same as --labels 200.")] = False,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Model that scores all pairs, for a better draw and a narrower interval: bi-encoder, llm(...), ...",
            show_default=False,
        ),
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Label in a browser on this machine.")] = False,
    annotator: Annotated[
        str | None, typer.Option(help="With --serve: name of the annotator, if there are several.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the sheet; by default audits/NAME.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw and of the order of the sheet.")] = 0,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="File with the answers instead of the sheet: columns item, answer or grade.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Label a sample of mined negatives, and estimate their false-negative rate.

    NEGATIVES are files of sentence-transformers, FlagEmbedding, Tevatron or DPR, triples, or a grid that was run.
    Without --label, --labels, --width, --judge or --serve the negatives are only described. If the sheet has answers,
    the rate is estimated.

    Example: negbench audit mined.jsonl --label
    """

    def show(address: str) -> None:
        say(f"open {address}", stderr=True)
        say("Press Ctrl-C to stop; all answers are saved.", stderr=True)

    result = negbench.audit(
        negatives,
        True if label and labels is None and width is None else labels,
        collection=collection,
        width=width,
        judge=judge,
        serve=serve,
        annotator=annotator,
        out=out,
        seed=seed,
        answers=answers,
        show=show,
    )
    _show(result, as_json)


def _size(grid: negbench.Grid) -> str:
    trials = sum(len(row["seeds"]) for row in grid.data)
    return f"grid {grid.name}: {trials:,} {'trial' if trials == 1 else 'trials'}, and its references"


def _tell(found: negbench.Results, as_json: bool) -> None:
    """Print where the results are and what failed; exit with code 1 if anything failed."""
    if not as_json:
        where = f"results in {found.path}; {found.tracking}"
        for line in (where, *found.model_notes):
            say(line)
    for reason in dict.fromkeys(found.failures.values()):
        names = [name for name, why in found.failures.items() if why == reason]
        whose = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        print_error(f"failed: {whose}: {reason}")
    if found.failures:
        say(f"tracebacks in {found.path / 'errors.log'}", stderr=True)
        raise typer.Exit(1)


def _command() -> list[str]:
    return ["negbench", *sys.argv[1:]]


@contextlib.contextmanager
def _progress(about: str = "") -> Iterator[Callable[[Any], None]]:
    """Yield a callback that shows progress on stderr: a bar on a terminal, else one line per stage.

    ``about`` is said before the first.
    """
    console = Console(stderr=True)
    texts = [TextColumn(form, markup=False) for form in ("{task.description}", "{task.fields[left]}")]
    columns = (SpinnerColumn(), texts[0], BarColumn(), texts[1])
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("checking the stored stages", total=None, left="")
        said = [about] if about else []

        def report(now: Any) -> None:
            left = f"about {_duration(now.seconds_left)} left"
            while said:
                console.print(for_terminal(said.pop()), markup=False, highlight=False)
            bar.update(task, total=now.total, completed=now.done, description=for_terminal(now.label), left=left)
            if not console.is_terminal:
                say(f"[{now.done + 1}/{now.total}] {now.label} ({left})", stderr=True)

        yield report


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
