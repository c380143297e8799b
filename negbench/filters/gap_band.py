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

    low, high: in the retriever's score units, relative to the positive's. positive: which of several gives s+.
    """

    name: ClassVar[str] = "gap-band"

    low: float = Field(default=-0.1)
    high: float = Field(default=0.1)
    positive: Literal["highest", "lowest"] = "highest"

    @model_validator(mode="after")
    def _not_empty(self) -> GapBand:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}")
        return self

    def throws_out(self, pool: CandidatePool) -> Bool:
        """Throw out what lies outside."""
        with np.errstate(invalid="ignore"):
            gap = pool.scores - pool.positive_score(self.positive)[:, None]
            outside: Bool = (gap < self.low) | (gap > self.high)
        return outside
