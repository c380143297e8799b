"""MarginMSE with two teachers: one for pairs, one for the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from negbench.asks import GuideTargets, TeacherTargets
from negbench.losses import Loss, Scored, over
from negbench.losses.margin_mse import MarginMSE
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder, quick
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder

if TYPE_CHECKING:
    from torch import Tensor


class DualMarginMSE(Loss):
    """The margins of a teacher for mined negatives and those of a guide for the whole batch.

    MarginMSE's mean over mined negatives, plus ``weight`` times the mean over all documents of the batch, known
    positives apart, of ((s+ - s) / t - (g+ - g) / t)^2: the dual supervision of TAS-Balanced, Hofstätter et al. 2021,
    arXiv 2104.06967. Differs from the paper in: the guide is a bi-encoder (there ColBERT), and its cosines are divided
    by the same temperature as the encoder's.

    temperature: divides scores and the guide's cosines; MarginMSE's. weight: the paper's 0.75. teacher: for pairs.
    guide: for the batch.
    """

    name: ClassVar[str] = "dual-margin-mse"

    temperature: float = Field(default=0.05, gt=0)
    weight: float = Field(default=0.75, ge=0)
    teacher: Teacher = Field(default_factory=TrainedCrossEncoder)
    guide: Teacher = Field(default_factory=BiEncoder)

    @field_validator("guide")
    @classmethod
    def _quick(cls, guide: Teacher) -> Teacher:
        return quick(guide)

    @property
    def asks(self) -> TeacherTargets:
        """The teacher's scores of pairs."""
        return TeacherTargets(self.teacher)

    @property
    def guided(self) -> GuideTargets:
        """The guide's cosines."""
        assert isinstance(self.guide, BiEncoder)
        return GuideTargets(self.guide)

    def rows(self, batch: Scored) -> Tensor:
        """Return both, weighted."""
        pairs = MarginMSE(temperature=self.temperature, teacher=self.teacher).rows(batch)
        assert batch.guide is not None, "the batch carries no guide's cosines"
        wanted = batch.guide.gather(1, batch.target[:, None]) - batch.guide
        off = (batch.positive() - batch.scores - wanted) / self.temperature
        return pairs + self.weight * over(off**2, batch.negative())
