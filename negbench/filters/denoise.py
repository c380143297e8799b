"""Throw out what a teacher takes for relevant."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from negbench.filters import Filter
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import Bool, CandidatePool


class Denoise(Filter):
    """Keep the candidates that a cross-encoder scores below ``threshold``.

    RocketQA, Qu et al. 2021, arXiv 2010.08191: of the retriever's top 50 keep those below 0.1. Differs from its code
    in: what is left over past the checked ranks is not used as a fill.

    threshold: keep scores strictly below it. unit: ``score`` compares the teacher's probability itself;
    ``quantile`` its rank among all scores the teacher gave in this pool, for teachers that are not calibrated (0.9
    throws out the highest tenth), ``query-quantile`` its rank among those of the query, a threshold for each.
    depth: raw ranks that the teacher is asked about; deeper ones are thrown out. teacher: who scores.
    """

    name: ClassVar[str] = "denoise"
    version: ClassVar[int] = 2

    threshold: float = 0.1
    unit: Literal["score", "quantile", "query-quantile"] = "score"
    depth: int = Field(default=50, ge=1)
    teacher: Teacher = Field(default_factory=TrainedCrossEncoder)

    @model_validator(mode="after")
    def _quantile_is_a_share(self) -> Denoise:
        if self.unit != "score" and not 0 < self.threshold <= 1:
            raise ValueError(f"threshold={self.threshold} as a quantile must lie in (0, 1]")
        return self

    def throws_out(self, pool: CandidatePool) -> Bool:
        """Throw out high scores and whatever has none."""
        assert pool.teacher_scores is not None, "the pool carries no teacher scores"
        scores = np.where(np.arange(pool.depth) < self.depth, pool.teacher_scores, np.nan)
        limit = np.full((len(scores), 1), self.threshold)
        if self.unit == "quantile":
            limit[:] = np.nanquantile(scores, self.threshold) if np.isfinite(scores).any() else np.inf
        if self.unit == "query-quantile":
            some = np.isfinite(scores).any(axis=1)
            limit[some, 0] = np.nanquantile(scores[some], self.threshold, axis=1)
        with np.errstate(invalid="ignore"):
            low: Bool = scores < limit if self.unit == "score" else scores <= limit
        return ~low
