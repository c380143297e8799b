"""Near-duplicates of a positive are positives."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.asks import Ask, NearDuplicates
from negbench.labels import LabelRule, Labels
from negbench.types import CandidatePool


class PromoteDuplicates(LabelRule):
    """Candidates that say the same as a labelled positive become positives, without asking any teacher.

    threshold: Jaccard similarity of three-word shingles from which two documents say the same; 1 means equal words.
    """

    name: ClassVar[str] = "promote-duplicates"

    threshold: float = Field(default=1.0, gt=0, le=1)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """The groups of documents that say the same."""
        return (NearDuplicates(self.threshold),)

    def judge(self, pool: CandidatePool, labels: Labels) -> Labels:
        """Mark them."""
        assert pool.groups is not None, "the pool carries no groups"
        assert pool.positive_groups is not None
        same = np.zeros(pool.groups.shape, np.bool_)
        for row, positives in enumerate(pool.positive_groups):
            same[row] = np.isin(pool.groups[row], positives[positives >= 0])
        return replace(labels, promoted=labels.promoted | (same & pool.available()))
