"""Audit known negatives again and again, and see how often each interval holds the truth.

python experiments/estimators/audits.py OUT      (resumes; a file a cell)

In every repetition the queries are drawn anew, with replacement, and of their negatives the audited ones; labels
and negatives of a query stay. The truth is the rate over all queries: what "queries like these" means here.
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import worlds

from negbench.evaluation.false_negatives import Pairs, Rate, design
from negbench.evaluation.false_negatives.calibration import FOLDS
from negbench.evaluation.false_negatives.judge import Judge
from negbench.evaluation.false_negatives.ppi import PPI
from negbench.noise import Noise, key
from negbench.store import Store
from negbench.types import Bool

JUDGED = 10
"""The judge alone, whose jackknife is slow, is tried in one of so many repetitions."""


def resampled(pairs: Pairs, false: Bool, noise: Noise, repetition: int) -> tuple[Pairs, Bool]:
    """Return the negatives of as many queries, drawn with replacement; a query drawn twice counts as two."""
    _, query = np.unique(pairs.queries, return_inverse=True)
    order = np.argsort(query, kind="stable")
    sizes = np.bincount(query)
    starts = np.cumsum(sizes) - sizes
    n = len(sizes)
    drawn = (noise.uniform(repetition, np.arange(n)) * n).astype(np.int64)
    many = sizes[drawn]
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    rows = order[np.repeat(starts[drawn], many) + within]
    columns = {it.name: getattr(pairs, it.name) for it in fields(Pairs)}
    taken = Pairs(**{name: None if value is None else value[rows] for name, value in columns.items()})
    return replace(taken, queries=np.repeat(np.arange(n), many).astype(np.int32)), false[rows]


def audit(pairs: Pairs, false: Bool, labels: int, seed: int) -> Pairs:
    """Return the pairs with so many of them labelled; the judge's scores guide the allocation, not calibrated."""
    assert pairs.judge is not None
    strata = design.strata(np.zeros(len(false), np.int32), pairs.ranks)
    allocation = design.neyman(strata, pairs.weights, design.guessed(pairs.judge), labels)
    probability = design.draw(strata, allocation, np.arange(len(false), dtype=np.uint64), seed)
    told = np.where(probability > 0, false, np.nan)
    return replace(pairs, strata=strata, probability=probability, labels=told)


def main(out: Path) -> None:
    """Run what is missing."""
    out.mkdir(parents=True, exist_ok=True)
    methods = worlds.chosen(worlds.CELLS["audited"])
    for name in worlds.CELLS["worlds"]:
        world = worlds.world(name, Store.default())
        for cell in worlds.cells(world):
            path = out / f"{name}-{cell.name}.parquet"
            if path.exists():
                continue
            pool_of = cell.pools()
            mined = {spelling: cell.mined(method, pool_of(method)) for spelling, method in methods.items()}
            rows = [
                row for spelling, pairs in mined.items() for row in repeat(f"{name}/{cell.name}", spelling, pairs, cell)
            ]
            write(rows, path)
            print(path, len(rows), flush=True)


def repeat(cell_name: str, spelling: str, pairs: Pairs, cell: worlds.Cell) -> list[dict[str, object]]:
    """Return a row an estimator and repetition."""
    false = cell.false(pairs)
    truth = float(false.mean())
    noise = Noise(0, f"audits/{cell_name}/{spelling}")
    each = worlds.CELLS["repetitions"] // len(worlds.CELLS["audited"])
    rows: list[dict[str, object]] = []
    for labels in worlds.CELLS["labels"]:
        for repetition in range(each):
            again, told = resampled(pairs, false, noise, repetition)
            seed = key(f"{cell_name}/{spelling}/{labels}/{repetition}") % 2**31
            one = audit(again, told, labels, seed)
            fold = (Noise(seed, "folds").bits(one.queries) % np.uint64(FOLDS)).astype(np.int32)
            found: dict[str, Rate] = {"ppi": PPI().of(one, fold), "classical": PPI().of(replace(one, judge=None))}
            if repetition % JUDGED == 0:
                found["judge"] = Judge().of(one, fold)
            rows += [
                {
                    "cell": cell_name,
                    "sampler": spelling,
                    "estimator": estimator,
                    "labels": labels,
                    "expected_positives": truth * labels,
                    "truth": truth,
                    "estimate": rate.rate,
                    "low": rate.low,
                    "high": rate.high,
                }
                for estimator, rate in found.items()
            ]
    return rows


def write(rows: list[dict[str, object]], path: Path) -> None:
    """Write rows, whole or not at all."""
    table = pa.Table.from_pylist(rows)
    for at, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            rounded = np.round(table[field.name].to_numpy(), 5).astype(np.float32)
            table = table.set_column(at, field.name, pa.array(rounded))
    part = path.with_suffix(".part")
    pq.write_table(table, part, compression="zstd", use_dictionary=True)
    part.rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
