"""NPC's loss: InfoNCE of the pairs that are taken for matched, and a pull of all towards an average of the encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.requirements import AverageTargets

if TYPE_CHECKING:
    from torch import Tensor


class NPC(Loss):
    """y InfoNCE + KL(encoder || average), both over the positive, mined and in-batch negatives.

    Noisy Pair Corrector, Zhang et al. 2023, arXiv 2311.03798. y is the row's weight, 0 where a detector takes the pair
    for mismatched; the divergence corrects such rows, and counts for all. Both are divided by the number of all rows,
    so that a batch with few matched pairs learns less from them. The average is a copy of the encoder whose weights
    follow it. Where the paper is unclear, this is an interpretation: the order of the divergence's two sides, one
    temperature for both, documents compared for a query and not queries for a document.
    """

    name: ClassVar[str] = "npc"
    unweighted_term: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05,
        gt=0,
        description="Divisor of the scores before the softmax; the paper has 0.05 for cosines and 1 for dot products.",
    )
    decay: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="Share of the averaged weights that stays at each step; the paper does not give it.",
    )

    @property
    def requires(self) -> tuple[AverageTargets]:
        return (AverageTargets(self.decay),)

    def rows(self, batch: ScoredBatch) -> Tensor:
        return self._contrast(batch) + self.divergence(batch)

    def mean(self, batch: ScoredBatch, weights: Tensor) -> Tensor:
        """Return what training minimises: the sum of both over the number of rows, weights on InfoNCE alone."""
        return (self._contrast(batch) * weights + self.divergence(batch)).mean()

    def divergence(self, batch: ScoredBatch) -> Tensor:
        """Return the divergence of each row, float32 [B]; documents without the average's score are left out."""
        import torch

        targets = self.target_scores(batch, AverageTargets)
        chosen = batch.counted() & ~targets.isnan()
        # far below any score, and finite
        encoder, average = (
            (scores / self.temperature).masked_fill(~chosen, -1e9).log_softmax(1) for scores in (batch.scores, targets)
        )
        return torch.where(chosen, encoder.exp() * (encoder - average), 0.0).sum(1)

    def _contrast(self, batch: ScoredBatch) -> Tensor:
        return InfoNCE(temperature=self.temperature).rows(batch)
