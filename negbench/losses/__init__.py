"""Losses: what is asked of the scores of queries against the documents of a batch. One file a loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from negbench.errors import PartError
from negbench.registry import Part
from negbench.requirements import PairTarget, find

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredBatch:
    """A batch of B training rows, scored against its D distinct documents.

    ``scores`` float32 [B, D]: the similarity of each row's query to every document. ``positive_column`` int64 [B]: the
    column of the row's positive. ``known_mask`` bool [B, D]: known positives of the row's query, its own among them,
    wherever in the batch they came from. ``mined_mask`` bool [B, D]: the row's mined negatives.

    ``positive_similarity`` float32 [B, D]: the similarity of the row's positive to every document. ``query_similarity``
    float32 [B, B]: that of the row's query to each row's. ``targets`` float32 [B, D] each, by class of requirement:
    what the loss requires about query and document, NaN where it is not known.

    ``query_vectors`` float32 [B, d] and ``document_vectors`` float32 [D, d]: the vectors whose dot products the scores
    and similarities are, of length 1 where these are ``cosine``.
    """

    scores: Tensor
    positive_column: Tensor
    known_mask: Tensor
    mined_mask: Tensor
    positive_similarity: Tensor | None = None
    query_similarity: Tensor | None = None
    targets: Mapping[type[PairTarget], Tensor] = field(default_factory=dict)
    query_vectors: Tensor | None = None
    document_vectors: Tensor | None = None
    cosine: bool = True

    @classmethod
    def of_vectors(
        cls,
        queries: Tensor,
        documents: Tensor,
        *,
        cosine: bool,
        positive_column: Tensor,
        known_mask: Tensor,
        mined_mask: Tensor,
        targets: Mapping[type[PairTarget], Tensor],
    ) -> Self:
        """Return the batch of ``queries`` [B, d], one a row, and ``documents`` [D, d]."""
        return cls(
            scores=queries @ documents.T,
            positive_column=positive_column,
            known_mask=known_mask,
            mined_mask=mined_mask,
            positive_similarity=documents[positive_column] @ documents.T,
            query_similarity=queries @ queries.T,
            targets=targets,
            query_vectors=queries,
            document_vectors=documents,
            cosine=cosine,
        )

    def leading(self, dimensions: int) -> Self:
        """Return the batch as the first ``dimensions`` of all vectors score it; targets stay as they are."""
        from torch.nn.functional import normalize

        assert self.query_vectors is not None, "the batch carries no vectors"
        assert self.document_vectors is not None, "the batch carries no vectors"
        cut = (self.query_vectors[:, :dimensions], self.document_vectors[:, :dimensions])
        queries, documents = (normalize(vectors, dim=1) if self.cosine else vectors for vectors in cut)
        return self.of_vectors(
            queries,
            documents,
            cosine=self.cosine,
            positive_column=self.positive_column,
            known_mask=self.known_mask,
            mined_mask=self.mined_mask,
            targets=self.targets,
        )

    def positive(self) -> Tensor:
        """Return the score of each row's positive [B, 1]."""
        return self.scores.gather(1, self.positive_column[:, None])

    def negative(self) -> Tensor:
        """Return bool [B, D]: the documents that are negatives for a row: all but its query's known positives."""
        return ~self.known_mask

    def mined(self) -> Tensor:
        """Return bool [B, D]: the row's mined negatives, without those that are known positives."""
        return self.mined_mask & ~self.known_mask

    def counted(self) -> Tensor:
        """Return bool [B, D]: the row's positive and all negatives, which is what a softmax runs over."""
        return (~self.known_mask).scatter(1, self.positive_column[:, None], value=True)

    def unrelated(self) -> Tensor:
        """Return bool [B, B]: pairs of rows of which neither's positive is a known positive of the other's query."""
        shared = self.known_mask[:, self.positive_column]  # [i, j]: row j's positive is known for row i's query
        return ~(shared | shared.T)


class Loss(Part):
    """A loss over the scores of a batch."""

    kind: ClassVar[str] = "loss"

    @property
    def mined_only(self) -> bool:
        """Whether it looks at mined negatives alone: without any, there is nothing to learn."""
        return False

    @property
    def couples_rows(self) -> bool:
        """Whether a row's loss depends on the batch's other queries as well."""
        return False

    @property
    def stops_gradient(self) -> bool:
        """Whether part of the value is detached from the gradient, which is then not the value's derivative."""
        return False

    @property
    def unweighted_term(self) -> bool:
        """Whether it has a term that counts for every row, whatever the row's weight."""
        return False

    @property
    def further_positives(self) -> int:
        """Number of the query's other positives, at most, that the batch should hold for a row."""
        return 0

    @property
    def leading_dimensions(self) -> int:
        """Largest number of leading dimensions that it takes of vectors, which must have more; 0 for none."""
        return 0

    @property
    def requires(self) -> tuple[PairTarget, ...]:
        """The targets that the loss reads, at most one of each class."""
        return ()

    def target_scores(self, batch: ScoredBatch, kind: type[PairTarget]) -> Tensor:
        """Return targets [B, D] that the loss requires; PartError where it does not, or the batch has none."""
        if find(self.requires, kind) is None:
            raise PartError(self, f"reads {kind.__name__}, which it does not require")
        if kind not in batch.targets:
            raise PartError(self, f"requires {kind.__name__}, and the batch has none")
        return batch.targets[kind]

    @abstractmethod
    def rows(self, batch: ScoredBatch) -> Tensor:
        """Return the loss of each row, float32 [B]; training takes their weighted mean."""

    def mean(self, batch: ScoredBatch, weights: Tensor) -> Tensor:
        """Return what training minimises: the mean over rows, by ``weights`` float32 [B]; 0 where all are 0.

        Raises PartError where ``rows`` returns another shape, which would be multiplied into a table.
        """
        rows = self.rows(batch)
        if rows.shape != weights.shape:
            raise PartError(self, f"returned {list(rows.shape)}; expected the loss of each row, {list(weights.shape)}")
        mean: Tensor = (rows * weights).sum() / weights.sum().clamp(min=1e-9)
        return mean


def over(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean of each row's ``values`` [B, D] over what is ``chosen`` bool [B, D]; 0 where that is nothing.

    What is not chosen gets no gradient at all; it may be infinite, but not NaN.
    """
    import torch

    return torch.where(chosen, values, 0.0).sum(1) / chosen.sum(1).clamp(min=1)
