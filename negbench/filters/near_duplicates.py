"""Throw out what says the same as a positive, or as a candidate that ranks higher."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.asks import Ask, NearDuplicates
from negbench.filters import Filter
from negbench.types import Bool, CandidatePool


class WithoutNearDuplicates(Filter):
    """Throw out near-duplicates of the query's labelled positives, and of candidates that rank higher.

    A copy of a positive under another id is the surest false negative there is; two copies among the negatives are one
    negative that counts twice.

    threshold: Jaccard similarity of three-word shingles from which two documents say the same; 1 means equal words.
    """

    name: ClassVar[str] = "without-near-duplicates"

    threshold: float = Field(default=1.0, gt=0, le=1)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The groups of documents that say the same."""
        return (NearDuplicates(self.threshold),)

    def throws_out(self, pool: CandidatePool) -> Bool:
        """Throw out by group."""
        assert pool.groups is not None, "the pool carries no groups"
        assert pool.positive_groups is not None
        out = np.zeros(pool.documents.shape, np.bool_)
        for row, (groups, positives) in enumerate(zip(pool.groups, pool.positive_groups, strict=True)):
            _, first = np.unique(groups, return_index=True)
            again = np.ones(len(groups), np.bool_)
            again[first] = False
            out[row] = again | np.isin(groups, positives[positives >= 0])
        return out
