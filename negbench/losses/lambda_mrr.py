"""LambdaLoss on the reciprocal rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, Scored

if TYPE_CHECKING:
    from torch import Tensor


class LambdaMRR(Loss):
    """Pairs of a positive i and a negative j, weighted by what exchanging them does to the reciprocal rank.

    The mean over pairs of |1 / rank_i - 1 / rank_j| * log(1 + exp((s_j - s_i) / t)), ranks being the encoder's own:
    ADORE, Zhan et al. 2021, arXiv 2104.08051; CL-DRD, Zeng et al. 2022, arXiv 2204.13679. Differs from both in: the
    list that is ranked is the batch's documents (ADORE searches the corpus, CL-DRD has the query's own 30), and there
    are two grades (CL-DRD has several).

    temperature: divides the scores; both have 1 over raw dot products. cut: ranks below it count as never found;
    ADORE's 200.
    """

    name: ClassVar[str] = "lambda-mrr"

    temperature: float = Field(default=0.05, gt=0)
    cut: int = Field(default=200, ge=1)

    def rows(self, batch: Scored) -> Tensor:
        """Return the mean over a row's pairs, all known positives in the batch being i; 0 without any pair."""
        import torch

        rank = batch.scores.detach().argsort(dim=1, descending=True, stable=True).argsort(dim=1) + 1
        worth = torch.where(rank <= self.cut, 1 / rank, 0.0)
        row, column = batch.relevant.nonzero(as_tuple=True)  # the P positives
        gap = (batch.scores[row] - batch.scores[row, column][:, None]) / self.temperature  # [P, D]
        weight = (worth[row, column][:, None] - worth[row]).abs() * batch.negative()[row]
        sums = (weight * torch.nn.functional.softplus(gap)).sum(1)
        pairs = batch.relevant.sum(1) * batch.negative().sum(1)
        return torch.zeros_like(batch.scores[:, 0]).index_add(0, row, sums) / pairs.clamp(min=1)
