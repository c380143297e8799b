"""What needs no training of a grid's, beside a trained row: which of it ranks significantly better than the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negbench.evaluation import significance
from negbench.plan.trials import BM25_SEARCH, START, UNTOUCHED, Trial
from negbench.report.rows import differences
from negbench.report.table import ALPHA
from negbench.store import Store
from negbench.types import Float64

NAMES = {
    UNTOUCHED: "the untouched model",
    BM25_SEARCH: "BM25 as the search engine",
    START: "the encoder before training",
}
"""References as sentences call them, in the order of a model card."""


@dataclass(frozen=True)
class Reference:
    """A reference: its measures, in the mean over its seeds, and whether its first one is significantly above a row's.

    The test is paired by query, and by seed where both have seeds: 5 %, not corrected.
    """

    name: str
    metrics: Mapping[str, float]
    better: bool


@dataclass(frozen=True, kw_only=True)
class References:
    """The references of a trained row, whose ``measure`` on ``split`` is ``quality`` in the mean over its seeds."""

    measure: str
    split: str
    quality: float
    found: tuple[Reference, ...]

    @property
    def sentence(self) -> str:
        """Say which references are significantly better, and what to use in the row's place; empty where none is."""
        better = [one for one in self.found if one.better]
        if not better:
            return ""
        named = " and ".join(f"{NAMES[one.name]} ({one.metrics[self.measure]:.4f})" for one in better)
        top = max(better, key=lambda one: one.metrics[self.measure])
        return f"{self.quality:.4f} on {self.split}, significantly less than {named}: use {NAMES[top.name]}"


def of_row(
    seeds: Sequence[Trial], trials: Sequence[Trial], records: Mapping[str, dict[str, Any]], store: Store
) -> References:
    """Return the references of a row, ``seeds``, among the finished ``trials``: those at its point of the axes.

    BM25 that has no such point is taken at any point on the same collection; the others are of the row's own start, and
    that of another point is not. ``records`` are those of results.json.
    """
    first = seeds[0]
    own, measure = _values(seeds, store), first.settings.measures[0]
    found = []
    for name in NAMES:
        same = [it for it in trials if it.method == name and _collection(it) == _collection(first)]
        reference = [it for it in same if it.axis_values == first.axis_values]
        if not reference and name == BM25_SEARCH:
            reference = same[:1]
        if reference:
            metrics = _metrics([records[it.name]["metrics"] for it in reference])
            paired = differences(_values(reference, store), own)
            estimate = None if paired is None else significance.estimate(paired)
            better = estimate is not None and estimate.mean > 0 and significance.p_value(estimate) < ALPHA
            found.append(Reference(name, metrics, better and measure in metrics))
    quality = _metrics([records[it.name]["metrics"] for it in seeds]).get(measure, float("nan"))
    return References(measure=measure, split=first.settings.split, quality=quality, found=tuple(found))


def _collection(trial: Trial) -> str:
    return trial.evaluation.collection.fingerprint


def _values(seeds: Sequence[Trial], store: Store) -> dict[int | None, Float64]:
    """Return the first measure of every query [Q] by seed."""
    return {it.seed: np.load(store.path(it.evaluation) / "0.npy", allow_pickle=False) for it in seeds}


def _metrics(of_seeds: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    """Return the means of the measures that all seeds have."""
    columns = {name: [metrics.get(name) for metrics in of_seeds] for name in of_seeds[0]}
    known = {name: [value for value in values if value is not None] for name, values in columns.items()}
    means = {name: sum(values) / len(of_seeds) for name, values in known.items() if len(values) == len(of_seeds)}
    return {name: mean for name, mean in means.items() if mean == mean}
