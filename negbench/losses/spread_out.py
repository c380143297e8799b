"""A loss with a regulariser that spreads queries and positives over the sphere."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from negbench.losses import ScoredBatch, over
from negbench.losses.wrapper import AddedTerm

if TYPE_CHECKING:
    from torch import Tensor


class SpreadOut(AddedTerm):
    """Any loss and, beside it, the mean squared similarity of random queries, and of random positives.

    The global orthogonal regulariser, Zhang et al. 2017, arXiv 1708.06320, as EmbeddingGemma has it, Schechter Vera et
    al. 2025, arXiv 2509.20354, eq. 4, and jina-embeddings-v5, arXiv 2602.15547, eq. 3: the second moment alone, of
    queries and of positives. sentence-transformers' GlobalOrthogonalRegularizationLoss with mean_weight=0 and
    aggregation="sum" is the same above its floor at 1 / dimension, which neither paper has. Differs from the papers in:
    rows that share a query or a known positive are left out, and a row has its own mean over the others.

    Similarities have to be cosines. Documents alone, mined ones among them, are spread by `uniform`.
    """

    name: ClassVar[str] = "spread-out"
    couples_rows: ClassVar[bool] = True

    def term(self, batch: ScoredBatch) -> Tensor:
        """Return both means of each row, added, float32 [B]; 0 where no other row is unrelated."""
        assert batch.query_similarity is not None, "the batch carries no similarities among queries"
        assert batch.positive_similarity is not None, "the batch carries no similarities among documents"
        others = batch.unrelated()
        positives = batch.positive_similarity[:, batch.positive_column]
        return over(batch.query_similarity**2, others) + over(positives**2, others)
