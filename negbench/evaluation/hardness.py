"""Hardness of negatives for their retriever."""

from __future__ import annotations

import numpy as np

from negbench.types import CandidatePool, Float64, Negatives


def hardness(negatives: Negatives, pool: CandidatePool) -> float:
    """Return how many standard deviations above its query's mean candidate a negative scores, on average.

    Negatives without a score are left out: random fill and documents from outside the pool. NaN if none has a score, or
    if all candidates of every query score the same.
    """
    mean, spread = moments(pool)
    above = (negatives.scores - mean[:, None]) / np.where(spread > 0, spread, np.nan)[:, None]
    known = above[~np.isnan(above)]
    return float(known.mean()) if len(known) else float("nan")


def moments(pool: CandidatePool) -> tuple[Float64, Float64]:
    """Return mean and standard deviation [Q] of the scores of each query's candidates; 0 where it has none."""
    counted = ~np.isnan(pool.scores)
    many = np.maximum(counted.sum(axis=1), 1)
    scores = np.where(counted, pool.scores, 0.0).astype(np.float64)
    mean = scores.sum(axis=1) / many
    spread = np.sqrt((np.where(counted, scores - mean[:, None], 0.0) ** 2).sum(axis=1) / many)
    return mean, spread
