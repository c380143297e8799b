"""Run a grid and write its results: JSON, tables, values by query, manifest; and hand them to MLflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group

from negbench import tracking
from negbench.config.grid import Grid, Settings
from negbench.encoders.precision import resolve
from negbench.plan.evaluation import EvaluateEncoder, EvaluateRetriever
from negbench.plan.sources import LoadCollection, StartEncoder, read_collection, split_queries
from negbench.plan.training import Train
from negbench.plan.trials import Trial, collection_name
from negbench.report import results, table
from negbench.report.rows import PRIMARY, Row, rows
from negbench.runners import local
from negbench.runners.logs import trial_log
from negbench.store import Store


@dataclass(frozen=True)
class Finished:
    """What a run of a grid leaves: its table for the terminal, failures by trial, warnings, MLflow's outcome."""

    table: Group
    failed: dict[str, str]
    tracking: str


def run(
    grid: Grid,
    trials: Sequence[Trial],
    store: Store,
    out: Path,
    command: Sequence[str],
    report: Callable[[local.Progress], None],
    log_models: bool = False,
) -> Finished:
    """Make what is missing and write the results, after each trial and at the end; log them to MLflow.

    ``log_models`` logs the trained encoders too.

    The files in ``out`` are whole at every moment; a run that was killed is completed by the next. Raises InputError
    for a collection that cannot be read or lacks a split, before anything is written to ``out``.
    """
    _check_collections(trials, store, report)
    out.mkdir(parents=True, exist_ok=True)
    first = grid.points[0][1]
    grid_text = Path(grid.path).read_text(encoding="utf-8")
    made = results.manifest(command, grid_text, resolve(first.train.precision))
    results.write_json(out / "manifest.json", {**made, "digests": _digests(trials)})
    failures: dict[str, str | None] = {}

    def finished(trial: Trial, failure: str | None) -> None:
        failures[trial.name] = failure
        ready = [other for other in trials if other.name in failures]
        if trial.training is not None:
            _write(grid, ready, trials, failures, store, out)

    log = out / "errors.log"
    log.unlink(missing_ok=True)
    failed = local.run(trials, store, report, finished, lambda text: _append(log, text))
    data, shown = _write(grid, trials, trials, failures, store, out)
    logs = [
        trial_log(trial, row, store, log_models)
        for trial, row in zip(trials, data["trials"], strict=True)
        if row["status"] == "done"
    ]
    files = [
        out / name for name in ("results.json", "table.md", "table.csv", "by_query.csv", "curves.csv", "manifest.json")
    ]
    outcome = tracking.log_grid(grid.name, logs, out, artifacts=files)
    return Finished(shown, failed, outcome.message)


def _check_collections(trials: Sequence[Trial], store: Store, report: Callable[[local.Progress], None]) -> None:
    """Load the collections of unfinished trials: what is wrong with them is said before hours of training."""
    unfinished = [trial for trial in trials if not all(store.has(stage) for stage in trial.stages)]
    needed = dict.fromkeys(
        (stage.collection, stage.split)
        for trial in unfinished
        for stage in trial.stages
        if isinstance(stage, EvaluateEncoder | EvaluateRetriever | Train)
    )
    for at, (loaded, split) in enumerate(needed):
        if not store.has(loaded):
            report(local.Progress(at, len(needed), loaded.label, 0.0))
        split_queries(read_collection(store.ensure(loaded)), split)


def _digests(trials: Sequence[Trial]) -> dict[str, dict[str, str]]:
    """Return the digests of the bytes that everything rests on: collections and starting weights, by spelling."""
    stages = [stage for trial in trials for stage in trial.stages]
    return {
        "collections": {it.source.spelling: it.fingerprint for it in stages if isinstance(it, LoadCollection)},
        "encoders": {it.spec.spelling: it.fingerprint for it in stages if isinstance(it, StartEncoder)},
    }


def _write(
    grid: Grid,
    ready: Sequence[Trial],
    trials: Sequence[Trial],
    failures: dict[str, str | None],
    store: Store,
    out: Path,
) -> tuple[dict[str, Any], Group]:
    first = grid.points[0][1]
    measure = first.measures[0]
    done = [trial for trial in ready if failures[trial.name] is None]
    data: dict[str, Any] = {
        "name": grid.name,
        "trials": [results.record(trial, trials, store, failures[trial.name]) for trial in ready],
    }
    evidence = results.evidence(done, store)
    found = rows(data, measure, first.baseline, first.equivalent_within, evidence)
    data["rows"] = [asdict(row) for row in found]
    points = [settings for _, settings in grid.points]
    elsewhere = dict.fromkeys(collection_name(source) for settings in points for source in settings.evaluate_on)
    data["tables"] = []
    for part, some in table.split(found):
        heading, body = table.cells(some, measure, first.baseline, list(elsewhere))
        data["tables"].append({"title": part, "heading": heading, "body": body})
    collections = dict.fromkeys(collection_name(settings.collection) for settings in points)
    encoders = dict.fromkeys(settings.encoder.spelling for settings in points)
    title = f"{grid.name}: {' and '.join(collections)}, {' and '.join(encoders)}"
    data["notes"] = notes(data, found, first)
    data["settings"] = {
        "title": title,
        "measure": measure,
        "baseline": first.baseline,
        "equivalent_within": first.equivalent_within,
        "methods": len(first.methods),
        "seeds": len(first.seeds),
        "legend": legend(found, first),
    }
    results.write_json(out / "results.json", data)
    results.write_text(out / "by_query.csv", results.by_query(done, store, evidence.values))
    results.write_text(out / "curves.csv", results.curves(done, store))
    results.write_text(out / "table.md", table.markdown(data["tables"], title, data["notes"]))
    results.write_text(out / "table.csv", table.to_csv(found, measure))
    return data, _printed(data)


def _printed(data: dict[str, Any]) -> Group:
    """Return the tables for the terminal, the legend below the last."""
    settings = data["settings"]
    found = []
    for at, one in enumerate(data["tables"], start=1):
        below = settings["legend"] if at == len(data["tables"]) else ()
        found.append(table.terminal(one["heading"], one["body"], one["title"] or settings["title"], below))
    return Group(*found)


def legend(found: Sequence[Row], settings: Settings) -> list[str]:
    """Return what the table's ± and marks mean, a line each."""
    several = any(row.seeds > 1 for row in found)
    lines = [f"± 95 %: half of the interval over queries{' and seeds' if several else '; one seed says no more'}"]
    family = max((row.family for row in found), default=0)
    if family:
        lines.append(f"{table.DIFFERS} differs from {settings.baseline} (5 %, Holm over {family} comparisons)")
        lines.append(
            f"{table.SAME} within {settings.equivalent_within:g} of {settings.baseline} (equivalence test, 5 %)"
        )
    return lines


def notes(data: dict[str, Any], found: Sequence[Row], settings: Settings) -> list[str]:
    """Return what a reader of the table has to know, one paragraph each."""
    marks = legend(found, settings)
    lines = [
        f"Means over seeds. {'. '.join(marks)}. Differences are paired by query and seed; neither mark: undecided. "
        "`detectable`: the least difference that this many queries and seeds would show with a power of 80 % (5 %, "
        "unadjusted). `start` is the encoder before any training, `bm25-search` is BM25 as the search engine; both are "
        "references and no comparisons. False negatives: of the mined negatives that training was handed, weighted as "
        "training sees them, the share that is relevant, with the 95 % interval over queries, seeds pooled. "
        "In-batch documents are counted apart, after masking. `filled`: drawn from the whole corpus after a shortfall. "
        "`seconds`: the method alone, from nothing; `added`: what it added to this grid."
    ]
    estimators = {name: rate["note"] for row in data["trials"] for name, rate in row["false_negatives"].items()}
    lines += [f"{name}: {note}." for name, note in estimators.items() if name in PRIMARY]
    order = {row["spelling"]: row["draw"]["teacher_auc"] for row in data["trials"] if "teacher_auc" in row["draw"]}
    return lines + [
        f"{method}: its teacher puts a labelled positive above an unlabelled candidate of the same query in "
        f"{100 * share:.0f} % of the pairs (50 % is chance)."
        for method, share in order.items()
    ]


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text + "\n")
