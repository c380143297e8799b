"""A share with counts by query, for intervals and for pooling seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from negbench.evaluation import intervals
from negbench.types import Float64, Int64


@dataclass(frozen=True, slots=True)
class Share:
    """A share as hits among units, summed by query for its interval.

    ``clusters`` [2, n] holds hits and totals of each of n queries, in ascending row; the totals add up to the number
    of units (``evaluation.intervals``). ``reference`` is a reference share, defined by the caller.
    """

    clusters: Float64
    reference: float

    def interval(self) -> tuple[float, float, float]:
        """Return the share and its 95 % interval, (rate, low, high), queries being what was sampled."""
        return intervals.proportion(*self.clusters)


def by_query(cluster: Int64, queries: int, hits: Float64, totals: Float64, units: int) -> Float64:
    """Return ``hits`` and ``totals`` [N], summed over the N entries of each query, as clusters [2, ``queries``].

    ``cluster`` [N] numbers each entry's query. Both are scaled so that the totals add up to ``units``: what repeats in
    training weighs, but is no more evidence.
    """
    sums = np.stack([np.bincount(cluster, weights=values, minlength=queries) for values in (hits, totals)])
    total = float(sums[1].sum())
    return np.asarray(sums * (units / total) if total else sums, np.float64)
