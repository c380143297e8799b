"""Throw out what scores too close to the query's labelled positive."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.filters import Filter
from negbench.requirements import TeacherScores
from negbench.teachers import Teacher
from negbench.types import Bool, CandidatePool, extreme_score


class Margin(Filter):
    """Keep the candidates whose score lies at least a margin below the positive's, s+.

    NV-Retriever, Moreira et al. 2024, arXiv 2407.15831. ``absolute`` is its MarginPos, s <= s+ - margin;
    ``percent`` its PercPos, s <= s+ - margin |s+|, which for s+ above 0 is s <= (1 - margin) s+ and for a negative
    s+, where that product would lie above s+, still stands below it. Differs from the paper in: a score at the very
    limit is kept. sentence-transformers' absolute_margin and relative_margin do the same.

    Scores are the retriever's, or, with a ``teacher``, the teacher's of candidate and positive alike, as with
    sentence-transformers' cross_encoder. A candidate without a teacher's score is rejected.

    Without a positive whose score is known there is no limit, and the query keeps its candidates.

    With several positives ``lowest`` is cautious, since what scores as high as some labelled positive may well be
    another one.
    """

    name: ClassVar[str] = "margin"

    margin: float = Field(
        default=0.05,
        ge=0,
        description="Least distance below s+, in score units or as a share of |s+| (0.05 is 5 %).",
    )
    unit: Literal["absolute", "percent"] = Field(
        default="percent", description="Unit of the margin: score units (`absolute`) or a share of |s+| (`percent`)."
    )
    positive: Literal["lowest", "highest"] = Field(
        default="lowest",
        description=(
            "Which of a query's positives gives s+; `lowest` is cautious, `highest` keeps more and harder candidates."
        ),
    )
    teacher: Teacher | None = Field(
        default=None,
        description="Model that scores the candidates and the positives; null for the retriever's scores.",
    )
    teacher_depth: int = Field(
        default=50,
        ge=1,
        description=(
            "Number of top retriever ranks that the teacher scores, counted before filtering; with a teacher, deeper "
            "candidates are rejected."
        ),
    )

    @property
    def needed_depth(self) -> int:
        return 0 if self.teacher is None else self.teacher_depth

    def identity(self) -> dict[str, Any]:
        """Return what the output depends on: ``teacher_depth`` only with a teacher."""
        identity = super().identity()
        if self.teacher is None:
            del identity["parameters"]["teacher"], identity["parameters"]["teacher_depth"]
        return identity

    def reject(self, pool: CandidatePool) -> Bool:
        """Throw out what lies above the limit, in float64: rounding does not move it."""
        scores, of_positives = pool.scores, pool.positive_scores
        unscored = np.zeros(scores.shape, np.bool_)
        if self.teacher is not None:
            given = self.feature(pool, TeacherScores)
            scores, of_positives = given.candidates, given.positives
            unscored = np.isnan(scores) | (np.arange(pool.depth) >= self.teacher_depth)
        positive = extreme_score(of_positives, self.positive)
        known = ~np.isnan(positive)
        positive = np.where(known, positive, 0.0)
        margin = self.margin if self.unit == "absolute" else self.margin * np.abs(positive)
        limit = np.where(known, positive - margin, np.inf)
        too_close: Bool = scores > limit[:, None]
        return too_close | unscored
