"""A share with counts by query, for intervals and for pooling seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from negbench.evaluation import intervals
from negbench.types import Bool, Float64, Int64


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


def precision_and_recall(considered: Bool, taken: Bool, wanted: Bool) -> tuple[Share, Share]:
    """Return the share of what is ``wanted`` in what is ``taken``, and of what is taken in what is wanted.

    All are masks [Q, K]; what is not ``considered`` is neither. The references are the shares of all considered that
    are wanted, and that are taken, which taking by chance would reach.
    """
    hits, everyone = considered & taken & wanted, max(int(considered.sum()), 1)
    taken, wanted = considered & taken, considered & wanted
    precision, recall = (
        Share(np.stack([hits.sum(axis=1), of.sum(axis=1)]).astype(np.float64), float(reference.sum()) / everyone)
        for of, reference in ((taken, wanted), (wanted, taken))
    )
    return precision, recall


def by_query(cluster: Int64, queries: int, hits: Float64, totals: Float64, units: int) -> Float64:
    """Return ``hits`` and ``totals`` [N], summed over the N entries of each query, as clusters [2, ``queries``].

    ``cluster`` [N] numbers each entry's query. Both are scaled so that the totals add up to ``units``: what repeats in
    training weighs, but is no more evidence.
    """
    sums = np.stack([np.bincount(cluster, weights=values, minlength=queries) for values in (hits, totals)])
    total = float(sums[1].sum())
    return np.asarray(sums * (units / total) if total else sums, np.float64)
