"""MarginMSE with two teachers: one for pairs, one for the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from negbench.losses import Loss, ScoredBatch, over
from negbench.losses.margin_mse import MarginMSE
from negbench.requirements import GuideTargets, TeacherTargets
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder, require_bi_encoder
from negbench.teachers.score_fusion import ScoreFusion

if TYPE_CHECKING:
    from torch import Tensor


class DualMarginMSE(Loss):
    """The margins of a teacher for mined negatives and those of a guide for the whole batch.

    MarginMSE's mean over mined negatives, plus ``weight`` times the mean over all documents of the batch, known
    positives apart, of ((s+ - s) / t - (g+ - g) / t)^2: the dual supervision of TAS-Balanced, Hofstätter et al. 2021,
    arXiv 2104.06967. Differs from the paper in: the guide is a bi-encoder (there ColBERT), and its cosines are divided
    by the same temperature as the encoder's.
    """

    name: ClassVar[str] = "dual-margin-mse"

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the encoder's scores and of the guide's cosines."
    )
    weight: float = Field(default=0.75, ge=0, description="Weight of the guide's term; the paper has 0.75.")
    teacher: Teacher = Field(
        default_factory=ScoreFusion, description="Model whose margins the row's mined negatives should have."
    )
    guide: Teacher = Field(
        default_factory=BiEncoder, description="Bi-encoder whose margins all negatives of the batch should have."
    )

    @field_validator("guide")
    @classmethod
    def _quick(cls, guide: Teacher) -> Teacher:
        return require_bi_encoder(guide)

    @property
    def requires(self) -> tuple[TeacherTargets, GuideTargets]:
        return TeacherTargets(self.teacher), GuideTargets(self.guide)

    def rows(self, batch: ScoredBatch) -> Tensor:
        pairs = MarginMSE(temperature=self.temperature, teacher=self.teacher).rows(batch)
        guide = self.target_scores(batch, GuideTargets)
        wanted = guide.gather(1, batch.positive_column[:, None]) - guide
        off = (batch.positive() - batch.scores - wanted) / self.temperature
        return pairs + self.weight * over(off**2, batch.negative())
