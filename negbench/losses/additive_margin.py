"""InfoNCE with a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch

if TYPE_CHECKING:
    from torch import Tensor


class AdditiveMargin(Loss):
    """InfoNCE that counts the positive's score as s+ - ``margin``, so that it has to be ahead by that.

    Additive margin softmax, Yang et al. 2019, arXiv 1902.08564, for dual encoders. Differs from the paper in: queries
    are scored against documents and not the other way round as well; a document that several rows of the batch share
    is counted once, and a query's other known positives are masked.
    """

    name: ClassVar[str] = "additive-margin"

    margin: float = Field(
        default=0.1,
        ge=0,
        description="Amount subtracted from the positive's score, a cosine; the paper has 0.3, and 0 is InfoNCE.",
    )
    temperature: float = Field(default=0.05, gt=0, description="Divisor of the scores before the softmax.")

    def rows(self, batch: ScoredBatch) -> Tensor:
        from torch.nn.functional import cross_entropy

        scores = batch.scores.scatter(1, batch.positive_column[:, None], batch.positive() - self.margin)
        logits = (scores / self.temperature).masked_fill(~batch.counted(), float("-inf"))
        return cross_entropy(logits, batch.positive_column, reduction="none")
