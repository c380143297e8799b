"""Let a teacher choose the positive among labelled documents and candidates."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.labels import LabelRule, Labels
from negbench.requirements import TeacherScores
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion
from negbench.types import CandidatePool, Float32


class BestPositive(LabelRule):
    """The candidate that the teacher scores highest becomes the positive, where it is above every labelled one.

    The labelled positives of such a query then weigh nothing. Ties go to the labelled ones, then to the higher rank.
    Gecko, Lee et al. 2024, arXiv 2403.20327: the first of 20 neighbours in a language model's ranking, which was
    another than the passage that the query was written for in about 15% of its data. Differs from the paper in: the
    labelled positives are judged too, found among the neighbours or not; in the epochs in which a labelled positive
    has its turn the row stays in its batch with weight 0; a query without a labelled positive that has a score keeps
    its labels.
    """

    name: ClassVar[str] = "best-positive"

    depth: int = Field(
        default=20,
        ge=1,
        description="Number of top retriever ranks that the teacher scores, counted before filtering; Gecko has 20.",
    )
    teacher: Teacher = Field(
        default_factory=ScoreFusion, description="Model that scores candidates and labelled positives."
    )

    def apply(self, pool: CandidatePool, labels: Labels) -> Labels:
        scores = self.feature(pool, TeacherScores)
        candidates = np.where(pool.available(), scores.candidates, np.nan)
        candidates[:, self.depth :] = np.nan
        candidates = np.where(np.isnan(candidates), -np.inf, candidates)
        labelled = np.where(np.isnan(scores.positives), -np.inf, scores.positives).max(axis=1, initial=-np.inf)
        best = candidates.max(axis=1, initial=-np.inf)
        better = np.isfinite(labelled) & (best > labelled)
        top = candidates == best[:, None]
        promoted = better[:, None] & top & (top.cumsum(axis=1) == 1)
        kept: Float32 = np.where(better, 0.0, 1.0).astype(np.float32)[:, None]
        return replace(labels, promoted=labels.promoted | promoted, positive_weights=labels.positive_weights * kept)
