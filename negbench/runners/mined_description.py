"""How mined negatives were made, as plain data: what is written beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from negbench.collections.resolve import collection_name
from negbench.config.grid import Grid
from negbench.evaluation.false_negatives import Rate
from negbench.export.mined_rows import MinedRows
from negbench.methods import named
from negbench.plan.trials import Trial
from negbench.requirements import TeacherScores
from negbench.stages.inputs import StartEncoder
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.mining.pool_features import ScorePool, stage_of
from negbench.store import Store, ancestors
from negbench.types import ORIGINS

POSITIVES = (
    "all labelled positives of a query are excluded from its negatives; formats of one positive a row have a row for "
    "each of them, with the same negatives"
)
"""The rule for queries with several positives."""


def describe(
    grid: Grid,
    trial: Trial,
    drawing: NegativesStage,
    rows: MinedRows,
    rates: Mapping[str, Rate],
    notes: Sequence[str],
    store: Store,
) -> dict[str, Any]:
    """Return method, collection, encoders and teacher with digests, settings, counts, rate, versions and notes.

    Models and collections are called by their names, without the path to them.
    """
    settings, pool = trial.settings, drawing.pool
    drawn = rows.negatives
    there = drawn.documents >= 0
    origins = {name: int((there & (drawn.origins == code)).sum()) for code, name in enumerate(ORIGINS)}
    encoders = {
        name_of(stage.spec.model): stage.fingerprint for stage in ancestors(drawing) if isinstance(stage, StartEncoder)
    }
    scored = stage_of(drawing.features, TeacherScores)
    teacher = None
    if isinstance(scored, ScorePool):
        teacher = {"spelling": scored.teacher.spelling, "digest": scored.fingerprint}
    of = named(trial.method)
    method = {"spelling": trial.spelling, "form": trial.form, "summary": of.summary, "paper": of.paper}
    collection = {"name": collection_name(pool.collection.source), "digest": pool.collection.fingerprint}
    return {
        "method": method,
        "seed": trial.seed,
        "grid": grid.name,
        "axes": trial.axis_values or None,
        "changed_keys": list(grid.assignments) or None,
        "collection": {**collection, "split": pool.split, "documents": len(rows.collection.document_ids)},
        "retriever": [draw.pool.retriever.spelling for draw in drawing.by_pool],
        "encoders": encoders or None,
        "teacher": teacher,
        "max_length": str(settings.train.max_length) if encoders else None,
        "precision": pool.documents.precision if pool.documents is not None else None,
        "epoch": f"1 of {drawing.epochs}" if drawing.epochs > 1 else None,
        "queries": len(rows),
        "positives_rule": POSITIVES,
        "negatives": {"a_query": rows.width, **{name: count for name, count in origins.items() if count}},
        "false_negatives": rate_of(rates),
        "draw": drawing.key,
        "versions": store.versions(drawing),
        "notes": list(notes),
    }


def rate_of(rates: Mapping[str, Rate]) -> dict[str, Any]:
    """Return the first rate with its interval and estimator; why there is none, else."""
    for name, rate in rates.items():
        interval = {"rate": rate.rate, "low": rate.low, "high": rate.high}
        numbers = {key: None if np.isnan(value) else value for key, value in interval.items()}
        unit = f"{rate.unit}, each counted once"
        return {"estimator": name, **numbers, "level": 0.95, "unit": unit, "note": rate.note}
    return {
        "rate": None,
        "note": "unknown: the collection has no fuller judgments than its labels; label a sample with negbench audit",
    }


def name_of(model: str) -> str:
    """Return a hub id, or the name of a folder without the path to it."""
    return Path(model).name if Path(model).exists() or model.startswith((".", "/", "~")) else model
