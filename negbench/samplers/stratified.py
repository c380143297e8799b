"""Candidates spread evenly over a teacher's scores."""

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


class Stratified(Sampler):
    """Take the candidates at k evenly spaced quantiles of the teacher's scores, from the highest to the lowest.

    Jang et al. 2026, arXiv 2604.04734: a student learns the teacher's distribution from negatives that cover all of it.
    Nothing is random. With k = 1 it is the median. Differs from the paper in: which document stands for a quantile is
    ours, the one at the nearest place in the teacher's ranking; candidates are the retriever's alone, where the paper
    scores its first 100 and 100 random documents.
    """

    name: ClassVar[str] = "stratified"

    depth: int = Field(
        default=100,
        ge=1,
        description=(
            "Number of top retriever ranks that the teacher scores, counted before filtering; the paper has 100."
        ),
    )
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model that scores the candidates.")

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        """Take k places of the teacher's ranking, evenly spaced and both ends among them; ties by rank."""
        scores = self.feature(pool, TeacherScores).candidates.astype(np.float64)
        allowed = gumbel.window(pool, self.depth) & ~np.isnan(scores)
        ranked = np.argsort(np.where(allowed, -scores, np.inf), axis=1, kind="stable").astype(np.int32)
        slot = np.arange(k)
        count = allowed.sum(axis=1, keepdims=True)
        taken = np.minimum(count, k)
        gaps = np.maximum(taken - 1, 1)
        place = (2 * slot * (count - 1) + gaps) // (2 * gaps)  # the nearest whole number to slot * (count - 1) / gaps
        place = np.where(taken == 1, (count - 1) // 2, place)
        filled = slot < taken
        positions = np.full(filled.shape, -1, np.int32)
        rows = np.nonzero(filled)[0]
        positions[filled] = ranked[rows, place[filled]]
        return Draw(positions, np.where(count[:, 0] > 0, 1.0, 0.0).astype(np.float32))
