"""Losses over several positives of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from negbench.losses import Loss, ScoredBatch, over

if TYPE_CHECKING:
    from torch import Tensor

_NONE = -1e9
"""Stand-in for log 0: far below any score, and finite."""


class MultiPositive(Loss):
    """All positives of the query in the batch against all negatives, in one of three ways.

    Wang et al. 2026, arXiv 2602.12727; code WangLanHuaJiaoFen/Multi-Positive-Passages. ``lse-pair``, LSEPair: log(1 +
    sum over positives and negatives of e^{(s- - s+)/t}), which asks most of the positive that scores lowest. ``joint``,
    JointLH: the mean of -log p(d+) over the m positives, p being a softmax over positives and negatives, so that each
    should have a share of 1 / m, and one that has more is pushed down. ``sum-marginal``, SumMargLH: -log of the sum of
    p(d+), which one positive can satisfy alone. All three are InfoNCE where the query has one positive. Differs from
    the code in: ``joint`` is divided by m (an option there); of a query with several rows each row has all of them.
    """

    name: ClassVar[str] = "multi-positive"

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the scores; 0.05 suits cosines, the code has 1 for dot products."
    )
    objective: Literal["lse-pair", "joint", "sum-marginal"] = Field(
        default="lse-pair", description="Objective: `lse-pair`, `joint` or `sum-marginal`."
    )

    positives: int = Field(
        default=4,
        ge=1,
        description=(
            "Positives of a row's query that the batch holds at most for it, its own among them; the others are drawn "
            "anew each epoch, and are read beside what a step reads otherwise."
        ),
    )

    @property
    def further_positives(self) -> int:
        return self.positives - 1

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the objective of each row; 0 for ``lse-pair`` and ``sum-marginal`` without any negative."""
        from torch.nn.functional import softplus

        logits, positive = batch.scores / self.temperature, batch.known_mask
        if self.objective == "joint":
            return -over(logits.log_softmax(1), positive)
        negatives = logits.masked_fill(positive, _NONE).logsumexp(1)
        if self.objective == "lse-pair":
            return softplus(negatives + (-logits).masked_fill(~positive, _NONE).logsumexp(1))
        return softplus(negatives - logits.masked_fill(~positive, _NONE).logsumexp(1))
