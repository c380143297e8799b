"""InfoNCE with a negative that is mixed from the row's mined ones in vector space."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import Loss, ScoredBatch

if TYPE_CHECKING:
    from torch import Tensor


class MixedNegatives(Loss):
    """InfoNCE with one more negative a row: a mean of its mined negatives' vectors, heavier for those that score high.

    List-wise hard-negative mixing of KaLM-Embedding-V2, Zhao et al. 2025, arXiv 2506.20923, after Kalantidis et al.
    2020, arXiv 2010.01028; its pair-wise mixing is ``pair-mixed-negatives``. The weights are the softmax of the mined
    negatives' scores, without a gradient; where scores are cosines the mixture has length 1. A row with fewer than two
    mined negatives has no mixture.

    An interpretation of the former, by an account of it: weights by similarity that add up to 1, and no more. Differs
    from the latter in: all mined negatives of a row are mixed once, where many pairs of them are mixed at random; none
    is mixed with the query.
    """

    name: ClassVar[str] = "mixed-negatives"
    stops_gradient: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the scores before the softmax, that of the weights too."
    )

    def rows(self, batch: ScoredBatch) -> Tensor:
        import torch
        from torch.nn.functional import cross_entropy, normalize

        assert batch.query_vectors is not None, "the batch carries no vectors"
        assert batch.document_vectors is not None, "the batch carries no vectors"
        mined = batch.mined()
        some = mined.sum(1) > 1
        chosen = batch.scores.detach().masked_fill(~mined, float("-inf"))
        weights = (chosen / self.temperature).softmax(1).nan_to_num(0.0)
        mixture = weights @ batch.document_vectors
        mixture = normalize(mixture, dim=1) if batch.cosine else mixture
        extra = (batch.query_vectors * mixture).sum(1, keepdim=True).masked_fill(~some[:, None], float("-inf"))
        scores = torch.cat([batch.scores.masked_fill(~batch.counted(), float("-inf")), extra], 1)
        return cross_entropy(scores / self.temperature, batch.positive_column, reduction="none")
