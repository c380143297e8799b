"""The passage sieve: throw out what is more probable than the average passage."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.filters import Filter
from negbench.types import Bool, CandidatePool, Float64


class Sieve(Filter):
    """Of the first ``depth`` candidates keep those that score no higher than the mean of these and the positive.

    Passage sieve of CCR, arXiv 2401.00165: with p the softmax over a query's passages, its positive among them, drop
    passage i where -log p_i lies below the mean of -log p_j, which is where its score lies above the mean score.
    Differs from the paper in: the scores are those of the pool's retriever, not of an encoder that was trained with
    CCR's regulariser; several positives count as one with their mean score, which is the average over the rows that
    the paper makes of them; where all candidates lie above the mean the lowest stays (there one at random).
    """

    name: ClassVar[str] = "sieve"
    version: ClassVar[int] = 2
    depends_on_known: ClassVar[bool] = True

    depth: int = Field(
        default=30,
        ge=1,
        description=(
            "Number of top retriever ranks that are compared; deeper candidates are rejected. The paper has 30."
        ),
    )

    def reject(self, pool: CandidatePool) -> Bool:
        """Throw out what lies above the mean of the positive and of what no label rules out by rank."""
        looked_at = (pool.documents >= 0) & ~pool.known & ~np.isnan(pool.scores)
        looked_at[:, self.depth :] = False
        scores = np.where(looked_at, pool.scores.astype(np.float64), 0.0)
        positive, known = _mean_positive(pool)
        total, count = scores.sum(axis=1) + np.where(known, positive, 0.0), looked_at.sum(axis=1) + known
        mean = (total / np.maximum(1, count))[:, None]
        kept = looked_at & (scores <= mean + 1e-9 * np.abs(mean))
        none = ~kept.any(axis=1)
        lowest = np.where(looked_at, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
        kept[none] = (looked_at & (scores == lowest))[none]
        out: Bool = ~kept
        return out


def _mean_positive(pool: CandidatePool) -> tuple[Float64, Bool]:
    """Return the mean score [Q] of each query's positives, and whether it has one with a score."""
    scored = ~np.isnan(pool.positive_scores)
    count = scored.sum(axis=1)
    total = np.where(scored, pool.positive_scores.astype(np.float64), 0.0).sum(axis=1)
    return total / np.maximum(1, count), count > 0
