"""Promote candidates that a teacher is sure of."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.labels import LabelRule, Labels
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import CandidatePool


class Promote(LabelRule):
    """Candidates that the teacher scores above ``threshold`` become positives.

    RocketQA's pseudo-positives, Qu et al. 2021, arXiv 2010.08191: above 0.9 of the top 50. Differs from the paper in:
    they are taken from labelled queries, where they also stop being negatives; the paper labels further queries.

    threshold: scores strictly above it. depth: raw ranks that the teacher is asked about. most: at most so many a
    query, the highest first.
    """

    name: ClassVar[str] = "promote"

    threshold: float = 0.9
    depth: int = Field(default=50, ge=1)
    most: int = Field(default=5, ge=1)
    teacher: Teacher = Field(default_factory=TrainedCrossEncoder)

    def judge(self, pool: CandidatePool, labels: Labels) -> Labels:
        """Mark them."""
        assert pool.teacher_scores is not None, "the pool carries no teacher scores"
        scores = np.where(pool.available(), pool.teacher_scores, np.nan)
        scores[:, self.depth :] = np.nan
        sure = np.where(np.isnan(scores), -np.inf, scores) > self.threshold
        order = np.argsort(np.where(sure, -scores, np.inf), axis=1, kind="stable")
        place = np.argsort(order, axis=1, kind="stable")
        return replace(labels, promoted=labels.promoted | (sure & (place < self.most)))
