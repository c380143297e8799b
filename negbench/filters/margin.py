"""Throw out what scores too close to the query's labelled positive."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.filters import Filter
from negbench.types import Bool, CandidatePool


class Margin(Filter):
    """Keep the candidates whose score lies at least a margin below the positive's, s+.

    NV-Retriever, Moreira et al. 2024, arXiv 2407.15831. ``absolute`` is its MarginPos, s <= s+ - margin;
    ``percent`` its PercPos, s <= s+ - margin |s+|, which for s+ above 0 is s <= (1 - margin) s+ and for a negative
    s+, where that product would lie above s+, still stands below it. Differs from the paper in: a score at the very
    limit is kept. sentence-transformers' absolute_margin and relative_margin do the same.

    Without a positive whose score is known there is no limit, and the query keeps its candidates.

    margin: in the retriever's score units, or as a share of |s+| (0.05 is 5 %). unit: which of the two. positive:
    whose score is s+ where a query has several; ``lowest`` is the cautious one: what scores as high as some labelled
    positive may well be another one. ``highest`` keeps more and harder candidates.
    """

    name: ClassVar[str] = "margin"

    margin: float = Field(default=0.05, ge=0)
    unit: Literal["absolute", "percent"] = "percent"
    positive: Literal["lowest", "highest"] = "lowest"

    def throws_out(self, pool: CandidatePool) -> Bool:
        """Throw out what lies above the limit, in float64: rounding does not move it."""
        positive = pool.positive_score(self.positive)
        known = ~np.isnan(positive)
        positive = np.where(known, positive, 0.0)
        margin = self.margin if self.unit == "absolute" else self.margin * np.abs(positive)
        limit = np.where(known, positive - margin, np.inf)
        too_close: Bool = pool.scores > limit[:, None]
        return too_close
