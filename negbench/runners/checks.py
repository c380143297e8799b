"""Checks before the first stage of a run, so that errors come before hours of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

from negbench.config.grid import Grid
from negbench.errors import located
from negbench.plan.trials import Trial
from negbench.runners import local
from negbench.stages.evaluation.gradient import WeighFalseNegatives
from negbench.stages.evaluation.quality import EvaluateEncoder, EvaluateRetriever
from negbench.stages.inputs import StartEncoder, read_collection, split_queries
from negbench.stages.mining.pool import BuildPool
from negbench.stages.mining.repair import RepairNegatives, truth_of
from negbench.stages.training.train import WATCHED_SPLIT, Train
from negbench.store import Stage, Store
from negbench.teachers import Teacher
from negbench.writers import NegativeGenerator

Report = Callable[[local.Progress], None]


def check_inputs(grid: Grid, trials: Sequence[Trial], store: Store, report: Report) -> None:
    """Raise InputError for a teacher, writer, collection or encoder that unfinished trials cannot use.

    Teachers and writers are loaded and let go; collections and starting encoders are stored. ``report`` is called
    before each.
    """
    unfinished = [trial for trial in trials if not all(store.has(stage) for stage in trial.stages)]
    stages = list(dict.fromkeys(stage for trial in unfinished for stage in trial.stages))
    _check_parts(grid, [stage for stage in stages if not store.has(stage)], report)
    _check_collections(stages, store, report)
    _check_encoders(grid, [stage for stage in stages if not store.has(stage)], store, report)


def _check_parts(grid: Grid, missing: Sequence[Stage], report: Report) -> None:
    """Check the teachers and writers that missing stages ask; a key or a model may be absent."""
    values = [getattr(stage, field.name) for stage in missing for field in fields(stage)]
    parts = {(it.kind, it.spelling): it for it in values if isinstance(it, Teacher | NegativeGenerator)}
    for index, part in enumerate(parts.values()):
        report(local.Progress(index, len(parts), f"check {part.kind} {part.spelling}", 0.0))
        with located(_place(grid, part)):
            part.check_usable()


def _place(grid: Grid, part: Teacher | NegativeGenerator) -> str:
    """Return where a grid names a part, as ``grid.yaml:7: judge``; of one that a method names, where methods stand."""
    for key in ("judge", "teacher"):
        if any(getattr(settings, key) == part for _, settings in grid.points):
            return grid.places.get(key, key)
    return grid.places.get("methods", "methods")


def _check_collections(stages: Sequence[Stage], store: Store, report: Report) -> None:
    """Load and check the collections of unfinished stages."""
    used = [it for it in stages if isinstance(it, EvaluateEncoder | EvaluateRetriever | Train | BuildPool)]
    watched = [(it.collection, WATCHED_SPLIT) for it in stages if isinstance(it, Train) and it.curve_points]
    needed = dict.fromkeys([(it.collection, it.split) for it in used] + watched)
    for index, (loaded, split) in enumerate(needed):
        if not store.has(loaded):
            report(local.Progress(index, len(needed), loaded.label, 0.0))
        collection = read_collection(store.ensure(loaded))
        split_queries(collection, split)
    for stage in stages:
        if isinstance(stage, BuildPool) and not store.has(stage):
            stage.check(read_collection(store.ensure(stage.collection)))
        if isinstance(stage, RepairNegatives):
            truth_of(read_collection(store.ensure(stage.pool.collection)), stage.pool.split)
        if isinstance(stage, WeighFalseNegatives):
            truth_of(read_collection(store.ensure(stage.training.collection)), stage.training.split, "gradient")


def _check_encoders(grid: Grid, missing: Sequence[Stage], store: Store, report: Report) -> None:
    """Load the starting encoders that are not stored yet."""
    needed = [it for it in missing if isinstance(it, StartEncoder)]
    for index, stage in enumerate(needed):
        report(local.Progress(index, len(needed), stage.label, 0.0))
        named = any(settings.encoder == stage.spec for _, settings in grid.points)
        key = "encoder" if named else "methods"
        with located(grid.places.get(key, key)):
            store.ensure(stage)
