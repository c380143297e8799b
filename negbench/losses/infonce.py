"""InfoNCE: softmax cross-entropy over the documents of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch

if TYPE_CHECKING:
    from torch import Tensor


class InfoNCE(Loss):
    """Softmax cross-entropy of the positive against every other document of the batch.

    van den Oord et al. 2018, arXiv 1807.03748; DPR, arXiv 2004.04906, for retrieval. Differs from most code in: a
    document that several rows of the batch share is counted once, and a query's other known positives are masked.
    """

    name: ClassVar[str] = "infonce"

    temperature: float = Field(
        default=0.05,
        gt=0,
        description=(
            "Divisor of the scores before the softmax; 0.05 suits cosines (sentence-transformers' scale 20), 1 raw "
            "dot products."
        ),
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        from torch.nn.functional import cross_entropy

        logits = (batch.scores / self.temperature).masked_fill(~batch.counted(), float("-inf"))
        return cross_entropy(logits, batch.positive_column, reduction="none")
