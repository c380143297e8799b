"""Distrust labelled positives that a teacher does not take for relevant."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.labels import LabelRule, Labels
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import CandidatePool, Float32


class CheckPositives(LabelRule):
    """Training rows weigh ``weight`` where the teacher scores the positive below ``threshold``.

    A check of labels before mining: mismatched pairs teach the encoder what is wrong, and their positives set margins
    that are wrong for every candidate of the query. Cross-fitted teachers have not seen the pair.

    threshold: scores below it are suspicious. weight: what such a row weighs; 0 takes it out.
    """

    name: ClassVar[str] = "check-positives"

    threshold: float = 0.1
    weight: float = Field(default=0.0, ge=0, le=1)
    teacher: Teacher = Field(default_factory=TrainedCrossEncoder)

    def judge(self, pool: CandidatePool, labels: Labels) -> Labels:
        """Weigh."""
        assert pool.positive_teacher_scores is not None, "the pool carries no teacher scores of positives"
        with np.errstate(invalid="ignore"):
            suspicious = pool.positive_teacher_scores < self.threshold
        weight: Float32 = np.where(suspicious, self.weight, 1.0).astype(np.float32)
        return replace(labels, trust=labels.trust * weight)
