"""Listwise distillation: KL divergence between teacher and encoder over mined negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.losses.log_odds import log_odds
from negbench.requirements import TeacherTargets
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion

if TYPE_CHECKING:
    from torch import Tensor


class ListwiseKL(Loss):
    """KL(teacher || encoder) over a row's positive and its mined negatives.

    Both are softmaxes, of the teacher's raw scores (the log-odds of its probabilities) and of the encoder's. As SimLM,
    Wang et al. 2022, arXiv 2207.02578, distils its retriever, which adds 0.2 of InfoNCE. Documents without a teacher's
    score are left out.
    """

    name: ClassVar[str] = "listwise-kl"
    mined_only: ClassVar[bool] = True

    temperature: float = Field(default=0.05, gt=0, description="Divisor of the encoder's scores before its softmax.")
    teacher_temperature: float = Field(
        default=1.0, gt=0, description="Divisor of the teacher's raw scores before its softmax."
    )
    contrastive: float = Field(
        default=0.0, ge=0, description="Weight of an added InfoNCE term; at 0 the batch's other documents are not used."
    )
    teacher: Teacher = Field(
        default_factory=ScoreFusion, description="Model whose distribution the encoder should have."
    )

    @property
    def requires(self) -> tuple[TeacherTargets]:
        return (TeacherTargets(self.teacher),)

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the divergence, and InfoNCE beside it; 0 for a row with a single candidate."""
        import torch

        raw = log_odds(self.target_scores(batch, TeacherTargets))
        chosen = batch.mined().scatter(1, batch.positive_column[:, None], value=True) & ~raw.isnan()
        # far below any score, and finite: a row may have no candidate
        teacher = (raw / self.teacher_temperature).masked_fill(~chosen, -1e9).log_softmax(1)
        encoder = (batch.scores / self.temperature).masked_fill(~chosen, -1e9).log_softmax(1)
        divergence = torch.where(chosen, teacher.exp() * (teacher - encoder), 0.0).sum(1)
        if self.contrastive:
            divergence = divergence + self.contrastive * InfoNCE(temperature=self.temperature).rows(batch)
        return divergence
