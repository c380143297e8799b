"""``by_query.csv`` of a paper: every value that a statement uses, by measure, query, row and seed.

A column is a row and its seed (``bm25 seed 0``), or a row alone where nothing is drawn or trained. Rates have two lines
a query, ``rate: hits`` and ``rate: of``: the weight of the negatives that count, and of all. A measure of a whole trial
has one line with an empty query. Verdicts are derived from this file alone.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping

import numpy as np

from negbench.escaping import csv_table
from negbench.papers.samples import Sample, rate
from negbench.papers.statements import Value
from negbench.types import Float64

HITS, TOTALS = ": hits", ": of"
_COLUMN = re.compile(r"(\S+)(?: seed (\d+))?")


def write(samples: Mapping[Value, Sample]) -> str:
    """Return the values as CSV with nine significant digits, the same whatever order they come in."""
    lines: dict[tuple[str, str], dict[str, float]] = {}
    columns: dict[str, None] = {}
    for value, sample in sorted(samples.items(), key=lambda item: (item[0].measure, item[0].row)):
        seeds = sample.seeds or (None,)
        tables: dict[str, Float64] = {value.measure: sample.values}
        if sample.counts is not None:
            hits, totals = sample.counts
            tables = {value.measure + HITS: hits, value.measure + TOTALS: totals}
        for name, table in tables.items():
            for seed, of_seed in zip(seeds, table.tolist(), strict=True):
                column = value.row if seed is None else f"{value.row} seed {seed}"
                columns[column] = None
                for query, number in zip(sample.queries, of_seed, strict=True):
                    lines.setdefault((name, query), {})[column] = number
    written = [["measure", "query", *columns]]
    for (name, query), numbers in lines.items():
        if all(map(math.isnan, numbers.values())):
            continue
        cells = (numbers.get(column, math.nan) for column in columns)
        written.append([name, query, *("" if math.isnan(it) else f"{it:.9g}" for it in cells)])
    return csv_table(written)


def read(text: str) -> dict[Value, Sample]:
    """Return the samples of ``write``. Queries without a value in any seed of a row are left out."""
    heading, *lines = csv.reader(io.StringIO(text))
    rows: dict[str, list[tuple[int | None, int]]] = {}
    for place, column in enumerate(heading[2:], start=2):
        found = _COLUMN.fullmatch(column)
        assert found is not None, column
        rows.setdefault(found[1], []).append((None if found[2] is None else int(found[2]), place))
    by_measure: dict[str, list[list[str]]] = {}
    for line in lines:
        by_measure.setdefault(line[0], []).append(line)
    samples: dict[Value, Sample] = {}
    for row, columns in rows.items():
        seeds = tuple(seed for seed, _ in columns if seed is not None) or None
        places = [place for _, place in columns]
        tables = {measure: _table(of_measure, places) for measure, of_measure in by_measure.items()}
        for measure, (queries, values) in tables.items():
            if not queries or measure.endswith(TOTALS):
                continue
            if measure.endswith(HITS):
                name = measure.removesuffix(HITS)
                samples[Value(name, row)] = rate(values, tables[name + TOTALS][1], queries, seeds)
            else:
                samples[Value(measure, row)] = Sample(values, queries, seeds)
    return samples


def _table(lines: list[list[str]], places: list[int]) -> tuple[tuple[str, ...], Float64]:
    kept = [line for line in lines if any(line[place] for place in places)]
    values = [[float(line[place] or "nan") for line in kept] for place in places]
    return tuple(line[1] for line in kept), np.array(values, np.float64)
