"""Filters by where a candidate lies: its scores with the query and with the positive, and the positive's own."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from negbench.filters import Filter
from negbench.requirements import PositiveSimilarity
from negbench.types import Bool, CandidatePool, Float32, Float64


class PositiveGeometry(Filter):
    """A filter of the three similarities between query, candidate and positive.

    Of several labelled positives each comparison is with the nearest: the highest score with the query, and the highest
    similarity with the candidate. A query whose positives have no score keeps its candidates.
    """

    @property
    def requires(self) -> tuple[PositiveSimilarity]:
        return (PositiveSimilarity(),)

    def reject(self, pool: CandidatePool) -> Bool:
        similarity = self.feature(pool, PositiveSimilarity).candidates
        positive = pool.positive_score("highest")[:, None]
        with np.errstate(invalid="ignore"):
            return self.outside(pool.scores, positive, similarity)

    @abstractmethod
    def outside(self, scores: Float32, positive: Float64, similarity: Float32) -> Bool:
        """Return the candidates [Q, K] to throw out, given s(q, d) [Q, K], s(q, d+) [Q, 1] and s(d+, d) [Q, K]."""
