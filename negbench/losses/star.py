"""STAR's loss: pairs with all negatives of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over

if TYPE_CHECKING:
    from torch import Tensor


class Star(Loss):
    """The positive against each negative of the batch, one pair at a time: log(1 + exp((s- - s+) / t)).

    STAR, Zhan et al. 2021, arXiv 2104.08051; code jingtaozhan/DRhard: the mean over all pairs of the batch, negatives
    being other rows' positives and the mined negatives of all rows, relevant ones left out. The paper weighs mined and
    random negatives by an alpha; the code, and this, by their numbers. Differs from the code in: a document that
    several rows share is counted once.
    """

    name: ClassVar[str] = "star"

    temperature: float = Field(
        default=0.05,
        gt=0,
        description="Divisor of score differences; 0.05 suits cosines, STAR has 1 for raw dot products.",
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the mean over a row's pairs; 0 without any."""
        return over(self._pairs(batch), batch.negative())

    def mean(self, batch: ScoredBatch, weights: Tensor) -> Tensor:
        """Return the mean over all pairs of the batch, each weighing what its row does."""
        shares = batch.negative() * weights[:, None]
        mean: Tensor = (self._pairs(batch) * shares).sum() / shares.sum().clamp(min=1e-9)
        return mean

    def _pairs(self, batch: ScoredBatch) -> Tensor:
        from torch.nn.functional import softplus

        return softplus((batch.scores - batch.positive()) / self.temperature)
