"""InfoNCE with a negative that lies between two of the row's mined ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch
from negbench.requirements import PairNoise, PairTarget

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 4096
"""Noise is cut into as many steps, whose place within a step is a second random number."""


class PairMixedNegatives(Loss):
    """InfoNCE with one more negative a row: lambda p + (1 - lambda) p' of two mined ones, lambda ~ Beta(2, 2).

    Pair-wise hard-negative mixing of KaLM-Embedding-V2, Zhao et al. 2025, arXiv 2506.20923; its list-wise mixing is
    ``mixed-negatives``. Where scores are cosines the mixture has length 1. Noise of query and document decides which
    two are mixed, those where it is highest, and lambda. A row with fewer than two mined negatives has no mixture.

    The formula is that of an account of the paper, which was not read itself. Differs from it in: the same two
    negatives have the same lambda each time they meet.
    """

    name: ClassVar[str] = "pair-mixed-negatives"

    temperature: float = Field(default=0.05, gt=0, description="Divisor of the scores before the softmax.")

    @property
    def requires(self) -> tuple[PairTarget, ...]:
        return (PairNoise(),)

    def rows(self, batch: ScoredBatch) -> Tensor:
        import torch
        from torch.nn.functional import cross_entropy, normalize

        assert batch.query_vectors is not None, "the batch carries no vectors"
        assert batch.document_vectors is not None, "the batch carries no vectors"
        noise = self.target_scores(batch, PairNoise)
        known = batch.mined() & ~noise.isnan()
        some = known.sum(1) > 1
        chance, chosen = noise.masked_fill(~known, -1.0).sort(dim=1, descending=True, stable=True)  # [B, D]
        share = _beta((chance[:, :2].clamp(min=0).sum(1) * STEPS) % 1)[:, None]
        first, second = batch.document_vectors[chosen[:, 0]], batch.document_vectors[chosen[:, :2][:, -1]]
        mixture = share * first + (1 - share) * second
        mixture = normalize(mixture, dim=1) if batch.cosine else mixture
        extra = (batch.query_vectors * mixture).sum(1, keepdim=True).masked_fill(~some[:, None], float("-inf"))
        scores = torch.cat([batch.scores.masked_fill(~batch.counted(), float("-inf")), extra], 1)
        return cross_entropy(scores / self.temperature, batch.positive_column, reduction="none")


def _beta(chance: Tensor) -> Tensor:
    """Return the quantiles of Beta(2, 2): the x with 3 x^2 - 2 x^3 = ``chance``."""
    import torch

    return 0.5 - torch.sin(torch.asin((1 - 2 * chance).clamp(-1, 1)) / 3)
