"""InfoNCE."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, Scored

if TYPE_CHECKING:
    from torch import Tensor


class InfoNCE(Loss):
    """Softmax cross-entropy of the positive against every other document of the batch.

    van den Oord et al. 2018, arXiv 1807.03748; DPR, arXiv 2004.04906, for retrieval. Differs from most code in: a
    document that several rows of the batch share is counted once, and a query's other known positives are masked.

    temperature: divides the scores; 0.05 suits cosines (sentence-transformers' scale 20), 1 raw dot products.
    """

    name: ClassVar[str] = "infonce"

    temperature: float = Field(default=0.05, gt=0)

    def rows(self, batch: Scored) -> Tensor:
        """Return -log softmax at the target."""
        from torch.nn.functional import cross_entropy

        logits = (batch.scores / self.temperature).masked_fill(~batch.counted(), float("-inf"))
        return cross_entropy(logits, batch.target, reduction="none")
