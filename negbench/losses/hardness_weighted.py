"""InfoNCE with each negative weighted by its own score."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch

if TYPE_CHECKING:
    from torch import Tensor


class HardnessWeighted(Loss):
    """InfoNCE whose negatives have the weight e^{alpha s-} in the denominator; no gradient flows through it.

    ``in_batch`` is alpha for other rows' documents: 9 in LLaVE, Lan et al. 2025, arXiv 2503.04812, eq. 5. ``mined`` is
    alpha for the row's own mined negatives: 5 in EmbeddingGemma, Schechter Vera et al. 2025, arXiv 2509.20354, the
    default. sentence-transformers' MultipleNegativesRankingLoss has the same as hardness modes. alpha multiplies the
    cosine itself, whatever the temperature: at the papers' small temperatures it tells less than here. Differs from the
    papers in: EmbeddingGemma's denominator has the row's own mined negative alone, here other rows' are in-batch
    documents; known positives of the query are left out.
    """

    name: ClassVar[str] = "hardness-weighted"
    stops_gradient: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the scores before the softmax; LLaVE has 0.02 for cosines."
    )
    in_batch: float = Field(default=0.0, ge=0, description="alpha of in-batch negatives; 0 does not weight them.")
    mined: float = Field(default=5.0, ge=0, description="alpha of the row's mined negatives; 0 does not weight them.")

    def rows(self, batch: ScoredBatch) -> Tensor:
        import torch
        from torch.nn.functional import cross_entropy

        alpha = torch.where(batch.mined(), self.mined, self.in_batch) * batch.negative()
        logits = batch.scores / self.temperature + alpha * batch.scores.detach()
        return cross_entropy(
            logits.masked_fill(~batch.counted(), float("-inf")), batch.positive_column, reduction="none"
        )
