"""Keep candidates that form a slim triangle with query and positive."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.asks import Ask, PositiveSimilarity
from negbench.filters import Filter
from negbench.types import Bool, CandidatePool


class Triangle(Filter):
    """Keep candidates whose angle to the query is about the positive's, and that are nearer to it than to the query.

    The constraints of TriSampler, arXiv 2402.11855: | angle(q, d+) - angle(q, d) | <= ``angle``, and
    s(d+, d) > s(q, d). Scores are taken for cosines. A query whose positives have no score keeps its candidates.

    angle: degrees; the paper's 60.
    """

    name: ClassVar[str] = "triangle"

    angle: float = Field(default=60.0, gt=0, le=180)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """How similar candidates are to the positives."""
        return (PositiveSimilarity(),)

    def throws_out(self, pool: CandidatePool) -> Bool:
        """Throw out what breaks one of the two."""
        assert pool.similarity is not None, "the pool carries no similarities"
        positive = pool.positive_score("highest")[:, None]
        with np.errstate(invalid="ignore"):
            turn = np.arccos(np.clip(positive, -1, 1)) - np.arccos(np.clip(pool.scores.astype(np.float64), -1, 1))
            out: Bool = (np.abs(turn) > np.radians(self.angle)) | (pool.similarity <= pool.scores)
        return out
