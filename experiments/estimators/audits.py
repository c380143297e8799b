"""Audit known negatives again and again as ``negbench audit`` does, and see how often each interval holds the truth.

python experiments/estimators/audits.py OUT [WORLD ...]      (resumes; a file a cell)

The negatives stay, and so do their weights and labels: an audit speaks of the very pairs in the file. In every
repetition other pairs are drawn and answered, without error, by the audit's own functions: what is measured is what the
command prints.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import worlds

from negbench.auditing import description, draw, population, sheet
from negbench.auditing.estimate import estimate
from negbench.collections.layouts.rows import Negative, Row
from negbench.evaluation.false_negatives import Pairs
from negbench.rng import key
from negbench.store import Store
from negbench.types import Bool, Float64, Int32, UInt64


class Population(population.Population):
    """A population that hashes its texts, which are ids here, once."""

    @cached_property
    def _kept(self) -> tuple[UInt64, list[str]]:
        return super().keys(), super().digests()

    def keys(self) -> UInt64:
        """Return the hash of each pair [N]."""
        return self._kept[0]

    def digests(self) -> list[str]:
        """Return the digest of each pair [N]."""
        return self._kept[1]


def framed(mined: Mapping[str, Pairs], weights: Float64) -> Population:
    """Return the population of these samplers' negatives, as read from a file; ``weights`` [queries]: rows a query."""
    rows = {
        sampler: [
            Row("", f"q{query}", (), (Negative(f"d{document}", rank, weight=float(weights[query])),))
            for query, document, rank in zip(
                pairs.queries.tolist(), pairs.documents.tolist(), pairs.ranks.tolist(), strict=True
            )
        ]
        for sampler, pairs in mined.items()
    }
    built = population.build(rows, None)
    return Population(**{it.name: getattr(built, it.name) for it in fields(population.Population)})


def rows_of(whole: Population) -> tuple[Int32, Int32]:
    """Return the query row [N] and document row [N] in the collection of each pair of a population."""
    queries = np.array([int(text[1:]) for text in whole.query_texts], np.int32)[whole.queries]
    documents = np.array([int(text[1:]) for text in whole.document_texts], np.int32)[whole.documents]
    return queries, documents


def audited(
    whole: Population, truth: Bool, labels: int, seed: int, judge: Float64 | None
) -> Iterator[tuple[str, float, float, float]]:
    """Yield method, rate, low and high of one audit; nobody is asked twice, which changes agreement alone."""
    asked = sheet.of(whole, draw.draw(whole, labels, None, seed, judge), seed, judge)
    asked = replace(asked, items=np.unique(asked.items))
    said = {(item, ""): "yes" if truth[pair] else "no" for item, pair in enumerate(asked.items.tolist(), 1)}
    found = estimate(asked, said)  # type: ignore[arg-type]
    assert found is not None
    for name, rate in found.rates.items():
        yield name, rate.rate, rate.low, rate.high


def repeat(cell: worlds.Cell, mined: Mapping[str, Pairs]) -> Iterator[dict[str, object]]:
    """Yield a row an interval: every sampler alone, all in one audit, and alone with a judge's help."""
    name = f"{cell.world.name}/{cell.name}"
    size = len(cell.world.collection.query_ids)
    weights_of = {
        "labelled pair": np.bincount(cell.labelled.queries, minlength=size).astype(float),
        "query": np.ones(size),
    }
    each = worlds.CELLS["audits"]["repetitions"] // len(mined)
    for unit, weights in weights_of.items():
        groups = [("one method", [sampler]) for sampler in mined] + [("five methods", list(mined))]
        for kind, samplers in groups:
            whole = framed({sampler: mined[sampler] for sampler in samplers}, weights)
            truth = cell.relevant.contains(*rows_of(whole))
            shares = (whole.weights @ truth / whole.weights.sum(axis=1)).tolist()
            rates = dict(zip(whole.methods, shares, strict=True))
            helps: dict[str, Float64 | None] = {"": None}
            if kind == "one method" and unit == "labelled pair":
                helps[", judge"] = cell.world.judge(*rows_of(whole))
            described = {row["method"]: row for row in description.describe(whole)}
            for labels in worlds.CELLS["audits"]["labels"]:
                for suffix, judge in helps.items():
                    chances = draw.probabilities(whole, labels, None, judge).probability
                    relevant = ((whole.weights > 0) @ (chances * truth)).tolist()
                    expected = dict(zip(whole.methods, relevant, strict=True))
                    for repetition in range(each // 5 if suffix else each):
                        seed = key(f"{name}/{unit}/{samplers}/{labels}/{repetition}") % 2**31
                        for method, rate, low, high in audited(whole, truth, labels, seed, judge):
                            yield {
                                "cell": name,
                                "rows": unit,
                                "audit": kind + suffix,
                                "sampler": method,
                                "labels": labels,
                                "heaviest": described[method]["heaviest_queries"],
                                "effective": described[method]["effective_queries"],
                                "expected": expected[method],
                                "truth": rates[method],
                                "estimate": rate,
                                "low": low,
                                "high": high,
                            }


def main(out: Path, only: list[str]) -> None:
    """Run what is missing, of these worlds or of all."""
    out.mkdir(parents=True, exist_ok=True)
    methods = worlds.chosen(worlds.CELLS["audits"]["samplers"])
    for name, wanted in worlds.CELLS["audits"]["cells"].items():
        if only and name not in only:
            continue
        world = worlds.world(name, Store.default())
        for cell in worlds.cells(world):
            path = out / f"{name}-{cell.name}.parquet"
            if cell.name not in wanted or path.exists():
                continue
            pool_of = cell.pools()
            mined = {spelling: cell.mined(method, pool_of(method)) for spelling, method in methods.items()}
            rows = list(repeat(cell, mined))
            write(rows, path)
            print(path, len(rows), flush=True)


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
    main(Path(sys.argv[1]), sys.argv[2:])
