"""False-negative rates of a ranking by rank, looked up in fuller judgments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from negbench.evaluation import intervals
from negbench.types import CandidatePool, Qrels

BANDS: Final = ((1, 1), (2, 10), (11, 100))
"""First and last rank of each band, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRate:
    """Share of relevant candidates at ranks ``first`` to ``last``, with its 95 % interval over ``queries``.

    Each query weighs the same. The rate is NaN where no query has a candidate there.
    """

    first: int
    last: int
    queries: int
    rate: float
    low: float
    high: float


def false_negatives(pool: CandidatePool, truth: Qrels) -> list[BandRate]:
    """Return the rate of each band; a candidate's rank counts those that are no known positives, as a sampler does.

    So rank 1 is the negative that the method ``bm25`` draws from a pool of BM25. ``truth`` judges the pool's queries;
    a grade above 0 is relevant.
    """
    available = pool.available()
    ranks = np.where(available, np.cumsum(available, axis=1), 0)
    relevant = truth.at_least(1).contains(pool.queries[:, None], pool.documents)
    rates = []
    for first, last in BANDS:
        inside = (ranks >= first) & (ranks <= last)
        counted = inside.any(axis=1)
        shares = (inside & relevant)[counted].sum(axis=1) / inside[counted].sum(axis=1)
        rate, low, high = intervals.mean(shares)
        rates.append(BandRate(first=first, last=last, queries=len(shares), rate=rate, low=low, high=high))
    return rates
