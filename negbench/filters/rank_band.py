"""Keep a band of ranks."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from negbench.filters import Filter
from negbench.types import Bool, CandidatePool


class RankBand(Filter):
    """Keep raw ranks ``low`` to ``high`` - 1, counted from 0: ``rank-band(low=10, high=110)`` skips the first ten.

    The default bounds are those that RAGatouille means (min_rank 10, max_rank 110), which its releases do not carry
    out. In a corpus of N documents it stops at N // 10 where that is less than 110; so does ``divisor=10``. Below 110
    documents nothing is left then.
    """

    name: ClassVar[str] = "rank-band"

    low: int = Field(default=10, ge=0, description="First rank that is kept, counted from 0.")
    high: int = Field(default=110, ge=1, description="Rank after the last one that is kept, counted from 0.")
    divisor: int | None = Field(
        default=None,
        ge=1,
        description="Lowers `high` to the number of documents divided by this, rounded down; null leaves it.",
    )

    @model_validator(mode="after")
    def _not_empty(self) -> RankBand:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}; lower it")
        return self

    @property
    def needed_depth(self) -> int:
        return self.high

    def end(self, corpus_size: int | None) -> int:
        """Return the first rank no longer kept in a corpus of so many documents."""
        if self.divisor is None or corpus_size is None:
            return self.high
        return min(self.high, corpus_size // self.divisor)

    def nothing_left(self, corpus_size: int | None) -> str:
        end = self.end(corpus_size)
        if end > self.low:
            return ""
        return f"{self.spelling} keeps no rank of {corpus_size} documents: it begins at {self.low} and ends at {end}"

    def reject(self, pool: CandidatePool) -> Bool:
        rank = np.arange(pool.depth)
        outside = (rank < self.low) | (rank >= self.end(pool.corpus_size))
        return np.broadcast_to(outside, pool.documents.shape)
