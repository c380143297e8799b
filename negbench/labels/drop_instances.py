"""Take out training rows whose candidates look relevant."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.labels import LabelRule, Labels
from negbench.requirements import TeacherScores
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion
from negbench.types import CandidatePool, Float32


class DropInstances(LabelRule):
    """Rows of a query weigh nothing where the teacher flags more than ``flags`` of its first ``depth`` candidates.

    RLHN, arXiv 2505.16967, "Remove": instances with a false negative are left out (flags 0), and those with more than
    seven in every variant. Differs from the paper in: the row stays in its batch, with weight 0, so that all methods
    keep the same rows and steps.
    """

    name: ClassVar[str] = "drop-instances"

    threshold: float = Field(default=0.5, description="Teacher score from which on a candidate is flagged as relevant.")
    flags: int = Field(
        default=0, ge=0, description="Largest number of flagged candidates with which a query keeps its weight."
    )
    depth: int = Field(
        default=25,
        ge=1,
        description=(
            "Number of top retriever ranks that the teacher scores, counted before filtering; the paper has 25."
        ),
    )
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model that scores the candidates.")

    def apply(self, pool: CandidatePool, labels: Labels) -> Labels:
        with np.errstate(invalid="ignore"):
            flagged = pool.available() & (self.feature(pool, TeacherScores).candidates >= self.threshold)
        flagged[:, self.depth :] = False
        kept: Float32 = (flagged.sum(axis=1, keepdims=True) <= self.flags).astype(np.float32)
        return replace(labels, positive_weights=labels.positive_weights * kept)
