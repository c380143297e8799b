"""The candidates that a teacher takes for the most relevant."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.noise import Noise
from negbench.samplers import Sampler, gumbel
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import CandidatePool, Draw


class TeacherHardest(Sampler):
    """Take the unlabelled candidates with the highest teacher scores: the opposite of denoising.

    Where labels are complete these are what a strong scorer gets wrong; where they are not, they are mostly relevant.

    depth: raw ranks that the teacher is asked about.
    """

    name: ClassVar[str] = "teacher-hardest"

    depth: int = Field(default=50, ge=1)
    teacher: Teacher = Field(default_factory=TrainedCrossEncoder)

    def draw(self, pool: CandidatePool, k: int, noise: Noise) -> Draw:
        """Take the best by the teacher; ties by rank."""
        assert pool.teacher_scores is not None, "the pool carries no teacher scores"
        return gumbel.best(pool.teacher_scores.astype(np.float64), gumbel.window(pool, self.depth), k)
