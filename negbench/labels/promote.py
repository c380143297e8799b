"""Promote candidates that a teacher is sure of."""

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


class Promote(LabelRule):
    """Candidates that the teacher scores above ``threshold`` become positives.

    RocketQA's pseudo-positives, Qu et al. 2021, arXiv 2010.08191: above 0.9 of the top 50. Differs from the paper in:
    they are taken from labelled queries, where they also stop being negatives; the paper labels further queries.
    """

    name: ClassVar[str] = "promote"

    threshold: float = Field(default=0.9, description="Teacher score above which, strictly, a candidate is promoted.")
    depth: int = Field(
        default=50, ge=1, description="Number of top retriever ranks that the teacher scores, counted before filtering."
    )
    most: int = Field(
        default=5, ge=1, description="Largest number of candidates promoted per query, highest scores first."
    )
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model that scores the candidates.")

    def apply(self, pool: CandidatePool, labels: Labels) -> Labels:
        scores = np.where(pool.available(), self.feature(pool, TeacherScores).candidates, np.nan)
        scores[:, self.depth :] = np.nan
        sure = np.where(np.isnan(scores), -np.inf, scores) > self.threshold
        order = np.argsort(np.where(sure, -scores, np.inf), axis=1, kind="stable")
        place = np.argsort(order, axis=1, kind="stable")
        return replace(labels, promoted=labels.promoted | (sure & (place < self.most)))
