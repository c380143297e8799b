"""Promote candidates that a teacher puts above the labelled positive."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.labels import LabelRule, Labels
from negbench.requirements import TeacherScores
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion
from negbench.types import CandidatePool


class PromoteAbovePositive(LabelRule):
    """Candidates that the teacher scores above every labelled positive of the query become positives.

    The relabelling of ARHN, Choi et al. 2026, arXiv 2604.11092: passages that a language model ranks above the original
    positive. A query without a labelled positive that has a score keeps its labels. Differs from the paper in: the
    teacher scores pairs one by one, where the paper has a model rank the answers that it found in the passages; of
    equal scores none is above the other.
    """

    name: ClassVar[str] = "promote-above-positive"

    depth: int = Field(
        default=10,
        ge=1,
        description=(
            "Number of top retriever ranks that the teacher scores, counted before filtering; the paper looks at 10 "
            "negatives a query."
        ),
    )
    teacher: Teacher = Field(
        default_factory=ScoreFusion, description="Model that scores candidates and labelled positives."
    )

    def apply(self, pool: CandidatePool, labels: Labels) -> Labels:
        scores = self.feature(pool, TeacherScores)
        labelled = np.where(np.isnan(scores.positives), -np.inf, scores.positives).max(axis=1, initial=-np.inf)
        with np.errstate(invalid="ignore"):
            above = pool.available() & (scores.candidates > labelled[:, None]) & np.isfinite(labelled)[:, None]
        above[:, self.depth :] = False
        return replace(labels, promoted=labels.promoted | above)
