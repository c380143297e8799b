"""What a loss is told about pairs of query and document, looked up when a batch is put together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from negbench.types import Float32, Int32, Int64


class Targets(ABC):
    """A score of pairs."""

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

        Documents below 0 and scores that are NaN are left out; of a pair that is there twice the first counts.
        """
        there = (documents >= 0) & ~np.isnan(scores)
        pairs, first = np.unique(_number(queries[:, None], documents)[there], return_index=True)
        return cls(pairs, scores[there][first])

    def one_by_one(self, queries: Int32, documents: Int32) -> Float32:
        """Return the score of each pair, broadcast; NaN where there is none."""
        wanted = _number(queries, documents)
        if not len(self.pairs):
            return np.full(wanted.shape, np.nan, np.float32)
        at = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        return np.where(self.pairs[at] == wanted, self.scores[at], np.float32(np.nan))

    def of(self, queries: Int32, documents: Int32) -> Float32:
        """Look up."""
        return self.one_by_one(queries[:, None], documents[None, :])


def _number(queries: Int32, documents: Int32) -> Int64:
    """Return a number for each pair, broadcast, which orders by query and then by document."""
    return (queries.astype(np.int64) << 32) + documents


@dataclass(frozen=True, slots=True)
class VectorTargets(Targets):
    """Products of vectors: ``queries`` [Q] and ``documents`` [N] are the rows that have some, ascending.

    ``query_vectors`` [Q, d] and ``document_vectors`` [N, d] are theirs.
    """

    queries: Int32
    query_vectors: Float32
    documents: Int32
    document_vectors: Float32

    def of(self, queries: Int32, documents: Int32) -> Float32:
        """Multiply; every row must have a vector."""
        left = self.query_vectors[np.searchsorted(self.queries, queries)]
        found: Float32 = left @ self.document_vectors[np.searchsorted(self.documents, documents)].T
        return found
