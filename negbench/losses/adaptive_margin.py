"""A hinge whose margin grows with the negative's hardness."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over

if TYPE_CHECKING:
    from torch import Tensor


class AdaptiveMargin(Loss):
    """The positive should beat each mined negative by a margin that is larger for harder ones.

    max(0, margin * (1 + growth * h) - (s+ - s-)) with the hardness h = 1 / (1 + exp((s+ - s-) / t)), the chance that
    the encoder itself gives to the negative of the two; no gradient flows through h. An interpretation: the margins of
    the literature adapt to a teacher, a class or a rank, and no one rule is theirs.
    """

    name: ClassVar[str] = "adaptive-margin"
    stops_gradient: ClassVar[bool] = True
    mined_only: ClassVar[bool] = True

    margin: float = Field(default=0.1, gt=0, description="Margin of an easy negative, in score units.")
    growth: float = Field(
        default=1.0,
        ge=0,
        description="Largest growth of the margin with hardness, as a share: 0 keeps it, 1 doubles it.",
    )
    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the score difference that the hardness is computed from."
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the mean hinge over the row's mined negatives; 0 without any."""
        gap = batch.positive() - batch.scores
        hardness = (-gap.detach() / self.temperature).sigmoid()
        return over((self.margin * (1 + self.growth * hardness) - gap).clamp(min=0), batch.mined())
