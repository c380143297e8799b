"""Run a grid and write its results: JSON, tables, values by query, manifest; and hand them to MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group

from negbench import tracking
from negbench.config.grid import Grid
from negbench.encoders.precision import resolve
from negbench.plan.evaluation import EvaluateEncoder, EvaluateRetriever
from negbench.plan.gradient import WeighFalseNegatives
from negbench.plan.mining import BuildPool
from negbench.plan.repair import RepairNegatives, truth_of
from negbench.plan.sources import LoadCollection, StartEncoder, read_collection, split_queries
from negbench.plan.training import WATCHED_SPLIT, Train
from negbench.plan.trials import Trial, collection_name
from negbench.report import results
from negbench.runners import local
from negbench.runners.outputs import Outputs
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
    for a collection that cannot be read or lacks a split, a run file that does not go with it, and an encoder that
    cannot be used, before anything is written to ``out``.
    """
    _check_collections(trials, store, report)
    _check_encoders(trials, store, report)
    out.mkdir(parents=True, exist_ok=True)
    first = grid.points[0][1]
    made = results.manifest(command, grid.text, grid.assignments, resolve(first.train.precision))
    made |= {"digests": _digests(trials)}
    results.write_json(out / "manifest.json", made)
    outputs = Outputs(grid, trials, store, out)
    news = {trial.name for trial in trials if not all(store.has(stage) for stage in trial.stages)}
    mlflow_answers = True

    def finished(trial: Trial, failure: str | None) -> None:
        nonlocal mlflow_answers
        outputs.add(trial, failure)
        if trial.training is None or trial.name not in news:
            return
        outputs.write()
        if failure is None and mlflow_answers:
            began = time.monotonic()
            mlflow_answers = not tracking.log_grid(grid.name, outputs.logs(log_models), out, artifacts=None).missing
            mlflow_answers = mlflow_answers and time.monotonic() - began < PATIENCE

    log = out / "errors.log"
    log.unlink(missing_ok=True)
    failed = local.run(trials, store, report, finished, lambda text: _append(log, text))
    shown = outputs.write()
    results.write_json(out / "manifest.json", made | {"versions": outputs.made_with() or made["versions"]})
    outcome = tracking.log_grid(grid.name, outputs.logs(log_models), out, artifacts=outputs.files)
    return Finished(shown, failed, outcome.message)


PATIENCE = 20.0
"""Seconds that MLflow may take over a trial; a slower one gets the rest at the end."""


def _check_collections(trials: Sequence[Trial], store: Store, report: Callable[[local.Progress], None]) -> None:
    """Load the collections of unfinished trials: what is wrong with them is said before hours of training."""
    unfinished = [trial for trial in trials if not all(store.has(stage) for stage in trial.stages)]
    stages = dict.fromkeys(stage for trial in unfinished for stage in trial.stages)
    used = [it for it in stages if isinstance(it, EvaluateEncoder | EvaluateRetriever | Train | BuildPool)]
    watched = [(it.collection, WATCHED_SPLIT) for it in stages if isinstance(it, Train) and it.curve_points]
    needed = dict.fromkeys([(it.collection, it.split) for it in used] + watched)
    for at, (loaded, split) in enumerate(needed):
        if not store.has(loaded):
            report(local.Progress(at, len(needed), loaded.label, 0.0))
        split_queries(read_collection(store.ensure(loaded)), split)
    for stage in stages:
        if isinstance(stage, BuildPool) and not store.has(stage):
            stage.check(read_collection(store.ensure(stage.collection)))
        if isinstance(stage, RepairNegatives):
            truth_of(read_collection(store.ensure(stage.pool.collection)), stage.pool.split)
        if isinstance(stage, WeighFalseNegatives):
            truth_of(read_collection(store.ensure(stage.training.collection)), stage.training.split, "gradient")


def _check_encoders(trials: Sequence[Trial], store: Store, report: Callable[[local.Progress], None]) -> None:
    """Prepare the starting encoders of unfinished trials: one that cannot be used is told before any work."""
    unfinished = [trial for trial in trials if not all(store.has(stage) for stage in trial.stages)]
    stages = dict.fromkeys(stage for trial in unfinished for stage in trial.stages)
    needed = [it for it in stages if isinstance(it, StartEncoder) and not store.has(it)]
    for at, stage in enumerate(needed):
        report(local.Progress(at, len(needed), stage.label, 0.0))
        store.ensure(stage)


def _digests(trials: Sequence[Trial]) -> dict[str, dict[str, str]]:
    """Return the digests of the bytes that everything rests on: collections by name, starting weights by spelling.

    Collections of one name that differ are numbered, in the order of the trials.
    """
    stages = [stage for trial in trials for stage in trial.stages]
    named: dict[str, dict[str, None]] = {}
    for stage in stages:
        if isinstance(stage, LoadCollection):
            named.setdefault(collection_name(stage.source), {})[stage.fingerprint] = None
    return {
        "collections": {
            name + (f" {number}" if len(found) > 1 else ""): digest
            for name, found in named.items()
            for number, digest in enumerate(found, start=1)
        },
        "encoders": {it.spec.spelling: it.fingerprint for it in stages if isinstance(it, StartEncoder)},
    }


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text + "\n")
