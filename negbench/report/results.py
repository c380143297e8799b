"""The record of a grid: ``results.json`` and ``manifest.json``."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from negbench.encoders.precision import ask_gpu, cpu_flags
from negbench.escaping import csv_table
from negbench.evaluation.stability import spikes
from negbench.plan.graph import costs
from negbench.plan.trials import Trial
from negbench.report import details
from negbench.report.rows import Evidence
from negbench.stages.evaluation.false_negatives import read_clusters, read_rates
from negbench.stages.evaluation.quality import EvaluateEncoder, EvaluateRetriever
from negbench.stages.inputs import read_collection
from negbench.store import Store
from negbench.store.integrity import flush
from negbench.types import Float64, Negatives
from negbench.versions import commit, versions


def record(trial: Trial, trials: Sequence[Trial], store: Store, failure: str | None) -> dict[str, Any]:
    """Return one trial as plain data; a failed trial has an ``error`` and no metrics.

    ``versions`` are the package versions that computed its stages. ``digests`` lists the keys of the trial's stages by
    kind, inputs first; ``beside`` those of its additional evaluations, by the prefix of their metrics.
    """
    settings = trial.settings
    digests: dict[str, list[str]] = {}
    for stage in trial.result_stages:
        digests.setdefault(stage.kind, []).append(stage.key)
    row: dict[str, Any] = {
        "name": trial.name,
        "method": trial.method,
        "spelling": trial.spelling,
        "form": trial.form,
        "collection": trial.collection_name,
        "encoder": settings.encoder.spelling,
        "seed": trial.seed,
        "axes": trial.axis_values,
        "metrics": {},
        "false_negatives": {},
        "draw": {},
        "cost": {},
        "stability": {},
        "ranks": {},
        "details": {},
        "digests": digests,
        "versions": {},
        "beside": {prefix: stage.key for prefix, stage in trial.extra_evaluations.items()},
        "status": "failed" if failure else "done",
    }
    if failure:
        return {**row, "error": failure}
    row["metrics"] = json.loads((store.path(trial.evaluation) / "metrics.json").read_text())
    for prefix, stage in trial.extra_evaluations.items():
        metrics = json.loads((store.path(stage) / "metrics.json").read_text())
        row["metrics"] |= {f"{prefix}/{name}": value for name, value in metrics.items()}
    if trial.sequence is not None:
        curves = trial.sequence.curves(store)
        row["stability"] = {
            f"{name}_spikes": spikes([value for _, value in curves[name]])
            for name in ("loss", "grad_norm")
            if name in curves
        }
        counted = [cost for it in trial.sequence.trainings if "rows_left_out" in (cost := store.cost(it))]
        if counted:
            row["draw"] |= {name: sum(cost[name] for cost in counted) for name in ("rows", "rows_left_out")}
    row["false_negatives"] = read_rates(trial.counts, store.path)
    if trial.negatives is not None:
        row["draw"] |= describe_draw(store.load(Negatives, trial.negatives))
        pools = [it.pool for it in trial.negatives.by_pool]
        if trial.negatives.ranked:
            row["ranks"] = rank_counts(store.load(Negatives, trial.negatives))
        recalls = [(store.cost(pool)["recall"], pool.retriever.approximate) for pool in pools]
        row["draw"]["recall"] = sum(recall for recall, _ in recalls) / len(recalls)
        if by_index := [recall for recall, approximate in recalls if approximate]:
            row["draw"]["index_recall"] = sum(by_index) / len(by_index)
        for answer in trial.negatives.features:
            cost = store.cost(answer)
            row["draw"] |= {name: cost[name] for name in ("teacher_auc", "unscored", "duplicates") if name in cost}
        made = store.cost(trial.negatives)
        row["draw"] |= {name: made[name] for name in ("written", "promoted", "distrusted") if made.get(name)}
    row["versions"] = made_with([store.versions(stage).items() for stage in trial.stages])
    row["details"] = details.plain(details.read(trial, store))
    row["cost"] = costs(trial, trials, store)
    return row


def evidence(trials: Sequence[Trial], store: Store) -> Evidence:
    """Return the first measure by query, and the false-negative counts by training query, of finished ``trials``."""
    values, clusters, elsewhere = {}, {}, {}
    for trial in trials:
        values[trial.name] = np.load(store.path(trial.evaluation) / "0.npy", allow_pickle=False)
        clusters[trial.name] = read_clusters(trial.counts, store.path)
        elsewhere[trial.name] = {
            name: np.load(store.path(stage) / "0.npy", allow_pickle=False) for name, stage in trial.elsewhere.items()
        }
    return Evidence(values, clusters, elsewhere)


def by_query(trials: Sequence[Trial], store: Store, values: Mapping[str, Float64]) -> str:
    """Return ``values``, the first measure of every query by trial, as CSV.

    One row per query and one column per trial; blank where a query was not measured.
    """
    measured = [(trial.name, trial.collection_name, trial.evaluation, values[trial.name]) for trial in trials]
    return _by_query([trial.name for trial in trials], measured, store)


def out_of_domain(trials: Sequence[Trial], store: Store, elsewhere: Mapping[str, Mapping[str, Float64]]) -> str:
    """Return the first measure of every query of further collections by trial, as ``by_query`` does."""
    measured = [
        (trial.name, name, stage, elsewhere[trial.name][name])
        for trial in trials
        for name, stage in trial.elsewhere.items()
    ]
    return _by_query([trial.name for trial in trials if trial.elsewhere], measured, store)


def _by_query(
    names: Sequence[str],
    measured: Sequence[tuple[str, str, EvaluateEncoder | EvaluateRetriever, Float64]],
    store: Store,
) -> str:
    """Return values by query as CSV; ``measured`` has the trial's name, the collection's, the stage and its values."""
    table: dict[tuple[str, str], dict[str, float]] = {}
    for trial, name, stage, values in measured:
        collection = read_collection(store.path(stage.collection))
        queries = collection.split_queries(stage.split).tolist()
        for row, value in zip(queries, values.tolist(), strict=True):
            if math.isfinite(value):
                table.setdefault((name, collection.query_ids[row]), {})[trial] = value
    lines = [["collection", "query", *names]]
    for where, by_trial in table.items():
        lines.append([*where, *[f"{by_trial[name]:.6g}" if name in by_trial else "" for name in names]])
    return csv_table(lines)


def curves(trials: Sequence[Trial], store: Store) -> str:
    """Return every curve of every training as CSV: trial, curve, step, value."""
    lines: list[list[Any]] = [["trial", "curve", "step", "value"]]
    for trial in trials:
        if trial.sequence is not None:
            for name, points in trial.sequence.curves(store).items():
                lines += ([trial.name, name, step, f"{value:.6g}"] for step, value in points)
    return csv_table(lines)


def false_negatives(records: Sequence[dict[str, Any]]) -> str:
    """Return every false-negative rate of every trial as CSV: rate, interval, unit and note; blank where unknown."""
    columns = ("rate", "low", "high", "unit", "note")
    lines: list[list[Any]] = [["trial", "estimator", *columns]]
    for record in records:
        for name, rate in record["false_negatives"].items():
            cells = [rate[column] for column in columns]
            lines.append([record["name"], name, *(f"{it:.6g}" if isinstance(it, float) else it for it in cells)])
    return csv_table(lines)


RANKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""First ranks of the bins of ``rank_counts``."""


def rank_counts(negatives: Negatives) -> dict[str, int]:
    """Count negatives by rank in the pool, from 1: ``1``, ``2-4``, ``5-9``, ...; ``filled`` counts random fill."""
    ranks = negatives.ranks[(negatives.documents >= 0) & (negatives.ranks >= 0)] + 1
    names = [str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in pairwise(RANKS)] + [f"{RANKS[-1]}-"]
    counts = np.bincount(np.searchsorted(RANKS, ranks, side="right") - 1, minlength=len(RANKS)).tolist()
    filled = int(((negatives.origins == 1) & (negatives.documents >= 0)).sum())
    return {**dict(zip(names, counts, strict=True)), "filled": filled}


def describe_draw(negatives: Negatives) -> dict[str, float]:
    """Return the share of random fill (``filled``), the median rank and the median effective sample size."""
    ranked = negatives.ranks[negatives.ranks >= 0]
    return {
        "filled": float((negatives.origins == 1).mean()) if negatives.origins.size else 0.0,
        "median_rank": float(np.median(ranked)) if len(ranked) else float("nan"),
        "effective_size": float(np.median(negatives.effective_size)) if len(negatives.effective_size) else 0.0,
    }


def manifest(
    command: Sequence[str], grid_text: str, assignments: Sequence[str], precision: str, folder: str | None = None
) -> dict[str, Any]:
    """Return what reproduces the results: versions, commit, machine, command and grid.

    All are those of this process. The runner replaces ``versions`` by those that computed the stages (``made_with``),
    since some may come from an earlier process. ``negbench run`` accepts the manifest in place of the grid, whose
    relative paths start from ``folder``.
    """
    return {
        "command": list(command),
        "grid": grid_text,
        "assignments": list(assignments),
        **({} if folder is None else {"folder": _from_here(folder)}),
        "precision": precision,
        "versions": versions(),
        "commit": commit(),
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "processors": os.cpu_count(),
            "bfloat16": sorted(cpu_flags() & {"amx_bf16", "avx512_bf16"}),
            "gpu": ask_gpu("name"),
        },
    }


def _from_here(folder: str) -> str:
    """Return a folder as seen from the working directory, where it lies below."""
    path = Path(folder).absolute()
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else folder


def made_with(found: Iterable[Iterable[tuple[str, str]]]) -> dict[str, list[str]]:
    """Return the sorted distinct versions of each package, from sources of (package, version) pairs."""
    every: dict[str, set[str]] = {}
    for pairs in found:
        for name, version in pairs:
            every.setdefault(name, set()).add(version)
    return {name: sorted(versions) for name, versions in every.items()}


def all_versions(trials: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the distinct versions by package that computed the trials of results.json."""
    return made_with(
        ((name, version) for name, of_package in trial["versions"].items() for version in of_package)
        for trial in trials
    )


def versions_differ(trials: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence on package versions that differ between rows; empty if all rows have the same versions."""
    done = [trial for trial in trials if trial["status"] == "done"]
    parts = []
    for name, of_package in all_versions(done).items():
        shown = []
        for version in of_package if len(of_package) > 1 else ():
            having = [version in trial["versions"].get(name, ()) for trial in done]
            rows = list(dict.fromkeys(trial["spelling"] for trial, has in zip(done, having, strict=True) if has))
            more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
            shown.append(f"{version} ({'all rows' if all(having) else ', '.join(rows[:_NAMED]) + more})")
        parts += [f"{name} {', '.join(shown)}"] if shown else []
    return [f"These results were computed with different package versions: {'; '.join(parts)}"] if parts else []


_NAMED = 3
"""Most rows named in a sentence."""


def write_json(path: Path, data: object) -> None:
    """Write ``data`` atomically as JSON; NaN and infinity become null."""
    write_text(path, json.dumps(_finite(data), indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write the file whole or not at all; the draft has this process's number in its name."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        flush(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
