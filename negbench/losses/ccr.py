"""Contrastive confidence regularisation: InfoNCE with a term that rewards confident predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over

if TYPE_CHECKING:
    from torch import Tensor


class CCR(Loss):
    """InfoNCE with a confidence regulariser: -log p(d+) + beta * mean of log p(d), p being the softmax that it is over.

    Wang et al. 2024, arXiv 2401.00165; code wangskyGit/passage-sieve, whose mean has the positive in it. It makes p
    more certain, and the push on a negative (1 - beta) p + beta / n in place of p: a false negative, which scores high,
    is pushed less. On dot products the regulariser has no bound. Differs from the code in: beta stays the same (its
    schedule rises by epochs, after some training without).
    """

    name: ClassVar[str] = "ccr"

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the scores before the softmax; the code has 1 for cosines."
    )
    beta: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description=(
            "Weight of the regulariser; its authors advise 0.5 for cosines and 0.0001 to 0.001 for dot products."
        ),
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the loss over the positive and all negatives of the batch."""
        counted = batch.counted()
        logits = (batch.scores / self.temperature).masked_fill(~counted, float("-inf"))
        log_share = logits.log_softmax(1)
        return -log_share.gather(1, batch.positive_column[:, None]).squeeze(1) + self.beta * over(log_share, counted)
