"""Draws that are even over a teacher's margin."""

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


class MarginBalanced(Sampler):
    """Choose one of ``bins`` equal-width bins of the teacher's margin T+ - T- at random, then a candidate in it.

    The balancing of TAS-Balanced, Hofstätter et al. 2021, arXiv 2104.06967: easy and hard pairs come equally often.
    Bins span the query's own margins; empty ones are passed over. Differs from the paper in: T+ is the query's highest
    positive (pairs of other positives are not binned apart), and further draws are without replacement.
    """

    name: ClassVar[str] = "margin-balanced"

    bins: int = Field(
        default=10, ge=1, description="Number of equal-width bins of a query's teacher margins; the paper has 10."
    )
    depth: int = Field(
        default=100,
        ge=1,
        description="Number of top retriever ranks that the teacher scores, counted before filtering.",
    )
    teacher: Teacher = Field(
        default_factory=ScoreFusion, description="Model that scores the candidates and the positives."
    )

    def draw(self, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
        """Weigh a candidate by one over the number in its bin. T+ is the same for all, so bins of T- do."""
        scores = self.feature(pool, TeacherScores).candidates.astype(np.float64)
        allowed = gumbel.window(pool, self.depth) & ~np.isnan(scores)
        low = np.where(allowed, scores, np.inf).min(axis=1, initial=np.inf, keepdims=True)
        high = np.where(allowed, scores, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
        width = np.where(high > low, high - low, 1.0)
        place = np.where(allowed, (scores - np.where(np.isfinite(low), low, 0.0)) / width * self.bins, 0.0)
        bins = np.minimum(place.astype(np.int64), self.bins - 1)
        count = np.zeros(bins.shape, np.float64)
        for index in range(self.bins):
            here = allowed & (bins == index)
            count = np.where(here, here.sum(axis=1, keepdims=True), count)
        return gumbel.draw(-np.log(np.maximum(count, 1.0)), allowed, k, pool, rng)
