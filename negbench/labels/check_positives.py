"""Distrust labelled positives that a teacher does not take for relevant."""

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


class CheckPositives(LabelRule):
    """Training rows weigh ``weight`` where the teacher scores the positive below ``threshold``.

    A check of labels before mining: mismatched pairs teach the encoder what is wrong, and their positives set margins
    that are wrong for every candidate of the query. Cross-fitted teachers have not seen the pair.
    """

    name: ClassVar[str] = "check-positives"

    threshold: float = Field(default=0.1, description="Teacher score below which a labelled pair is suspicious.")
    weight: float = Field(
        default=0.0, ge=0, le=1, description="Training weight of a suspicious row; 0 takes it out of the loss."
    )
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model that scores the labelled pairs.")

    def apply(self, pool: CandidatePool, labels: Labels) -> Labels:
        with np.errstate(invalid="ignore"):
            suspicious = self.feature(pool, TeacherScores).positives < self.threshold
        weight: Float32 = np.where(suspicious, self.weight, 1.0).astype(np.float32)
        return replace(labels, positive_weights=labels.positive_weights * weight)
