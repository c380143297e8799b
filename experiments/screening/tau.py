"""Does the order of methods with a static student predict the transformer's? Kendall's tau over methods.

    python experiments/screening/tau.py results/screening results/methods

Each folder below the first one that also lies below the second is a collection: the first holds the static student's
results, the second the transformer's. Writes ``tau.csv`` into the first, and prints it. A row is a measure
(nDCG@10 or the false-negative rate, means over seeds) and a set of methods: all that both have, or those that end above
the transformer's start or above its in-batch training. Its columns:

- ``tau``: Kendall's tau-b between the two; ``low``, ``high``: 95 % bootstrap interval over methods and over the seeds
  of each student; ``seeds_low``, ``seeds_high``: over seeds alone, empty where neither student has two.
- ``transformer_halves``, ``static_halves``: tau of a student's order on one half of the test queries with that on the
  other, mean of random halves. An order that does not repeat itself cannot be predicted. ``across_halves``: of the
  static student's on one half with the transformer's on the other, without the luck of queries that both share.
- ``static_seeds``: tau of one seed of the static student with another, mean of all pairs.
- ``shared_best``: how many of the transformer's ten best methods are among the static student's ten best;
  ``expected_best``: how many would be by chance.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from negbench import spelling
from negbench.types import Float64

RESAMPLES = 2000
HALVES = 200
BEST = 10
MEASURES = ("nDCG@10", "false-negative rate")


@dataclass(frozen=True)
class Student:
    """What a grid found by method: ``values`` [seeds] by measure, NaN for what is not known; ``queries`` are nDCG@10 by
    query, mean over seeds; ``start`` is nDCG@10 before training."""

    values: dict[str, dict[str, Float64]]
    queries: dict[str, Float64] = field(default_factory=dict)
    start: float = math.nan


def name_of(method: str) -> str:
    """Return a method without what tables of other versions spell differently: SimANS' scale, which is now the default,
    and the dimensions of EmbeddingGemma's loss, which follow those of the vectors."""
    name, parameters = spelling.parse(method)
    parameters = {key: value for key, value in sorted(parameters.items()) if (key, value) != ("scale", "zscore")}
    return spelling.write(name, {} if name == "embedding-gemma" else parameters)


def read(folder: Path) -> Student:
    """Read ``results.json`` and ``by_query.csv`` of a grid without axes."""
    data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    estimators = {row["method"]: row["estimator"] for row in data["rows"]}
    seeds = sorted({it["seed"] for it in data["trials"] if it["seed"] is not None})
    values: dict[str, dict[str, Float64]] = {measure: {} for measure in MEASURES}
    starts = []
    for it in data["trials"]:
        if it["status"] != "done" or it["method"] == "bm25-search":
            continue
        quality = it["metrics"][data["settings"]["measure"]]
        if it["form"] == "reference":
            starts.append(quality)
            continue
        rate = it["false_negatives"].get(estimators[it["spelling"]], {}).get("rate")
        for measure, value in zip(MEASURES, (quality, rate), strict=True):
            of_seeds = values[measure].setdefault(name_of(it["spelling"]), np.full(len(seeds), np.nan))
            of_seeds[seeds.index(it["seed"])] = np.nan if value is None else value
    return Student(values, _by_query(folder / "by_query.csv"), float(np.mean(starts)))


def _by_query(path: Path) -> dict[str, Float64]:
    with path.open(encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    found: dict[str, list[Float64]] = {}
    for at, column in enumerate(heading):
        if " seed " in column and not column.startswith("start "):
            of_queries = np.array([float(row[at]) for row in rows])
            found.setdefault(name_of(column.partition(" seed ")[0]), []).append(of_queries)
    return {name: np.mean(each, axis=0) for name, each in found.items()}


def tau(one: Float64, other: Float64) -> float:
    """Return Kendall's tau-b of two arrays [methods, seeds], averaged over seeds; NaN where all methods are equal."""
    return float(kendalltau(np.nanmean(one, axis=1), np.nanmean(other, axis=1)).statistic)


def interval(one: Float64, other: Float64, over_methods: bool) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of ``tau`` over each student's seeds, and over methods if asked.

    Methods are the same ones for both students, seeds are drawn for each. Resamples without a tau are left out.
    """
    rng = np.random.default_rng(0)
    methods = len(one)
    found = []
    for _ in range(RESAMPLES):
        rows = rng.integers(methods, size=methods) if over_methods else np.arange(methods)
        drawn = [table[np.ix_(rows, rng.integers(table.shape[1], size=table.shape[1]))] for table in (one, other)]
        known = ~np.any([np.isnan(table).all(axis=1) for table in drawn], axis=0)
        found.append(tau(*(table[known] for table in drawn)) if known.sum() > 1 else math.nan)
    kept = [value for value in found if math.isfinite(value)]
    return tuple(np.quantile(kept, [0.025, 0.975]).tolist()) if kept else (math.nan, math.nan)


def halves(one: Float64, other: Float64) -> float:
    """Return tau of the order of methods in ``one`` [methods, Q] on a random half of the queries with that in ``other``
    on the other half, mean of ``HALVES``."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(HALVES):
        order = rng.permutation(one.shape[1])
        cut = len(order) // 2
        found.append(kendalltau(one[:, order[:cut]].mean(1), other[:, order[cut:]].mean(1)).statistic)
    return float(np.mean(found))


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of ``tau.csv``."""

    collection: str
    measure: str
    set: str
    methods: int
    static_seeds_trained: int
    transformer_seeds_trained: int
    tau: float
    low: float
    high: float
    seeds_low: float = math.nan
    seeds_high: float = math.nan
    transformer_halves: float = math.nan
    static_halves: float = math.nan
    across_halves: float = math.nan
    static_seeds: float = math.nan
    shared_best: float = math.nan
    expected_best: float = math.nan


def compare(collection: str, static: Student, transformer: Student) -> list[Row]:
    """Return a row for each measure and set of methods that has at least three methods in both."""
    found = []
    quality = transformer.values["nDCG@10"]
    for measure in MEASURES:
        pair = static.values[measure], transformer.values[measure]
        both = [name for name in pair[0] if name in pair[1] and all(np.isfinite(it[name]).any() for it in pair)]
        means = {name: float(np.nanmean(quality[name])) for name in both}
        above = {"the start": transformer.start, "in-batch": float(np.nanmean(quality.get("in-batch", math.inf)))}
        sets = {f"above {what}": [name for name in both if means[name] > level] for what, level in above.items()}
        for label, names in {"all": both, **sets}.items():
            if len(names) >= 3:
                tables = tuple(np.stack([it[name] for name in names]) for it in pair)
                found.append(_row(collection, measure, label, names, tables, (static, transformer)))
    return found


def _row(
    collection: str,
    measure: str,
    label: str,
    names: Sequence[str],
    tables: tuple[Float64, ...],
    students: tuple[Student, Student],
) -> Row:
    one, other = tables
    more: dict[str, Any] = {}
    if max(table.shape[1] for table in tables) > 1:
        more["seeds_low"], more["seeds_high"] = interval(one, other, over_methods=False)
        pairs = [tau(one[:, [a]], one[:, [b]]) for a, b in combinations(range(one.shape[1]), 2)]
        more["static_seeds"] = float(np.nanmean(pairs)) if pairs else math.nan
    if measure == "nDCG@10":
        static, transformer = (np.stack([it.queries[name] for name in names]) for it in students)
        more |= {"static_halves": halves(static, static), "transformer_halves": halves(transformer, transformer)}
        more["across_halves"] = halves(static, transformer)
        best = [set(np.argsort(-np.nanmean(table, axis=1), kind="stable")[:BEST].tolist()) for table in tables]
        more |= {"shared_best": len(best[0] & best[1]), "expected_best": BEST * BEST / len(names)}
    low, high = interval(one, other, over_methods=True)
    return Row(
        collection=collection,
        measure=measure,
        set=label,
        methods=len(names),
        static_seeds_trained=one.shape[1],
        transformer_seeds_trained=other.shape[1],
        tau=tau(one, other),
        low=low,
        high=high,
        **more,
    )


def main() -> None:
    """Write and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("static", type=Path)
    parser.add_argument("transformer", type=Path)
    given = parser.parse_args()
    names = [path.parent.name for path in sorted(given.static.glob("*/results.json"))]
    rows = []
    for name in names:
        if (given.transformer / name / "results.json").exists():
            rows += [asdict(row) for row in compare(name, read(given.static / name), read(given.transformer / name))]
    lines = [list(Row.__dataclass_fields__), *([_cell(value) for value in row.values()] for row in rows)]
    with (given.static / "tau.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    print("\n".join(", ".join(line) for line in lines))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


if __name__ == "__main__":
    main()
