"""MarginMSE: the teacher's margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over
from negbench.losses.log_odds import log_odds
from negbench.requirements import TeacherTargets
from negbench.teachers import Teacher
from negbench.teachers.score_fusion import ScoreFusion

if TYPE_CHECKING:
    from torch import Tensor


class MarginMSE(Loss):
    """The margin between positive and mined negative should be the teacher's: ((s+ - s-) / t - (T+ - T-))^2.

    Hofstätter et al. 2020, arXiv 2010.02666. T is the teacher's raw score, the log-odds of its probability; labels have
    no say, so a negative that the teacher prefers is put above the positive. Differs from the paper in: the teacher is
    one model, cross-fitted if it is trained here (the paper has the mean of three); pairs without a teacher's score
    are left out.
    """

    name: ClassVar[str] = "margin-mse"
    mined_only: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05,
        gt=0,
        description=(
            "Divisor of score differences; 0.05 gives cosines the spread of raw scores, the paper has 1 for dot "
            "products."
        ),
    )
    teacher: Teacher = Field(default_factory=ScoreFusion, description="Model whose margins the encoder should have.")

    @property
    def requires(self) -> tuple[TeacherTargets]:
        return (TeacherTargets(self.teacher),)

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the mean over the row's mined negatives that have a score; 0 without any."""
        raw = log_odds(self.target_scores(batch, TeacherTargets))
        wanted = raw.gather(1, batch.positive_column[:, None]) - raw
        margins = (batch.positive() - batch.scores) / self.temperature
        return over((margins - wanted.nan_to_num(0.0)) ** 2, batch.mined() & ~wanted.isnan())
