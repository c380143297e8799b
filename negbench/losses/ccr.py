"""Contrastive confidence regularisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, Scored, over

if TYPE_CHECKING:
    from torch import Tensor


class CCR(Loss):
    """InfoNCE with a confidence regulariser: -log p(d+) + beta * mean of log p(d), p being the softmax that it is over.

    Wang et al. 2024, arXiv 2401.00165; code wangskyGit/passage-sieve, whose mean has the positive in it. It makes p
    more certain, and the push on a negative (1 - beta) p + beta / n in place of p: a false negative, which scores
    high, is pushed less. Differs from the code in: beta stays the same (its schedule rises by epochs, after some
    training without).

    temperature: divides the scores; the code has 1 over cosines. beta: the code's authors advise 0.5 for cosines, and
    0.0001 to 0.001 for dot products, on which the regulariser has no bound.
    """

    name: ClassVar[str] = "ccr"

    temperature: float = Field(default=0.05, gt=0)
    beta: float = Field(default=0.1, ge=0, le=1)

    def rows(self, batch: Scored) -> Tensor:
        """Return the loss over the positive and all negatives of the batch."""
        counted = batch.counted()
        logits = (batch.scores / self.temperature).masked_fill(~counted, float("-inf"))
        log_share = logits.log_softmax(1)
        return -log_share.gather(1, batch.target[:, None]).squeeze(1) + self.beta * over(log_share, counted)
