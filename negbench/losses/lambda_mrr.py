"""LambdaLoss on the reciprocal rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from negbench.losses import Loss, ScoredBatch

if TYPE_CHECKING:
    from torch import Tensor


class LambdaMRR(Loss):
    """Pairs of a positive i and a negative j, weighted by what exchanging them does to the reciprocal rank.

    The mean over pairs of |1 / rank_i - 1 / rank_j| * log(1 + exp((s_j - s_i) / t)), ranks being the encoder's own:
    ADORE, Zhan et al. 2021, arXiv 2104.08051. Differs from the paper in: the list that is ranked is what the batch
    holds (ADORE searches the corpus at each step). Grades by a teacher: lambda-graded.

    Among ``own`` documents is as ADORE ranks, whose list is that of one query.
    """

    name: ClassVar[str] = "lambda-mrr"

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of score differences; the paper has 1 for raw dot products."
    )
    cut: int = Field(
        default=200,
        ge=1,
        description="Last rank that counts; documents below it have a reciprocal rank of 0. ADORE has 200.",
    )
    among: Literal["batch", "own"] = Field(
        default="batch",
        description=(
            "Documents that are ranked and paired: the whole `batch`, or the row's `own` positives and mined negatives."
        ),
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the mean over a row's pairs, all known positives in the batch being i; 0 without any pair."""
        import torch

        negative = batch.negative() if self.among == "batch" else batch.mined()
        rank = ranks(batch.scores, batch.known_mask | negative)
        worth = torch.where(rank <= self.cut, 1 / rank, 0.0)
        row, column = batch.known_mask.nonzero(as_tuple=True)  # the P positives
        gap = (batch.scores[row] - batch.scores[row, column][:, None]) / self.temperature  # [P, D]
        weight = (worth[row, column][:, None] - worth[row]).abs() * negative[row]
        sums = (weight * torch.nn.functional.softplus(gap)).sum(1)
        pairs = batch.known_mask.sum(1) * negative.sum(1)
        return torch.zeros_like(batch.scores[:, 0]).index_add(0, row, sums) / pairs.clamp(min=1)


def ranks(scores: Tensor, ranked: Tensor) -> Tensor:
    """Return int64 [B, D]: each document's rank by ``scores`` [B, D], from 1, among its row's ``ranked`` bool [B, D].

    Equal scores keep their order; what is not ranked comes after the rest.
    """
    listed = scores.detach().masked_fill(~ranked, float("-inf"))
    return listed.argsort(dim=1, descending=True, stable=True).argsort(dim=1) + 1
