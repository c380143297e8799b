"""ANCE's pairwise negative log-likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, Scored, over

if TYPE_CHECKING:
    from torch import Tensor


class PairwiseNLL(Loss):
    """The positive against one mined negative at a time, without in-batch negatives: log(1 + exp((s- - s+) / t)).

    ANCE, Xiong et al. 2020, arXiv 2007.00808, which has one negative a row; the mean over them where there are more.

    temperature: divides the scores; 0.05 suits cosines, ANCE has 1 over raw dot products.
    """

    name: ClassVar[str] = "pairwise-nll"
    mined_only: ClassVar[bool] = True

    temperature: float = Field(default=0.05, gt=0)

    def rows(self, batch: Scored) -> Tensor:
        """Return the mean over the row's mined negatives; 0 without any."""
        from torch.nn.functional import softplus

        return over(softplus((batch.scores - batch.positive()) / self.temperature), batch.mined())
