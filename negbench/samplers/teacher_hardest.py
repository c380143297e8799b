"""The candidates that a teacher takes for the most relevant."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.requirements import TeacherScores
from negbench.rng import CounterRNG
from negbench.samplers import Sampler, gumbel
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion
from negbench.types import CandidatePool, Draw


class TeacherHardest(Sampler):
    """Take the unlabelled candidates with the highest teacher scores: the opposite of denoising.

    Where labels are complete these are what a strong scorer gets wrong; where they are not, they are mostly relevant.
    """

    name: ClassVar[str] = "teacher-hardest"

    depth: int = Field(
        default=50, ge=1, description="Number of top retriever ranks that the teacher scores, counted before filtering."
    )
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model that scores the candidates.")

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        """Take the k candidates with the highest teacher scores; ties by rank."""
        scores = self.feature(pool, TeacherScores).candidates.astype(np.float64)
        return gumbel.best(scores, gumbel.window(pool, self.depth), k)
