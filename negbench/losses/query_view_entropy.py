"""A loss that spreads what a language model generated over a row's negatives, beside another loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from negbench.losses import ScoredBatch
from negbench.losses.wrapper import AddedTerm
from negbench.requirements import GeneratedPairs, PairTarget

if TYPE_CHECKING:
    from torch import Tensor


class QueryViewEntropy(AddedTerm):
    """Any loss and, beside it, what keeps a row's generated negatives from being told by their scores.

    CausalNeg, Zhang et al. 2026, arXiv 2606.01304, by its authors' code, github.com/mzhangzhicheng/CausalNeg. A softmax
    of the scores runs over the row's own negatives. The term is the square of what generated ones have of it above or
    below their share of the number, less the entropy of their shares among themselves. Only vectors of generated
    negatives get its gradient. Of a single one the entropy is 0.

    Differs from the source in: that has no in-batch negatives, and a grid has; rows without generated negatives count
    in the mean, with 0.
    """

    name: ClassVar[str] = "query-view-entropy"
    stops_gradient: ClassVar[bool] = True

    weight: float = Field(default=0.05, ge=0, description="Weight of the term that is added to the loss.")
    temperature: float = Field(default=0.1, gt=0, description="Divisor of the scores in the softmax of the term.")

    @property
    def requires(self) -> tuple[PairTarget, ...]:
        return (*self.loss.requires, GeneratedPairs())

    def term(self, batch: ScoredBatch) -> Tensor:
        """Return the term of each row, float32 [B]; 0 where nothing was generated."""
        import torch

        assert batch.query_vectors is not None, "the batch carries no vectors"
        assert batch.document_vectors is not None, "the batch carries no vectors"
        own = batch.mined()
        generated = own & (self.target_scores(batch, GeneratedPairs) > 0)  # not where it is NaN
        some = generated.any(dim=1)
        if not some.any():
            return torch.zeros_like(batch.scores[:, 0])
        own, generated = own[some], generated[some]
        scores = batch.query_vectors[some].detach() @ batch.document_vectors.T / self.temperature
        scores = torch.where(generated, scores, scores.detach())
        among_all = scores.masked_fill(~own, float("-inf")).softmax(1)
        logs = scores.masked_fill(~generated, float("-inf")).log_softmax(1).masked_fill(~generated, 0.0)
        entropy = -(logs.exp() * generated * logs).sum(1)
        excess = (among_all * generated).sum(1) - generated.sum(1) / own.sum(1)
        return torch.zeros_like(batch.scores[:, 0]).masked_scatter(some, excess**2 - entropy)
