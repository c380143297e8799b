"""One drawn negative that stands for the softmax over a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over
from negbench.requirements import CacheTargets

if TYPE_CHECKING:
    from torch import Tensor


class NegativeCache(Loss):
    """The gradient of (1 - p+) (s- - s+) / t, for a negative drawn by softmax from a cache (``refresh.cache``).

    Lindgren et al., NeurIPS 2021. p+ is the positive's share of the softmax over itself, with the score of this step,
    and all that the negative was drawn among, with the cache's scores; no gradient flows through it. Where the cache is
    up to date, this is on average the gradient of -log p+, the softmax cross-entropy over all of these: (1 - p+) times
    the chance of being drawn is a document's share. The value is -log p+, since that of (1 - p+) (s- - s+) / t says
    nothing of how far training has come; the paper watches the same.

    Differs from the paper in: known positives of the query are neither drawn nor summed over; rows of one query that
    meet in a batch share a draw.
    """

    name: ClassVar[str] = "negative-cache"
    stops_gradient: ClassVar[bool] = True
    mined_only: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05,
        gt=0,
        description="Divisor of the scores in the loss and in the draw from the cache; the code's example is 0.05.",
    )

    @property
    def requires(self) -> tuple[CacheTargets]:
        return (CacheTargets(self.temperature),)

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return -log p+, with a gradient of its own; the mean over negatives if there are several, 0 without any."""
        from torch.nn.functional import softplus

        positive, total = batch.positive(), self.target_scores(batch, CacheTargets)
        chosen = batch.mined() & ~total.isnan()
        odds = total.nan_to_num() - positive.detach() / self.temperature  # the log of (1 - p+) / p+
        pull = over(odds.sigmoid() * (batch.scores - positive) / self.temperature, chosen)
        return over(softplus(odds), chosen) + pull - pull.detach()
