"""Throw out what a teacher takes for relevant."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from negbench.filters import Filter
from negbench.requirements import TeacherScores
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion
from negbench.types import Bool, CandidatePool


class Denoise(Filter):
    """Keep the candidates that a teacher scores below ``threshold``.

    RocketQA, Qu et al. 2021, arXiv 2010.08191: of the retriever's top 50 keep those below 0.1. Differs from its code
    in: what is left over past the checked ranks is not used as a fill; the paper's teacher is a cross-encoder.

    The units ``quantile`` and ``query-quantile`` are for teachers that are not calibrated: with a threshold of 0.9 the
    first rejects the highest tenth of all scores that the teacher gave in this pool, the second that of each query.
    """

    name: ClassVar[str] = "denoise"
    version: ClassVar[int] = 2

    threshold: float = Field(default=0.1, description="Candidates are kept whose teacher score is strictly below it.")
    unit: Literal["score", "quantile", "query-quantile"] = Field(
        default="score",
        description=(
            "What the threshold is compared with: the `score`, or its `quantile` in the pool or among the query's "
            "scores."
        ),
    )
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
    def _quantile_is_a_share(self) -> Denoise:
        if self.unit != "score" and not 0 < self.threshold <= 1:
            raise ValueError(f"threshold={self.threshold} as a quantile must lie in (0, 1]; give another")
        return self

    def reject(self, pool: CandidatePool) -> Bool:
        """Mark candidates with a high teacher score and those without a score, [Q, K]."""
        given = self.feature(pool, TeacherScores).candidates
        scores = np.where(np.arange(pool.depth) < self.depth, given, np.nan)
        limit = np.full((len(scores), 1), self.threshold)
        if self.unit == "quantile":
            limit[:] = np.nanquantile(scores, self.threshold) if np.isfinite(scores).any() else np.inf
        if self.unit == "query-quantile":
            some = np.isfinite(scores).any(axis=1)
            limit[some, 0] = np.nanquantile(scores[some], self.threshold, axis=1)
        with np.errstate(invalid="ignore"):
            low: Bool = scores < limit if self.unit == "score" else scores <= limit
        return ~low
