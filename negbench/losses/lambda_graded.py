"""LambdaLoss over the grades that a teacher's ranking gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch
from negbench.losses.lambda_mrr import ranks
from negbench.requirements import TeacherTargets
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion

if TYPE_CHECKING:
    from torch import Tensor


class LambdaGraded(Loss):
    """Pairs of documents in a teacher's order, weighted by what exchanging them does to the reciprocal rank.

    CL-DRD, Zeng et al. 2022, arXiv 2204.13679: the mean over pairs y_i > y_j of |1 / rank_i - 1 / rank_j| *
    log(1 + exp((s_j - s_i) / t)), ranks being the encoder's own within the list. The list is the row's positive and
    its mined negatives, without those that have no score of the teacher. The first ``top`` by the teacher have the
    label y 1 / place, ``hard`` further ones -0.25, the rest -0.5: their order alone counts, and a curriculum goes from
    coarse labels to fine ones. The label that the collection gives has no say. Differs from the code
    (HansiZeng/CL-DRD) in: the mean is taken row by row.

    The paper's stages have ``top`` 5 and ``hard`` 12, then 10 and 10, then all, of 30 documents a row.
    """

    name: ClassVar[str] = "lambda-graded"
    mined_only: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of score differences; the paper has 1 for dot products."
    )
    top: int = Field(
        default=5, ge=1, description="Number of documents, best first by the teacher, that have a label of their own."
    )
    hard: int = Field(default=12, ge=0, description="Number of documents after those that have the label -0.25.")
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model whose order the documents should have.")

    @property
    def requires(self) -> tuple[TeacherTargets]:
        return (TeacherTargets(self.teacher),)

    def labels(self, count: int) -> Tensor:
        """Return the label float32 [count] of each place in the teacher's order."""
        import torch

        place = torch.arange(1, count + 1)
        return torch.where(place <= self.top, 1 / place, torch.where(place <= self.top + self.hard, -0.25, -0.5))

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the mean over a row's pairs; 0 without any."""
        import torch

        targets = self.target_scores(batch, TeacherTargets)
        listed = batch.mined().scatter(1, batch.positive_column[:, None], value=True) & ~targets.isnan()
        width = int(listed.sum(1).max())
        order = targets.masked_fill(~listed, -1.0).argsort(dim=1, descending=True, stable=True)[:, :width]
        scores, filled = batch.scores.gather(1, order), listed.gather(1, order)  # [B, W], in the teacher's order
        label, worth = self.labels(width).to(scores.device), 1 / ranks(scores, filled)
        pairs = (label[:, None] > label) & filled[:, :, None] & filled[:, None, :]
        gap = (scores[:, None, :] - scores[:, :, None]) / self.temperature
        weight = (worth[:, :, None] - worth[:, None, :]).abs() * pairs
        return (weight * torch.nn.functional.softplus(gap)).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)
