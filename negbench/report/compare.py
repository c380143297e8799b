"""Two runs side by side by method: the means of both, and the paired difference where queries and seeds are shared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from negbench.errors import InputError
from negbench.evaluation import significance
from negbench.evaluation.significance import Estimate
from negbench.report.rows import Row
from negbench.types import Float64

ByQuery = Mapping[str, Mapping[tuple[str, str], float]]
"""The first measure by trial and (collection, query)."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The results of a grid: its name in the comparison, ``results.json`` with the manifest, and values by query.

    ``keys`` are the keys of its grid, dotted.
    """

    name: str
    data: Mapping[str, Any]
    values: ByQuery
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def measure(self) -> str:
        """The measure that values and rows are in."""
        return str(self.data["settings"]["measure"])


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """One method at one point of the axes in two runs.

    ``first`` and ``second`` are means over all seeds of a run, None where a run lacks the method. ``difference`` is
    second minus first, paired over ``seeds`` shared seeds and ``queries`` shared queries, with its 95 % interval
    ``low`` to ``high``. ``p`` is the p value of no difference, Holm-corrected over the table; None for one seed. Where
    nothing can be paired, these are None, and ``note`` says why. ``first_rate`` and ``second_rate`` are false-negative
    rates in [0, 1], None where unknown.
    """

    method: str
    axes: dict[str, Any]
    first: float | None
    second: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    seeds: int = 0
    queries: int = 0
    first_rate: float | None = None
    second_rate: float | None = None
    note: str = ""


def compare(first: Run, second: Run) -> list[ComparedRow]:
    """Compare the methods of two runs, those of the first in its order, then those of the second alone.

    Raises InputError where the runs are measured by different measures.
    """
    if first.measure != second.measure:
        raise InputError(
            f"compare: {first.name} is measured by {first.measure}, {second.name} by {second.measure}; run one of the "
            "grids again with measures in the same order"
        )
    ours, theirs = _rows(first), _rows(second)
    found: list[ComparedRow] = []
    tested: list[tuple[int, Estimate]] = []
    for key in dict.fromkeys([*ours, *theirs]):
        row, estimate = _compared(key, first, second, ours.get(key), theirs.get(key))
        if estimate is not None and estimate.tested:
            tested.append((len(found), estimate))
        found.append(row)
    corrected = significance.holm([significance.p_value(estimate) for _, estimate in tested])
    for (place, _), p in zip(tested, corrected, strict=True):
        found[place] = replace(found[place], p=p)
    return found


Key = tuple[str, str]
"""A method's spelling, and its point on the axes as JSON."""


def _rows(run: Run) -> dict[Key, Row]:
    rows = [Row(**row) for row in run.data["rows"]]
    return {(row.method, json.dumps(row.axes, sort_keys=True)): row for row in rows}


def _compared(
    key: Key, first: Run, second: Run, ours: Row | None, theirs: Row | None
) -> tuple[ComparedRow, Estimate | None]:
    row = ComparedRow(
        method=key[0],
        axes=json.loads(key[1]),
        first=ours.quality if ours else None,
        second=theirs.quality if theirs else None,
        first_rate=ours.rate if ours else None,
        second_rate=theirs.rate if theirs else None,
    )
    if row.first is None or row.second is None:
        absent = first.name if row.first is None else second.name
        return replace(row, note=f"not in {absent}"), None
    seeds, matrix, why = paired(_trials(first, key), _trials(second, key), first.values, second.values)
    if why:
        return replace(row, note=why), None
    if matrix.size == 1:
        return replace(row, note="one query and one seed"), None
    it = significance.estimate(matrix)
    return replace(row, difference=it.mean, low=it.low, high=it.high, seeds=seeds, queries=matrix.shape[1]), it


def _trials(run: Run, key: Key) -> dict[int | None, str]:
    """Return the names of a row's finished trials by seed."""
    return {
        trial["seed"]: trial["name"]
        for trial in run.data["trials"]
        if trial["status"] == "done" and (trial["spelling"], json.dumps(trial["axes"], sort_keys=True)) == key
    }


def paired(
    first: Mapping[int | None, str], second: Mapping[int | None, str], ours: ByQuery, theirs: ByQuery
) -> tuple[int, Float64, str]:
    """Return the number of shared seeds, the differences [S, Q] by seed and query, and why there are none.

    ``first`` and ``second`` have the trials of a row by seed.
    """
    nothing: Float64 = np.zeros((0, 0), np.float64)
    seeds = [seed for seed in first if seed in second]
    if not seeds:
        return 0, nothing, "no seed in both"
    pairs = [(ours.get(first[seed], {}), theirs.get(second[seed], {})) for seed in seeds]
    if not all(one and other for one, other in pairs):
        return 0, nothing, "no values by query"
    queries = list(pairs[0][0])
    if any(set(side) != set(queries) for pair in pairs for side in pair):
        return 0, nothing, "not the same queries"
    matrix = np.array([[other[query] - one[query] for query in queries] for one, other in pairs], np.float64)
    return len(seeds), matrix, ""


def changes(first: Run, second: Run) -> list[str]:
    """Return a line for each key of the grids, collection and encoder that differs between two runs."""
    lines = []
    for key in dict.fromkeys([*first.keys, *second.keys]):
        if key != "name" and first.keys.get(key) != second.keys.get(key):
            lines.append(f"{key}: " + ", ".join(f"{_shown(run.keys, key)} in {run.name}" for run in (first, second)))
    for kind in ("collections", "encoders"):
        ours, theirs = (run.data["manifest"].get("digests", {}).get(kind, {}) for run in (first, second))
        for name in ours:
            if name in theirs and ours[name] != theirs[name]:
                lines.append(f"{kind.removesuffix('s')} {name} is not the same in both: its digests differ")
    one, other = (run.data["manifest"].get("commit") for run in (first, second))
    if one != other:
        lines.append(f"commit: {one} in {first.name}, {other} in {second.name}")
    return lines


def flat(keys: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested keys as dotted ones; lists are values."""
    found: dict[str, Any] = {}
    for key, value in keys.items():
        inner = isinstance(value, Mapping) and value
        found |= flat(value, f"{before}{key}.") if inner else {f"{before}{key}": value}
    return found


def _shown(keys: Mapping[str, Any], key: str) -> str:
    return json.dumps(keys[key], ensure_ascii=False, default=str) if key in keys else "not set"


def names(first: str, second: str) -> Sequence[str]:
    """Return names of two folders that differ: their last parts, or as many parts as it takes."""
    parts = first.rstrip("/").split("/"), second.rstrip("/").split("/")
    for count in range(1, max(map(len, parts)) + 1):
        one, other = ("/".join(it[-count:]) for it in parts)
        if one != other:
            return one, other
    return f"{first} (first)", f"{second} (second)"
