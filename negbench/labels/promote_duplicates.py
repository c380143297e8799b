"""Near-duplicates of a positive are positives."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.labels import LabelRule, Labels
from negbench.requirements import NearDuplicates
from negbench.types import CandidatePool


class PromoteDuplicates(LabelRule):
    """Candidates that say the same as a labelled positive become positives, without asking any teacher."""

    name: ClassVar[str] = "promote-duplicates"

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

    def apply(self, pool: CandidatePool, labels: Labels) -> Labels:
        groups = self.feature(pool, NearDuplicates)
        same = np.zeros(groups.candidates.shape, np.bool_)
        for row, positives in enumerate(groups.positives):
            same[row] = np.isin(groups.candidates[row], positives[positives >= 0])
        return replace(labels, promoted=labels.promoted | (same & pool.available()))
