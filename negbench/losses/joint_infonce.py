"""InfoNCE over one softmax of several kinds of pairs, with a mask by the encoder itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from negbench.losses import Loss, ScoredBatch

if TYPE_CHECKING:
    from torch import Tensor

Direction = Literal["query-query", "document-document", "document-query"]


class JointInfoNCE(Loss):
    """InfoNCE whose denominator has further pairs of the batch beside those of the query with documents.

    ``query-query``: the query and other queries. ``document-document``: the positive and other documents.
    ``document-query``: the positive and all queries, the row's own among them, so that the positive pair counts twice.
    All three are GTE's improved contrastive loss, Li et al. 2023, arXiv 2308.03281, and sentence-transformers'
    MultipleNegativesRankingLoss with four directions in a joint partition. ``query-query`` alone is SamToNe, Moiseev et
    al. 2023, arXiv 2306.02516. The first two with ``mask_margin`` 0.1 are Qwen3 Embedding, Zhang et al. 2025, arXiv
    2506.05176, which leaves out what the encoder scores above s+ + 0.1 for the query, mined or not; a document that is
    left out has no pair with the positive either.

    Differs from the papers in: the query's known positives are left out, and so are queries that share a known positive
    with the row, equal ones among them; the positive is not compared with the row's own mined negatives, as in
    sentence-transformers; a document that several rows share counts once, a query once for each of its rows.
    """

    name: ClassVar[str] = "joint-infonce"
    couples_rows: ClassVar[bool] = True

    temperature: float = Field(
        default=0.05, gt=0, description="Divisor of the scores before the softmax; GTE has 0.01 for cosines."
    )
    directions: tuple[Direction, ...] = Field(
        default=("query-query", "document-document", "document-query"),
        description="Kinds of pairs in the denominator beside query-document; none is InfoNCE.",
    )
    mask_margin: float | None = Field(
        default=None,
        ge=0,
        description=(
            "A negative that the encoder scores above the positive by more than this is left out; Qwen3 Embedding has "
            "0.1, and null leaves out none."
        ),
    )

    @field_validator("directions")
    @classmethod
    def _each_once(cls, directions: tuple[Direction, ...]) -> tuple[Direction, ...]:
        if len(set(directions)) < len(directions):
            raise ValueError("each direction counts once: keep one")
        return directions

    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return -log of the positive's share of the softmax over all pairs."""
        import torch

        believed = self._believed(batch, batch.scores)
        pairs = [(batch.scores, batch.counted() & believed)]
        if "query-query" in self.directions:
            assert batch.query_similarity is not None, "the batch carries no similarities among queries"
            others = batch.unrelated() & self._believed(batch, batch.query_similarity)
            pairs.append((batch.query_similarity, others))
        if "document-document" in self.directions:
            assert batch.positive_similarity is not None, "the batch carries no similarities among documents"
            pairs.append((batch.positive_similarity, batch.negative() & ~batch.mined_mask & believed))
        if "document-query" in self.directions:
            of_queries = batch.scores[:, batch.positive_column].T  # [B, B]: each row's positive with each row's query
            own = torch.eye(len(of_queries), dtype=torch.bool, device=of_queries.device)
            strange = own | ~batch.known_mask[:, batch.positive_column].T
            pairs.append((of_queries, strange & self._believed(batch, of_queries)))
        logits = [(values / self.temperature).masked_fill(~chosen, float("-inf")) for values, chosen in pairs]
        return torch.cat(logits, 1).logsumexp(1) - batch.positive().squeeze(1) / self.temperature

    def _believed(self, batch: ScoredBatch, scores: Tensor) -> Tensor:
        """Return bool: which pairs the encoder does not take for relevant."""
        import torch

        if self.mask_margin is None:
            return torch.ones_like(scores, dtype=torch.bool)
        return scores <= batch.positive() + self.mask_margin
