"""The near candidates that a teacher takes for the least relevant."""

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


class TeacherLowest(Sampler):
    """Take the candidates with the lowest teacher scores among the first ``depth``: near, and surely not relevant.

    The hard negative of Gecko, Lee et al. 2024, arXiv 2403.20327, is the last of 20 neighbours in a language model's
    ranking, and so is that of Gemini Embedding, arXiv 2503.07891. They fuse the ranks of two prompts (query likelihood
    and graded relevance) by reciprocal rank, which is the teacher ``rank-fusion``.
    """

    name: ClassVar[str] = "teacher-lowest"

    depth: int = Field(
        default=20,
        ge=1,
        description="Number of top retriever ranks that the teacher scores, counted before filtering; Gecko has 20.",
    )
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model that scores the candidates.")

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        """Take the k candidates with the lowest teacher scores, the lowest first; of equal ones the nearest first."""
        scores = self.feature(pool, TeacherScores).candidates.astype(np.float64)
        return gumbel.best(-scores, gumbel.window(pool, self.depth), k)
