"""The passage sieve: throw out what is more probable than the average candidate."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.filters import Filter
from negbench.types import Bool, CandidatePool


class Sieve(Filter):
    """Of the first ``depth`` candidates keep those that score no higher than their mean.

    Passage sieve of CCR, arXiv 2401.00165: with p the softmax over passages, drop passage i where -log p_i lies below
    the mean of -log p_j, which is where its score lies above the mean score. Differs from the paper in: the scores are
    those of the pool's retriever, not of an encoder that was trained with CCR's regulariser; where all scores are equal
    everything is kept.

    depth: raw ranks scored; the paper's 30. Deeper ones are thrown out.
    """

    name: ClassVar[str] = "sieve"

    depth: int = Field(default=30, ge=1)

    def throws_out(self, pool: CandidatePool) -> Bool:
        """Throw out what lies above the mean of what no label and no earlier rule rules out by rank."""
        looked_at = (pool.documents >= 0) & ~pool.known & ~np.isnan(pool.scores)
        looked_at[:, self.depth :] = False
        count = np.maximum(1, looked_at.sum(axis=1, keepdims=True))
        mean = np.where(looked_at, pool.scores.astype(np.float64), 0.0).sum(axis=1, keepdims=True) / count
        with np.errstate(invalid="ignore"):
            out: Bool = ~looked_at | (pool.scores > mean + 1e-9 * np.abs(mean))
        return out
