"""Keep a band of a teacher's scores."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from negbench.filters import Filter
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import Bool, CandidatePool


class TeacherBand(Filter):
    """Keep the candidates that a teacher scores from ``low`` to ``high``: neither relevant nor easy.

    The practitioners' rule keeps 0.3 to 0.7 of a cross-encoder's probability.

    low, high: bounds, included. depth: raw ranks that the teacher is asked about; deeper ones are thrown out.
    """

    name: ClassVar[str] = "teacher-band"

    low: float = 0.3
    high: float = 0.7
    depth: int = Field(default=50, ge=1)
    teacher: Teacher = Field(default_factory=TrainedCrossEncoder)

    @model_validator(mode="after")
    def _not_empty(self) -> TeacherBand:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}")
        return self

    def throws_out(self, pool: CandidatePool) -> Bool:
        """Throw out what lies outside and whatever has no score."""
        assert pool.teacher_scores is not None, "the pool carries no teacher scores"
        with np.errstate(invalid="ignore"):
            inside = (pool.teacher_scores >= self.low) & (pool.teacher_scores <= self.high)
        inside[:, self.depth :] = False
        return ~inside
