"""Rows that start from one encoder and are tested on one collection, compared with one another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from negbench.evaluation import significance
from negbench.evaluation.significance import Estimate
from negbench.report.rows import Row, differences
from negbench.report.table import ALPHA, mostly_random, short_methods
from negbench.types import Float64

HIGHEST = 1.0
"""Value of a measure for a perfect ranking."""

ROUNDING = 1e-9
"""How far rounding may take a value above the highest one."""


@dataclass(frozen=True, kw_only=True)
class ComparedRows:
    """Rows at one ``place`` of the axes that change the start or the test, compared with one another.

    ``trials``, ``values`` and ``settings`` are as in ``verdict.answer``.
    """

    rows: Sequence[Row]
    place: Mapping[str, Any]
    trials: Sequence[dict[str, Any]]
    values: Mapping[str, Float64]
    settings: Mapping[str, Any]

    @cached_property
    def trained(self) -> list[Row]:
        """The rows that can be compared with one another: of equal work where there are any."""
        known = [row for row in self.rows if row.form != "reference" and row.quality is not None]
        return [row for row in known if row.work == "equal"] or known

    @cached_property
    def candidates(self) -> list[Row]:
        """Trained rows that show their method: not mostly random fill."""
        return [row for row in self.trained if not mostly_random(row.filled)]

    @cached_property
    def best(self) -> Row:
        """The candidate with the highest quality."""
        return max(self.candidates, key=quality)

    @cached_property
    def good(self) -> list[Row]:
        """The best row and those that no test tells from it (Holm over all comparisons with the best)."""
        others = [row for row in self.candidates if row is not self.best]
        found = [self.estimate(self.best, row) for row in others]
        tested = [one for one in found if one is not None]
        chances = iter(significance.holm([significance.p_value(one) for one in tested]))
        return [self.best] + [
            row for row, one in zip(others, found, strict=True) if one is None or next(chances) >= ALPHA
        ]

    @property
    def matters(self) -> float:
        """The smallest difference that matters."""
        return float(self.settings["equivalent_within"])

    @cached_property
    def several(self) -> bool:
        """Whether a row has several seeds: with one, methods are not tested."""
        return any(row.seeds > 1 for row in self.candidates)

    @cached_property
    def highest(self) -> float:
        """The highest value of a query; above 1 for a measure that counts, which has no highest value."""
        every = [self.values[trial["name"]] for trial in self.trials if trial["name"] in self.values]
        return max((float(np.nanmax(one)) for one in every if not np.isnan(one).all()), default=0.0)

    def is_top(self, value: float) -> bool:
        """Return whether what is left to the highest value of the measure is less than a difference that matters."""
        return HIGHEST - value < self.matters and self.highest <= HIGHEST + ROUNDING

    @cached_property
    def short(self) -> dict[str, str]:
        """A short name for each method, and the whole one of those whose short names would be numbered."""
        short = short_methods([row.method for row in self.rows])
        times = Counter(name.partition(" ")[0] for name in short.values())
        return {method: name if times[name.partition(" ")[0]] == 1 else method for method, name in short.items()}

    def label(self, row: Row) -> str:
        """Return the short name of a row's method and its point on the axes that are not the same for all rows."""
        point = [f"{key}={value}" for key, value in row.axes.items() if key not in self.place]
        return self.short[row.method] + (f" ({', '.join(point)})" if point else "")

    def named(self, method: str | None, axes: Mapping[str, Any] | None = None) -> Row | None:
        """Return the row of a method at a point of the axes; that of a reference at any point if it has no such one."""
        rows = [row for row in self.rows if row.method == method and row.quality is not None]
        exact = [row for row in rows if axes is None or row.axes == axes]
        return next(iter(exact or rows), None)

    def of_baseline(self, row: Row) -> float:
        """Return the quality of the baseline at a row's point of the axes."""
        baseline = self.named(self.settings["baseline"], row.axes)
        return -1.0 if baseline is None else quality(baseline)

    def estimate(self, row: Row, other: Row | None) -> Estimate | None:
        """Estimate the mean difference of two rows over shared seeds; None where they share none or have one alone."""
        differences = self.differences(row, other)
        if differences is None:
            return None
        found = significance.estimate(differences)
        return found if found.error > 0 or found.mean == 0 else None

    def differences(self, row: Row, other: Row | None) -> Float64 | None:
        """Return differences [S, Q] by seed and query, as ``rows.differences`` does."""
        return None if other is None else differences(self.by_seed(row), self.by_seed(other))

    def by_seed(self, row: Row) -> dict[int | None, Float64]:
        """Return a row's values [Q] by seed."""
        point = json.dumps(row.axes)
        return {
            trial["seed"]: self.values[trial["name"]]
            for trial in self.trials
            if trial["spelling"] == row.method and json.dumps(trial["axes"]) == point and trial["status"] == "done"
        }


def quality(row: Row) -> float:
    """Return the first measure of a row; -1 where it has none."""
    return -1.0 if row.quality is None else row.quality
