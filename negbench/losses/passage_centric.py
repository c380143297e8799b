"""PAIR: the positive should be nearer to its query than to negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE

if TYPE_CHECKING:
    from torch import Tensor


class PassageCentric(Loss):
    """InfoNCE and, beside it, InfoNCE seen from the positive: it should be nearer to its query than to other texts.

    PAIR, Ren et al. 2021, arXiv 2108.06027: (1 - alpha) L_Q + alpha L_P, L_P being -log of the softmax of s(d+, q)
    among s(d+, q') of the batch's other queries and s(d+, d-). d- are all negatives of the batch here, as in L_Q;
    other queries of which d+ is a known positive are left out. Differs from the paper in: it trains all the way (the
    paper pre-trains with it, on pseudo-labels, and fine-tunes with L_Q alone). It takes one encoder for both sides.
    """

    name: ClassVar[str] = "passage-centric"
    couples_rows: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05,
        gt=0,
        description="Divisor of the similarities before the softmax; the paper has 1 for dot products.",
    )
    alpha: float = Field(
        default=0.1, ge=0, le=1, description="Weight of the passage-centric term L_P; the paper has 0.1."
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        import torch

        assert batch.positive_similarity is not None, "the batch carries no similarities among documents"
        of_queries = batch.scores[:, batch.positive_column].T  # [B, B]: each row's positive with each row's query
        own = torch.eye(len(of_queries), dtype=torch.bool, device=of_queries.device)
        masked = torch.cat([batch.known_mask[:, batch.positive_column].T & ~own, ~batch.negative()], 1)
        logits = torch.cat([of_queries, batch.positive_similarity], 1) / self.temperature
        rows = torch.arange(len(own), device=own.device)
        passage = torch.nn.functional.cross_entropy(logits.masked_fill(masked, float("-inf")), rows, reduction="none")
        return (1 - self.alpha) * InfoNCE(temperature=self.temperature).rows(batch) + self.alpha * passage
