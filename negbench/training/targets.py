"""Target scores of (query, document) pairs for a loss, looked up when a batch is collated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from negbench.types import Float32, Int32, Int64


class Targets(ABC):
    """Scores of pairs of query and document."""

    @abstractmethod
    def of(self, queries: Int32, documents: Int32) -> Float32:
        """Return [B, D]: the score of each of ``queries`` [B] with each of ``documents`` [D], rows of the collection.

        NaN where there is none.
        """


@dataclass(frozen=True, slots=True)
class PairTargets(Targets):
    """Scores of single pairs: ``pairs`` [N], ascending and distinct (see ``_number``), and their ``scores`` [N]."""

    pairs: Int64
    scores: Float32

    @classmethod
    def of_table(cls, queries: Int32, documents: Int32, scores: Float32) -> PairTargets:
        """Build from the ``scores`` [Q, W] of each of ``queries`` [Q] with its own ``documents`` [Q, W].

        Documents below 0 and scores that are NaN are left out; of a repeated pair the first counts.
        """
        has_score = (documents >= 0) & ~np.isnan(scores)
        pairs, first = np.unique(_number(queries[:, None], documents)[has_score], return_index=True)
        return cls(pairs, scores[has_score][first])

    def one_by_one(self, queries: Int32, documents: Int32) -> Float32:
        """Return the score of each pair, broadcast; NaN where there is none."""
        wanted = _number(queries, documents)
        if not len(self.pairs):
            return np.full(wanted.shape, np.nan, np.float32)
        position = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        return np.where(self.pairs[position] == wanted, self.scores[position], np.float32(np.nan))

    def of(self, queries: Int32, documents: Int32) -> Float32:
        return self.one_by_one(queries[:, None], documents[None, :])


def _number(queries: Int32, documents: Int32) -> Int64:
    """Return a number for each pair, broadcast, which orders by query and then by document."""
    return (queries.astype(np.int64) << 32) + documents


@dataclass(frozen=True, slots=True)
class VectorTargets(Targets):
    """Dot products of stored vectors: ``query_vectors`` [Q, d] and ``document_vectors`` [N, d].

    ``queries`` [Q] and ``documents`` [N] are their rows in the collection, ascending.
    """

    queries: Int32
    query_vectors: Float32
    documents: Int32
    document_vectors: Float32

    def of(self, queries: Int32, documents: Int32) -> Float32:
        """Return the dot products [B, D]; every row must have a vector."""
        left, right = self.vectors(queries, documents)
        scores: Float32 = left @ right.T
        return scores

    def vectors(self, queries: Int32, documents: Int32) -> tuple[Float32, Float32]:
        """Return the vectors of ``queries`` [B, d] and ``documents`` [D, d], rows that must have one."""
        return (
            self.query_vectors[np.searchsorted(self.queries, queries)],
            self.document_vectors[np.searchsorted(self.documents, documents)],
        )
