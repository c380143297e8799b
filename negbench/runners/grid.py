"""Run a grid, write its results (JSON, tables, values by query, manifest) and log them to MLflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from negbench import tracking
from negbench.collections.resolve import collection_name
from negbench.config.grid import Grid
from negbench.encoders.modules import has_transformer
from negbench.encoders.precision import resolve
from negbench.escaping import for_terminal
from negbench.executors.choice import ExecutorChoice
from negbench.plan.damage import repeat_if_damaged
from negbench.plan.trials import Trial
from negbench.report import foreign, results
from negbench.runners import schedule
from negbench.runners.checks import check_parts, keep_answered
from negbench.runners.durations import FULL_LENGTH, Durations
from negbench.runners.forecast import steps_of
from negbench.runners.outputs import Outputs
from negbench.runners.reading_times import documents_a_row
from negbench.stages.evaluation.gradient import WeighFalseNegatives
from negbench.stages.evaluation.quality import EvaluateEncoder, EvaluateRetriever
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder, read_collection, split_queries
from negbench.stages.mining.pool import BuildPool
from negbench.stages.mining.repair import RepairNegatives, truth_of
from negbench.stages.training.train import WATCHED_SPLIT, Train
from negbench.store import Stage, Store, usage
from negbench.store.writable import check_writable
from negbench.training import launched


@dataclass(frozen=True)
class Finished:
    """Result of a run: its outputs, one line per failed trial, and the outcome of logging to MLflow."""

    outputs: Outputs
    failed: dict[str, str]
    tracking: str


def run(
    grid: Grid,
    trials: Sequence[Trial],
    store: Store,
    out: Path,
    command: Sequence[str],
    report: Callable[[schedule.Progress], None],
    log_models: bool = False,
    executor: ExecutorChoice | None = None,
    check: Callable[[], None] | None = None,
) -> Finished:
    """Run the missing stages, write the results after each trial and at the end, and log them to MLflow.

    ``log_models`` also logs the trained encoders. ``executor`` says where stages are made, None in this process.
    ``check`` is called once the collections are loaded, before any other stage. Files in ``out`` are written
    atomically; the next run completes an interrupted one. Stored artifacts that are damaged are made again. Raises
    InputError before anything is written to ``out``: for a collection that cannot be read or lacks a split, a run file
    that does not match it, an encoder, teacher or writer that cannot be used, and folders that cannot be written to or
    have files of others that would be written over.
    """
    foreign.check_results(out)
    check_writable(out, "results folder")
    stages = list(dict.fromkeys(stage for trial in trials for stage in trial.stages))
    if not all(map(store.has, stages)):
        store.open()

    def work() -> Finished:
        _check_processes(stages, store)
        check_parts(grid, trials, store, lambda label: report(schedule.Progress(done=0, total=1, label=label)))
        _check_encoders(grid, trials, store, report)
        _check_collections(grid, trials, store, report)  # last, since a large one takes minutes
        if check is not None:
            check()
        with usage.recorded(store, grid.name, out, stages):
            return carry_out()

    def carry_out() -> Finished:
        out.mkdir(parents=True, exist_ok=True)
        first = grid.points[0][1]
        made = results.manifest(command, grid.text, grid.assignments, resolve(first.train.precision), grid.folder)
        missing = [stage for stage in stages if not store.has(stage)]
        outputs = Outputs(grid, trials, store, out, {**made, "digests": _digests(trials)})
        news = {trial.name for trial in trials if not all(store.has(stage) for stage in trial.stages)}
        delivery = tracking.BackgroundDelivery(grid.name, out, tracking.log_grid)

        def finished(trial: Trial, failure: str | None) -> None:
            outputs.add(trial, failure)
            if trial.training is None or trial.name not in news:
                return
            outputs.write()
            if failure is None:
                delivery.submit(outputs.logs(log_models))

        open_executor = partial((executor or ExecutorChoice()).open, made, store)
        try:
            durations = Durations(_documents_read(trials, store), _documents_encoded(stages, store))

            def told(now: schedule.Progress) -> None:
                report(replace(now, finished=outputs.standings()))

            failed = schedule.run(trials, store, open_executor, told, finished, _error_log(out), durations)
            keep_answered([stage for stage in missing if store.has(stage)])
            outputs.write()
        except Exception:
            delivery.stop()
            raise
        outcome = delivery.finish(outputs.logs(log_models), outputs.files)
        return Finished(outputs, failed, outcome.message)

    return repeat_if_damaged(store, stages, work)


def _check_processes(stages: Sequence[Stage], store: Store) -> None:
    """Raise InputError where processes were started with this one, and the trainings to come are for other numbers."""
    launched.check(*(it.recipe.processes for it in stages if isinstance(it, Train) and not store.has(it)))


def _documents_read(trials: Sequence[Trial], store: Store) -> dict[str, int]:
    """Return how many documents each training reads, by stage key: the positive and the mined negatives of each row."""
    read = {}
    for stage in dict.fromkeys(stage for trial in trials for stage in trial.stages):
        if isinstance(stage, Train) and not store.has(stage):
            steps = steps_of(stage, read_collection(store.path(stage.collection)))
            read[stage.key] = (steps or 0) * stage.recipe.batch_size * documents_a_row(stage)
    return read


def _documents_encoded(stages: Sequence[Stage], store: Store) -> dict[str, int]:
    """Return how many documents of ``FULL_LENGTH`` tokens a transformer encodes as it comes, by stage key."""
    return {
        stage.key: len(read_collection(store.path(stage.collection)).document_ids)
        * min(stage.max_length or FULL_LENGTH, FULL_LENGTH)
        // FULL_LENGTH
        for stage in stages
        if isinstance(stage, Embed) and isinstance(stage.encoder, StartEncoder) and not store.has(stage)
        if stage.side == "document" and has_transformer(stage.encoder.spec, stage.side)
        if store.has(stage.collection)
    }


def _error_log(out: Path) -> Callable[[str], None]:
    """Return what keeps tracebacks in ``errors.log``; one of an earlier run is removed."""
    log = out / "errors.log"
    tracebacks: list[str] = []
    log.unlink(missing_ok=True)

    def keep(traceback: str) -> None:
        tracebacks.append(for_terminal(traceback))
        results.write_text(log, "\n".join(tracebacks))

    return keep


def _check_collections(
    grid: Grid, trials: Sequence[Trial], store: Store, report: Callable[[schedule.Progress], None]
) -> None:
    """Load and check the collections of unfinished trials, so that errors come before hours of training."""
    unfinished = [trial for trial in trials if not all(store.has(stage) for stage in trial.stages)]
    stages = dict.fromkeys(stage for trial in unfinished for stage in trial.stages)
    used = [it for it in stages if isinstance(it, EvaluateEncoder | EvaluateRetriever | Train | BuildPool)]
    watched = [(it.collection, WATCHED_SPLIT) for it in stages if isinstance(it, Train) and it.curve_points]
    needed = dict.fromkeys([(it.collection, it.split) for it in used] + watched)
    for index, (loaded, split) in enumerate(needed):
        if not store.has(loaded):
            report(schedule.Progress(done=index, total=len(needed), label=loaded.label))
        with grid.located(loaded.source.spelling):
            split_queries(read_collection(store.ensure(loaded)), split)
    for stage in stages:
        if isinstance(stage, BuildPool) and not store.has(stage):
            stage.check(read_collection(store.ensure(stage.collection)))
        if isinstance(stage, RepairNegatives):
            truth_of(read_collection(store.ensure(stage.pool.collection)), stage.pool.split)
        if isinstance(stage, WeighFalseNegatives):
            truth_of(read_collection(store.ensure(stage.training.collection)), stage.training.split, "gradient")


def _check_encoders(
    grid: Grid, trials: Sequence[Trial], store: Store, report: Callable[[schedule.Progress], None]
) -> None:
    """Load the starting encoders of unfinished trials, so that errors come before any other work."""
    unfinished = [trial for trial in trials if not all(store.has(stage) for stage in trial.stages)]
    stages = dict.fromkeys(stage for trial in unfinished for stage in trial.stages)
    needed = [it for it in stages if isinstance(it, StartEncoder) and not store.has(it)]
    for index, stage in enumerate(needed):
        report(schedule.Progress(done=index, total=len(needed), label=stage.label))
        with grid.located(stage.spec.spelling):
            store.ensure(stage)


def _digests(trials: Sequence[Trial]) -> dict[str, dict[str, str]]:
    """Return the digests of the inputs: collections by name, starting encoders by spelling.

    Different collections with the same name are numbered in the order of the trials.
    """
    stages = [stage for trial in trials for stage in trial.stages]
    named: dict[str, dict[str, None]] = {}
    for stage in stages:
        if isinstance(stage, LoadCollection):
            named.setdefault(collection_name(stage.source), {})[stage.fingerprint] = None
    return {
        "collections": {
            name + (f" {number}" if len(digests) > 1 else ""): digest
            for name, digests in named.items()
            for number, digest in enumerate(digests, start=1)
        },
        "encoders": {it.spec.spelling: it.fingerprint for it in stages if isinstance(it, StartEncoder)},
    }
