"""Run a grid; its results; the page about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from negbench.api.grids import Grid, GridLike, as_grid, open_store
from negbench.api.result import Result, frame
from negbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from rich.console import RenderableType

    from negbench.executors.choice import ExecutorChoice
    from negbench.report.rows import Row
    from negbench.runners.outputs import Outputs
    from negbench.runners.schedule import Progress
    from negbench.store import Store


@dataclass(frozen=True, repr=False, kw_only=True)
class Results(Result):
    """The results of a grid, which ``path`` holds as files.

    ``failures`` has one line for each trial that failed, by its name; ``tracking`` is what MLflow answered. ``models``
    are the folders of the encoders that were kept, and ``model_notes`` say how they were chosen.
    """

    path: Path
    failures: dict[str, str]
    tracking: str
    outputs: Outputs
    contents: dict[str, Any]
    models: tuple[Path, ...] = ()
    model_notes: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """What ``results.json`` held when the run ended."""
        return self.contents

    @property
    def rows(self) -> list[Row]:
        """A record a method and point of the axes, averaged over seeds; the references too."""
        from negbench.report.rows import Row

        return [Row(**row) for row in self.data["rows"]]

    def to_pandas(self) -> DataFrame:
        """Return ``rows`` unrounded, with the columns of ``table.csv``: one an axis, one a measure."""
        from negbench.report.table import values

        return frame(values(self.rows, self.data["settings"]["measure"]))

    def side_by_side(self) -> DataFrame:
        """Return a row a method and column of the table of several collections, with its mean and out of domain.

        The columns are those of ``side_by_side.csv``. Raises InputError where the grid has one collection alone.
        """
        from negbench.report.side_by_side import Matrix
        from negbench.report.side_by_side_text import cells

        matrices = [Matrix.of(one) for one in self.data["side_by_side"]["matrices"]]
        if not matrices:
            raise InputError(
                f"{self.data['name']}: has one collection alone; list several under collections, or add evaluate_on"
            )
        return frame(cells(matrices))

    def figures(self) -> Mapping[str, Figure]:
        """Return side_by_side, quality, costs, ranks, where and curves: those that there is something to draw for."""
        return self.outputs.figures(self.data)

    def _renderable(self) -> RenderableType:
        """Return the tables that ``negbench run`` prints."""
        from negbench.runners.outputs import terminal

        return terminal(self.data)


def run(
    grid: GridLike,
    out: str | PathLike[str] | None = None,
    *,
    store: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    log_models: bool = False,
    models: Literal["best", "all", "none"] = "best",
    runs: bool = False,
    workers: int | None = None,
    runner: Literal["local", "ray"] = "local",
    address: str | None = None,
    yes: bool = False,
    command: Sequence[str] = ("negbench.run",),
) -> Results:
    """Run what is missing of a grid, and write its results to the folder ``out``, ``runs/NAME`` by default.

    What is in ``store`` (the folder at NEGBENCH_STORE, else ``.negbench``) is not made again. ``progress`` is called
    before each stage, with ``done``, ``total``, ``label``, ``seconds_left`` (None before anything was timed) and
    ``finished``, the methods of which trials are done. ``log_models`` logs the trained encoders to MLflow, too.
    ``models`` are the encoders that go to ``out`` as folders of sentence-transformers: the best row by dev, to
    ``best/``, ``all`` rows to ``models/`` as well, or none. ``runs`` writes the rankings of all
    rows as TREC files, to ``trec/``, and their scores as MTEB's result files, to ``mteb/``. ``workers`` processes of
    this machine make stages at a time; ``runner="ray"`` makes them on the Ray cluster at ``address``, or on one that it
    starts here. ``yes`` allows more than 10,000 trials. ``command`` is what the
    manifest says the results came from. A trial that fails is named in ``failures``, and the others go on. Raises
    InputError for what is wrong with the grid, the collection or the encoder, before anything is written to ``out``.

    >>> results = negbench.run("garden.yaml")
    >>> [row.method for row in results.rows]
    ['bm25-search', 'start', 'untouched', 'in-batch', 'bm25']
    >>> results.to_pandas()[["method", "nDCG@10", "false_negative_rate"]].shape
    (5, 3)
    >>> results.figure("quality").savefig("quality.png")
    """
    from negbench.executors.choice import ExecutorChoice
    from negbench.plan.size import check_size
    from negbench.plan.trials import trials
    from negbench.runners import models as keeping
    from negbench.runners import mteb_results, trec_runs

    if models not in ("best", "all", "none"):
        raise InputError(f"models: expected best, all or none, found {models!r}")
    executor = ExecutorChoice(runner, workers, address)
    grid = as_grid(grid)
    check_size(grid.config, yes)
    planned = trials(grid.config)
    keeping.check_free(models, planned, results_folder(grid, out))
    opened = open_store(store)
    check = partial(trec_runs.check, grid.config, planned, opened) if runs else None
    results = carry_out(grid, planned, out, opened, progress, log_models, command, executor, check)
    finished, folder = results.outputs, results.path
    kept = keeping.keep(
        models,
        finished.done,
        finished.records,
        finished.store,
        folder,
        progress or (lambda _: None),
        finished.audits,
        finished.recommended(results.contents),
    )
    if runs:
        trec_runs.write(finished.done, finished.store, folder)
        mteb_results.write(finished.done, finished.store, folder)
    return replace(results, models=kept.folders, model_notes=kept.notes)


def carry_out(
    grid: Grid,
    trials: Sequence[Any],
    out: str | PathLike[str] | None,
    store: Store,
    progress: Callable[[Progress], None] | None,
    log_models: bool,
    command: Sequence[str],
    executor: ExecutorChoice | None = None,
    check: Callable[[], None] | None = None,
) -> Results:
    """Run the trials of a grid, and read what was written; ``check`` is called before the first stage that is made."""
    from negbench.runners import grid as runner

    folder = results_folder(grid, out)
    report = progress or (lambda _: None)
    finished = runner.run(grid.config, trials, store, folder, command, report, log_models, executor, check)
    data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return Results(
        path=folder, failures=finished.failed, tracking=finished.tracking, outputs=finished.outputs, contents=data
    )


def results_folder(grid: Grid, out: str | PathLike[str] | None) -> Path:
    """Return where the results of a grid go. Raises InputError for a home that is not there."""
    from negbench.store.writable import expanded

    return Path("runs") / grid.name if out is None else expanded(out, "results folder")


def write_report(
    grid: GridLike,
    out: str | PathLike[str] | None = None,
    *,
    texts: int = 3,
    audit: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    store: str | PathLike[str] | None = None,
) -> list[Path]:
    """Write a page of a grid's results, figures and LaTeX tables, beside the results in ``out``; return the files.

    Each of several collections has a page in its own folder, too. The page shows the negatives of ``texts`` training
    queries with their texts. ``audit`` is the folder of an audit of this grid that has answers, or several, each of
    other methods or of another collection: tables, page and model cards then show the rates that they found, and so do
    those of later runs. A newer audit of the same negatives takes the place of an older one. Where the store no longer
    holds the negatives, the page says so in their place. Raises InputError where the grid has not run yet, for an audit
    of other negatives, and for two of the same.

    >>> results = negbench.run("garden.yaml")
    >>> [path.name for path in negbench.write_report("garden.yaml")][-2:]
    ['table.tex', 'report.html']
    """
    from negbench.plan.trials import trials
    from negbench.report import inspect, page
    from negbench.runners import by_collection
    from negbench.runners.rewrite import join_audits

    if texts < 0:
        raise InputError(f"texts: expected at least 0, found {texts}")
    grid, opened = as_grid(grid), open_store(store)
    folder, planned = results_folder(grid, out), trials(grid.config)
    audits = [] if audit is None else [Path(one) for one in ([audit] if isinstance(audit, str | PathLike) else audit)]
    if audits:
        join_audits(grid.config, planned, opened, folder, audits)
    parts = {folder / name: list(one.trials.values()) for name, one in by_collection.each(grid.config, planned).items()}
    written = []
    for place, own in {**parts, folder: planned}.items():
        if place == folder or place.is_dir():
            readable = inspect.are_stored(own, opened)
            shown = inspect.examples(own, opened, (), texts) if texts and readable else []
            mined = any(trial.negatives is not None for trial in own)
            written += page.write(place, shown, emptied=bool(texts) and mined and not readable)
    return written
