"""Take out training rows whose candidates look relevant."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.labels import LabelRule, Labels
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import CandidatePool, Float32


class DropInstances(LabelRule):
    """Rows of a query weigh nothing where the teacher flags more than ``flags`` of its first ``depth`` candidates.

    RLHN, arXiv 2505.16967, "Remove": instances with a false negative are left out (flags 0), and those with more than
    seven in every variant. Differs from the paper in: the row stays in its batch, with weight 0, so that all methods
    keep the same rows and steps.

    threshold: scores of this much or more are flags. depth: raw ranks looked at; the paper's 25.
    """

    name: ClassVar[str] = "drop-instances"

    threshold: float = 0.5
    flags: int = Field(default=0, ge=0)
    depth: int = Field(default=25, ge=1)
    teacher: Teacher = Field(default_factory=TrainedCrossEncoder)

    def judge(self, pool: CandidatePool, labels: Labels) -> Labels:
        """Count flags."""
        assert pool.teacher_scores is not None, "the pool carries no teacher scores"
        with np.errstate(invalid="ignore"):
            flagged = pool.available() & (pool.teacher_scores >= self.threshold)
        flagged[:, self.depth :] = False
        kept: Float32 = (flagged.sum(axis=1, keepdims=True) <= self.flags).astype(np.float32)
        return replace(labels, trust=labels.trust * kept)
