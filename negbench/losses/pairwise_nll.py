"""ANCE's pairwise negative log-likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over

if TYPE_CHECKING:
    from torch import Tensor


class PairwiseNLL(Loss):
    """The positive against one mined negative at a time, without in-batch negatives: log(1 + exp((s- - s+) / t)).

    ANCE, Xiong et al. 2020, arXiv 2007.00808, which has one negative a row; the mean over them where there are more.
    """

    name: ClassVar[str] = "pairwise-nll"
    mined_only: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05,
        gt=0,
        description="Divisor of score differences; 0.05 suits cosines, ANCE has 1 for raw dot products.",
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the mean over the row's mined negatives; 0 without any."""
        from torch.nn.functional import softplus

        return over(softplus((batch.scores - batch.positive()) / self.temperature), batch.mined())
