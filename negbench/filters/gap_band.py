"""Keep what scores about as high as the positive."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from negbench.filters import Filter
from negbench.types import Bool, CandidatePool


class GapBand(Filter):
    """Keep the candidates whose score lies between s+ + ``low`` and s+ + ``high``, the bounds included.

    The hard version of SimANS (arXiv 2210.11773) with low = -m and high = m; semi-hard negatives (FaceNet, Schroff et
    al. 2015, arXiv 1503.03832) with high = 0. A query whose positives have no score keeps its candidates.
    """

    name: ClassVar[str] = "gap-band"

    low: float = Field(default=-0.1, description="Lower bound of s - s+, included, in the retriever's score units.")
    high: float = Field(default=0.1, description="Upper bound of s - s+, included, in the retriever's score units.")
    positive: Literal["highest", "lowest"] = Field(
        default="highest", description="Which of a query's positives gives s+."
    )

    @model_validator(mode="after")
    def _not_empty(self) -> GapBand:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}; lower it")
        return self

    def reject(self, pool: CandidatePool) -> Bool:
        with np.errstate(invalid="ignore"):
            gap = pool.scores - pool.positive_score(self.positive)[:, None]
            outside: Bool = (gap < self.low) | (gap > self.high)
        return outside
