"""Keep a band of ranks."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from negbench.filters import Filter
from negbench.types import Bool, CandidatePool


class RankBand(Filter):
    """Keep raw ranks ``low`` to ``high`` - 1, counted from 0: ``rank-band(low=10, high=110)`` skips the first ten.

    The default is RAGatouille's intention (min_rank 10, max_rank 110), which its releases do not carry out.

    low: first rank kept. high: first rank no longer kept.
    """

    name: ClassVar[str] = "rank-band"

    low: int = Field(default=10, ge=0)
    high: int = Field(default=110, ge=1)

    @model_validator(mode="after")
    def _not_empty(self) -> RankBand:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}")
        return self

    @property
    def needed_depth(self) -> int:
        """The end of the band."""
        return self.high

    def throws_out(self, pool: CandidatePool) -> Bool:
        """Throw out what lies outside of the band."""
        rank = np.arange(pool.depth)
        outside = (rank < self.low) | (rank >= self.high)
        return np.broadcast_to(outside, pool.documents.shape)
