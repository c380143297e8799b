"""Keep a band of a teacher's scores."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from negbench.filters import Filter
from negbench.requirements import TeacherScores
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion
from negbench.types import Bool, CandidatePool


class TeacherBand(Filter):
    """Keep the candidates that a teacher scores from ``low`` to ``high``: neither relevant nor easy.

    The practitioners' rule keeps 0.3 to 0.7 of a cross-encoder's probability.
    """

    name: ClassVar[str] = "teacher-band"

    low: float = Field(default=0.3, description="Lowest teacher score that is kept.")
    high: float = Field(default=0.7, description="Highest teacher score that is kept.")
    depth: int = Field(
        default=50,
        ge=1,
        description=(
            "Number of top retriever ranks that the teacher scores, counted before filtering; deeper candidates are "
            "rejected."
        ),
    )
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model that scores the candidates.")

    @model_validator(mode="after")
    def _not_empty(self) -> TeacherBand:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}; lower it")
        return self

    def reject(self, pool: CandidatePool) -> Bool:
        """Throw out what lies outside and whatever has no score."""
        scores = self.feature(pool, TeacherScores).candidates
        with np.errstate(invalid="ignore"):
            inside: Bool = (scores >= self.low) & (scores <= self.high)
        inside[:, self.depth :] = False
        return ~inside
