"""Methods on several collections side by side: each collection, the mean over them, and further ones out of domain.

A difference to the baseline is paired by query and seed. Those on the collections trained on, those out of domain and
those of the mean are three families of tests; each is Holm-corrected over all methods, collections and points.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from negbench.config.grid import Settings
from negbench.evaluation import significance
from negbench.evaluation.significance import Estimate
from negbench.report.rows import Evidence, Row, paired
from negbench.report.table import split
from negbench.types import Float64

AXIS = "collection"
MEAN = "mean"

Kind = Literal["trained on", "mean", "out of domain"]


@dataclass(frozen=True)
class Column:
    """A column: collection ``trained`` on (None for the mean) and ``measured`` on, which differ out of domain."""

    kind: Kind
    trained: str | None
    measured: str

    @property
    def name(self) -> str:
        """Name of the column: a collection, ``mean``, or ``scifact > cranfield`` where it is out of domain."""
        if self.kind != "out of domain" or self.trained is None:
            return self.measured
        return f"{self.trained} > {self.measured}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method in one column: the measure and its difference to the baseline, with 95 % intervals.

    ``p`` is the p value of no difference, Holm-corrected over the ``family`` tests of the columns of the same kind;
    ``same`` tells whether a difference of the grid's margin is ruled out. None where they do not apply.
    """

    quality: float | None = None
    low: float | None = None
    high: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    p: float | None = None
    same: bool | None = None
    family: int = 0


@dataclass(frozen=True, kw_only=True)
class Line:
    """One method at one point of the other axes, with a cell for each column; ``rank`` is its mean rank."""

    method: str
    form: str
    axes: dict[str, Any]
    cells: list[Cell]
    rank: float | None
    filled: float | None


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The lines of methods that do the same work; ``title`` says which, where there are others."""

    title: str
    columns: list[Column]
    lines: list[Line]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Matrix:
        """Return the matrix that a results.json holds."""
        lines = [Line(**{**line, "cells": [Cell(**cell) for cell in line["cells"]]}) for line in data["lines"]]
        return cls(title=data["title"], columns=[Column(**it) for it in data["columns"]], lines=lines)


def columns(collections: Sequence[str], elsewhere: Mapping[str, Iterable[str]]) -> list[Column]:
    """Return the columns: ``collections``, their mean if there are several, and what each is evaluated on besides."""
    found = [Column("trained on", name, name) for name in collections]
    found += [Column("mean", None, MEAN)] if len(collections) > 1 else []
    return found + [Column("out of domain", name, other) for name in collections for other in elsewhere.get(name, ())]


def matrices(
    rows: Sequence[Row],
    records: Sequence[dict[str, Any]],
    evidence: Evidence,
    shown: Sequence[Column],
    settings: Settings,
) -> list[Matrix]:
    """Return a matrix for each table of ``rows``, whose p values it takes; ``records`` are the trials of results.json.

    The collection that a row is of is the value of its axis ``collection``; without that axis there is one collection.
    """
    trials = _Trials(records=records, evidence=evidence, shown=shown, baseline=settings.baseline)
    return [_tested(_matrix(title, some, trials), trials, settings.equivalent_within) for title, some in split(rows)]


@dataclass(frozen=True, kw_only=True)
class _Trials:
    """The finished trials, and their values by query in each column."""

    records: Sequence[dict[str, Any]]
    evidence: Evidence
    shown: Sequence[Column]
    baseline: str | None

    @property
    def trained(self) -> list[str | None]:
        """The collections that are trained on."""
        return [it.trained for it in self.shown if it.kind == "trained on"]

    def row_of(self, axes: Mapping[str, Any]) -> str | None:
        """Return the collection of a point of the axes."""
        collection: str | None = axes.get(AXIS, self.trained[0])
        return collection

    def quality(self, line: Line, column: Column) -> Estimate | None:
        """Estimate the measure of a method in a column."""
        values = self._values(column)
        by_seed = [
            {it["seed"]: values[it["name"]] for it in self._done(line.method, line.axes, name) if it["name"] in values}
            for name in self._collections(column)
        ]
        return _estimate(by_seed)

    def gain(self, line: Line, column: Column) -> Estimate | None:
        """Estimate the difference of a method to the baseline in a column, over the seeds that both have."""
        values = self._values(column)
        return _estimate(
            [
                paired(self._done(line.method, line.axes, name), self._done(self.baseline, line.axes, name), values)
                for name in self._collections(column)
            ]
        )

    def _collections(self, column: Column) -> list[str | None]:
        return self.trained if column.kind == "mean" else [column.trained]

    def _values(self, column: Column) -> Mapping[str, Float64]:
        if column.kind != "out of domain":
            return self.evidence.values
        return {name: by[column.measured] for name, by in self.evidence.elsewhere.items() if column.measured in by}

    def _done(self, method: str | None, axes: Mapping[str, Any], collection: str | None) -> list[dict[str, Any]]:
        return [
            it
            for it in self.records
            if it["status"] == "done"
            and it["spelling"] == method
            and _others(it["axes"]) == axes
            and self.row_of(it["axes"]) == collection
        ]


def _others(axes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a point of the axes without the collection."""
    return {key: value for key, value in axes.items() if key != AXIS}


def _estimate(by_seed: Sequence[Mapping[Any, Float64]]) -> Estimate | None:
    """Estimate the mean over collections, by the seeds that all of them have; None where there are none."""
    seeds = [seed for seed in by_seed[0] if all(seed in other for other in by_seed)]
    if not seeds:
        return None
    tables = [np.stack([values[seed] for seed in seeds]) for values in by_seed]
    found = significance.estimate(tables[0]) if len(tables) == 1 else significance.estimate_mean(tables)
    return None if math.isnan(found.mean) else found


def _matrix(title: str, rows: Sequence[Row], trials: _Trials) -> Matrix:
    """Return the lines of ``rows`` with the measure in every column, and the differences that the rows have."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((json.dumps(_others(row.axes)), row.method), []).append(row)
    lines = []
    for own in groups.values():
        shares = [row.filled for row in own if row.filled is not None]
        line = Line(
            method=own[0].method,
            form=own[0].form,
            axes=_others(own[0].axes),
            cells=[],
            rank=None,
            filled=max(shares) if shares else None,
        )
        of_rows = {trials.row_of(row.axes): _of_row(row) for row in own}
        cells = [
            of_rows.get(column.trained, Cell())
            if column.kind == "trained on"
            else _with_interval(Cell(), trials.quality(line, column), "")
            for column in trials.shown
        ]
        lines.append(replace(line, cells=cells))
    places = [at for at, column in enumerate(trials.shown) if column.kind == "trained on"]
    return Matrix(title=title, columns=list(trials.shown), lines=_ranked(lines, places))


def _of_row(row: Row) -> Cell:
    return Cell(**{one.name: getattr(row, one.name) for one in fields(Cell)})


def _with_interval(cell: Cell, found: Estimate | None, prefix: Literal["", "gain"]) -> Cell:
    if found is None:
        return cell
    low, high = (None if math.isnan(end) else end for end in (found.low, found.high))
    if prefix:
        return replace(cell, gain=found.mean, gain_low=low, gain_high=high)
    return replace(cell, quality=found.mean, low=low, high=high)


def _ranked(lines: Sequence[Line], places: Sequence[int]) -> list[Line]:
    """Return the lines with the mean rank of each trained method among those of its point that all have a value."""
    from scipy.stats import rankdata

    ranked = list(lines)
    for point in dict.fromkeys(json.dumps(line.axes) for line in lines):
        whole = [
            at
            for at, line in enumerate(lines)
            if json.dumps(line.axes) == point
            and line.form != "reference"
            and all(line.cells[place].quality is not None for place in places)
        ]
        if len(places) > 1 and whole:
            qualities = np.array([[lines[at].cells[place].quality for at in whole] for place in places], np.float64)
            means = rankdata(-qualities, axis=1).mean(axis=0).tolist()
            for at, rank in zip(whole, means, strict=True):
                ranked[at] = replace(lines[at], rank=rank)
    return ranked


def _tested(matrix: Matrix, trials: _Trials, within: float) -> Matrix:
    """Return the matrix with the differences out of domain and of the mean, a family of tests by kind."""
    cells = [list(line.cells) for line in matrix.lines]
    families: dict[Kind, list[tuple[int, int, Estimate]]] = {"mean": [], "out of domain": []}
    for at, line in enumerate(matrix.lines):
        for place, column in enumerate(matrix.columns):
            if column.kind == "trained on" or trials.baseline in (None, line.method):
                continue
            found = trials.gain(line, column)
            cells[at][place] = _with_interval(cells[at][place], found, "gain")
            if found is not None and found.tested and line.form != "reference":
                families[column.kind].append((at, place, found))
    for family in families.values():
        decisions = significance.decide([found for _, _, found in family], within)
        for (at, place, _), one in zip(family, decisions, strict=True):
            same = one.same < 1 - significance.LEVEL
            cells[at][place] = replace(cells[at][place], p=one.differs, same=same, family=len(family))
    lines = [replace(line, cells=own) for line, own in zip(matrix.lines, cells, strict=True)]
    return replace(matrix, lines=lines)
