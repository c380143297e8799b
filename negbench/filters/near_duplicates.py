"""Throw out what says the same as a positive, or as a candidate that ranks higher."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.filters import Filter
from negbench.requirements import NearDuplicates
from negbench.types import Bool, CandidatePool


class WithoutNearDuplicates(Filter):
    """Throw out near-duplicates of the query's labelled positives, and of candidates that rank higher.

    A copy of a positive under another id is the surest false negative there is; two copies among the negatives are one
    negative that counts twice.
    """

    name: ClassVar[str] = "without-near-duplicates"

    threshold: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description=(
            "Jaccard similarity of three-word shingles from which two documents are duplicates; 1 means equal words."
        ),
    )

    @property
    def requires(self) -> tuple[NearDuplicates]:
        return (NearDuplicates(self.threshold),)

    def reject(self, pool: CandidatePool) -> Bool:
        duplicates = self.feature(pool, NearDuplicates)
        out = np.zeros(pool.documents.shape, np.bool_)
        for row, (groups, positives) in enumerate(zip(duplicates.candidates, duplicates.positives, strict=True)):
            _, first = np.unique(groups, return_index=True)
            again = np.ones(len(groups), np.bool_)
            again[first] = False
            out[row] = again | np.isin(groups, positives[positives >= 0])
        return out
