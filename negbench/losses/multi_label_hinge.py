"""RepBERT's multi-label hinge: all positives of a query in the batch against all negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch

if TYPE_CHECKING:
    from torch import Tensor


class MultiLabelHinge(Loss):
    """Every positive of the query in the batch should beat every negative by ``margin``.

    RepBERT, Zhan et al. 2020, arXiv 2006.15498: the mean over positives of the sum over negatives of
    max(0, margin - (s+ - s-)). Differs from the paper in: the sum over negatives is divided by their number, so that
    the size of a batch does not set the step; scores are cosines here, for which its margin of 1 is large.
    """

    name: ClassVar[str] = "multi-label-hinge"

    margin: float = Field(default=1.0, gt=0, description="Margin between positive and negative, in score units.")

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the mean hinge over (positive, negative) pairs; 0 without any negative."""
        import torch

        gap = self.margin - (batch.scores[:, :, None] - batch.scores[:, None, :])  # [B, positive, negative]
        pairs = batch.known_mask[:, :, None] & batch.negative()[:, None, :]
        return torch.where(pairs, gap.clamp(min=0), 0.0).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)
