"""The record of a grid: ``results.json`` and ``manifest.json``."""

from __future__ import annotations

import csv
import io
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
from negbench.evaluation.stability import spikes
from negbench.plan.false_negatives import read_clusters, read_rates
from negbench.plan.graph import costs
from negbench.plan.sources import read_collection
from negbench.plan.trials import Trial
from negbench.report import details
from negbench.report.rows import Evidence
from negbench.store import Store
from negbench.types import Float64, Negatives
from negbench.versions import commit, versions


def record(trial: Trial, trials: Sequence[Trial], store: Store, failure: str | None) -> dict[str, Any]:
    """Return one trial as plain data; a failed one has its reason and no figures.

    ``versions`` is what its stages were made with, by package.
    ``digests`` lists the keys of the trial's own stages by kind, inputs first; ``beside`` those of what else was
    measured, by the prefix of its metrics.
    """
    settings = trial.settings
    digests: dict[str, list[str]] = {}
    for stage in trial.priced:
        digests.setdefault(stage.kind, []).append(stage.key)
    row: dict[str, Any] = {
        "name": trial.name,
        "method": trial.method,
        "spelling": trial.spelling,
        "form": trial.form,
        "collection": trial.collection_name,
        "encoder": settings.encoder.spelling,
        "seed": trial.seed,
        "axes": trial.point,
        "metrics": {},
        "false_negatives": {},
        "draw": {},
        "cost": {},
        "stability": {},
        "ranks": {},
        "details": {},
        "digests": digests,
        "versions": {},
        "beside": {prefix: stage.key for prefix, stage in trial.beside.items()},
        "status": "failed" if failure else "done",
    }
    if failure:
        return {**row, "error": failure}
    row["metrics"] = json.loads((store.path(trial.evaluation) / "metrics.json").read_text())
    for prefix, stage in trial.beside.items():
        found = json.loads((store.path(stage) / "metrics.json").read_text())
        row["metrics"] |= {f"{prefix}/{name}": value for name, value in found.items()}
    if trial.course is not None:
        curves = trial.course.curves(store)
        row["stability"] = {
            f"{name}_spikes": spikes([value for _, value in curves[name]])
            for name in ("loss", "grad_norm")
            if name in curves
        }
    row["false_negatives"] = read_rates(trial.counts, store.path)
    if trial.negatives is not None:
        row["draw"] = describe_draw(store.load(Negatives, trial.negatives))
        if not trial.negatives.pool.retriever.seeded:  # its ranks would be those of a lottery
            row["ranks"] = rank_counts(store.load(Negatives, trial.negatives))
        pool = trial.negatives.pool
        row["draw"]["recall"] = store.cost(pool)["recall"]
        if pool.retriever.approximate:
            row["draw"]["index_recall"] = row["draw"]["recall"]
        for answer in trial.negatives.answers:
            found = store.cost(answer)
            row["draw"] |= {name: found[name] for name in ("teacher_auc", "unscored", "duplicates") if name in found}
        made = store.cost(trial.negatives)
        row["draw"] |= {name: made[name] for name in ("written", "promoted", "distrusted") if made.get(name)}
    row["versions"] = made_with([store.versions(stage).items() for stage in trial.stages])
    row["details"] = details.plain(details.read(trial, store))
    row["cost"] = costs(trial, trials, store)
    return row


def evidence(trials: Sequence[Trial], store: Store) -> Evidence:
    """Return what lies behind the figures of finished ``trials``: values by query, and hits by training query."""
    values, clusters = {}, {}
    for trial in trials:
        values[trial.name] = np.load(store.path(trial.evaluation) / "0.npy", allow_pickle=False)
        clusters[trial.name] = read_clusters(trial.counts, store.path)
    return Evidence(values, clusters)


def by_query(trials: Sequence[Trial], store: Store, values: Mapping[str, Float64]) -> str:
    """Return ``values``, the first measure of every query by trial, as CSV.

    A row is a query, a column a trial; blank where it has none.
    """
    table: dict[tuple[str, str], dict[str, float]] = {}
    for trial in trials:
        collection = read_collection(store.path(trial.evaluation.collection))
        queries = collection.split_queries(trial.evaluation.split).tolist()
        for row, value in zip(queries, values[trial.name].tolist(), strict=True):
            if math.isfinite(value):
                table.setdefault((trial.collection_name, collection.query_ids[row]), {})[trial.name] = value
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [trial.name for trial in trials]
    writer.writerow(["collection", "query", *names])
    for where, found in table.items():
        writer.writerow([*where, *[f"{found[name]:.6g}" if name in found else "" for name in names]])
    return out.getvalue()


def curves(trials: Sequence[Trial], store: Store) -> str:
    """Return every curve of every training as CSV: trial, curve, step, value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["trial", "curve", "step", "value"])
    for trial in trials:
        if trial.course is not None:
            for name, points in trial.course.curves(store).items():
                writer.writerows([trial.name, name, step, f"{value:.6g}"] for step, value in points)
    return out.getvalue()


def false_negatives(records: Sequence[dict[str, Any]]) -> str:
    """Return every estimate of every trial as CSV: what it is of, its ends, and what it rests on; empty: not known."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ("rate", "low", "high", "unit", "note")
    writer.writerow(["trial", "estimator", *columns])
    for record in records:
        for name, rate in record["false_negatives"].items():
            cells = [rate[column] for column in columns]
            writer.writerow([record["name"], name, *(f"{it:.6g}" if isinstance(it, float) else it for it in cells)])
    return out.getvalue()


RANKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Where the bins of ``rank_counts`` begin."""


def rank_counts(negatives: Negatives) -> dict[str, int]:
    """Count negatives by their rank in the pool, the first being 1: ``1``, ``2-4``, ``5-9``, ..., and ``filled``."""
    ranks = negatives.ranks[(negatives.documents >= 0) & (negatives.ranks >= 0)] + 1
    names = [str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in pairwise(RANKS)] + [f"{RANKS[-1]}-"]
    counts = np.bincount(np.searchsorted(RANKS, ranks, side="right") - 1, minlength=len(RANKS)).tolist()
    filled = int(((negatives.origins == 1) & (negatives.documents >= 0)).sum())
    return {**dict(zip(names, counts, strict=True)), "filled": filled}


def describe_draw(negatives: Negatives) -> dict[str, float]:
    """Return the share that was filled, and the median rank and effective sample size of what was drawn."""
    ranked = negatives.ranks[negatives.ranks >= 0]
    return {
        "filled": float((negatives.origins == 1).mean()) if negatives.origins.size else 0.0,
        "median_rank": float(np.median(ranked)) if len(ranked) else float("nan"),
        "effective_size": float(np.median(negatives.effective_size)) if len(negatives.effective_size) else 0.0,
    }


def manifest(command: Sequence[str], grid_text: str, assignments: Sequence[str], precision: str) -> dict[str, Any]:
    """Return what is needed to make the results again: versions, commit, machine, command, the grid itself.

    They are of this process; ``versions`` gives way to those of the stages behind the figures (``made_with``), which
    an earlier process may have made. ``negbench run`` takes the manifest in place of the grid.
    """
    return {
        "command": list(command),
        "grid": grid_text,
        "assignments": list(assignments),
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


def made_with(found: Iterable[Iterable[tuple[str, str]]]) -> dict[str, list[str]]:
    """Return the different versions of each package, sorted, in pairs of package and version from several sources."""
    every: dict[str, set[str]] = {}
    for pairs in found:
        for name, version in pairs:
            every.setdefault(name, set()).add(version)
    return {name: sorted(versions) for name, versions in every.items()}


def all_versions(trials: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the different versions, by package, behind the figures of records."""
    return made_with(
        ((name, version) for name, found in trial["versions"].items() for version in found) for trial in trials
    )


def versions_differ(trials: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence that says which versions stand behind which rows, where it is not one for all; else nothing."""
    done = [trial for trial in trials if trial["status"] == "done"]
    told = []
    for name, found in all_versions(done).items():
        shown = []
        for version in found if len(found) > 1 else ():
            having = [version in trial["versions"].get(name, ()) for trial in done]
            rows = list(dict.fromkeys(trial["spelling"] for trial, has in zip(done, having, strict=True) if has))
            more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
            shown.append(f"{version} ({'all rows' if all(having) else ', '.join(rows[:_NAMED]) + more})")
        told += [f"{name} {', '.join(shown)}"] if shown else []
    return [f"The stages behind these figures were made with different versions: {'; '.join(told)}"] if told else []


_NAMED = 3
"""So many rows are named in a sentence."""


def write_json(path: Path, data: object) -> None:
    """Write ``data`` whole or not at all; a number that is not finite, which JSON does not have, becomes null."""
    write_text(path, json.dumps(_finite(data), indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
