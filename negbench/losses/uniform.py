"""InfoNCE with a regulariser that keeps documents apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over
from negbench.losses.infonce import InfoNCE

if TYPE_CHECKING:
    from torch import Tensor


class Uniform(Loss):
    """InfoNCE and, beside it, a price on documents that lie close together, against collapse.

    ``uniformity``: log of the mean of exp(-2 ||x - y||^2), Wang & Isola 2020, arXiv 2005.10242, the default, since it
    pushes the nearest most. ``orthogonal``: the mean of cos(x, y)^2, the second moment of Zhang et al. 2017, arXiv
    1708.06320, which is sentence-transformers' GlobalOrthogonalRegularizationLoss with mean_weight=0. x is a row's
    positive and y each document of the batch that is no known positive of the row's query. Differs from both in: a row
    has its own mean, and the first its own log (theirs are one, over all pairs of a batch); pairs of two mined
    negatives are left out; the second moment has no floor at 1 / dimension, where random vectors lie.

    Similarities have to be cosines.
    """

    name: ClassVar[str] = "uniform"

    temperature: float = Field(default=0.05, gt=0, description="Divisor of InfoNCE's scores before the softmax.")
    weight: float = Field(
        default=1.0, ge=0, description="Weight of the regulariser; both papers have 1, added to other losses."
    )
    of: Literal["uniformity", "orthogonal"] = Field(
        default="uniformity", description="Regulariser: `uniformity` or `orthogonal`."
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return both, weighted; a row without any negative has a regulariser of 0."""
        return InfoNCE(temperature=self.temperature).rows(batch) + self.weight * self.spread(batch)

    def spread(self, batch: ScoredBatch) -> Tensor:
        """Return the regulariser of each row, float32 [B]: the lower, the farther apart."""
        import torch

        assert batch.positive_similarity is not None, "the batch carries no similarities among documents"
        negative = batch.negative()
        if self.of == "orthogonal":
            return over(batch.positive_similarity**2, negative)
        exponent = 4 * (batch.positive_similarity - 1)  # -2 ||x - y||^2 of unit vectors
        mass = exponent.masked_fill(~negative, -1e9).logsumexp(1) - negative.sum(1).clamp(min=1).log()
        return torch.where(negative.any(1), mass, 0.0)
