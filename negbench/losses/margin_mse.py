"""MarginMSE: the teacher's margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.asks import TeacherTargets
from negbench.losses import Loss, Scored, over
from negbench.losses.log_odds import log_odds
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder

if TYPE_CHECKING:
    from torch import Tensor


class MarginMSE(Loss):
    """The margin between positive and mined negative should be the teacher's: ((s+ - s-) / t - (T+ - T-))^2.

    Hofstätter et al. 2020, arXiv 2010.02666. T is the teacher's raw score, the log-odds of its probability; labels have
    no say, so a negative that the teacher prefers is put above the positive. Differs from the paper in: the teacher is
    one model, cross-fitted if it is trained here (the paper has the mean of three); pairs without a teacher's score
    are left out.

    temperature: divides the scores; 0.05 gives cosines the spread of raw scores, the paper has 1 over dot products.
    """

    name: ClassVar[str] = "margin-mse"
    mined_only: ClassVar[bool] = True

    temperature: float = Field(default=0.05, gt=0)
    teacher: Teacher = Field(default_factory=TrainedCrossEncoder)

    @property
    def asks(self) -> TeacherTargets:
        """The teacher's scores."""
        return TeacherTargets(self.teacher)

    def rows(self, batch: Scored) -> Tensor:
        """Return the mean over the row's mined negatives that have a score; 0 without any."""
        raw = log_odds(batch.told())
        wanted = raw.gather(1, batch.target[:, None]) - raw
        found = (batch.positive() - batch.scores) / self.temperature
        return over((found - wanted.nan_to_num(0.0)) ** 2, batch.mined() & ~wanted.isnan())
