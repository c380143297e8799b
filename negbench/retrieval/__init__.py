"""Retrieval: one file a retriever; ``pool`` makes a CandidatePool of what it ranks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from negbench.noise import Noise
from negbench.parts import Part
from negbench.types import Float32, Int32, UInt64, Vectors


@dataclass(frozen=True, slots=True)
class Search:
    """What a retriever may look at: Q queries, N documents, and the Q x P labelled positives (-1 is padding).

    ``query_vectors`` [Q, d] and ``document_vectors`` [N, d], perhaps memory maps, are None unless the retriever
    ``needs_vectors``.
    """

    queries: list[str]
    documents: Sequence[str]
    query_keys: UInt64
    document_keys: UInt64
    positives: Int32
    noise: Noise
    query_vectors: Vectors | None = None
    document_vectors: Vectors | None = None

    def vectors(self) -> tuple[Vectors, Vectors]:
        """Return both sets of vectors of a retriever that asked for them."""
        assert self.query_vectors is not None
        assert self.document_vectors is not None
        return self.query_vectors, self.document_vectors


@dataclass(frozen=True, slots=True)
class Ranking:
    """Best first: ``documents`` [Q, K] (-1 past the end), ``scores`` [Q, K] and ``positive_scores`` [Q, P].

    Missing scores are NaN. Equal scores come in ascending document row. ``recall`` is against exact search; ``note``
    is a sentence for a reader of the results.
    """

    documents: Int32
    scores: Float32
    positive_scores: Float32
    recall: float = 1.0
    note: str = ""


class Retriever(Part):
    """A way to rank documents for queries.

    depth: how many ranks are kept; what a sampler or filter looks at must lie within it.
    """

    kind: ClassVar[str] = "retriever"
    needs_vectors: ClassVar[bool] = False
    approximate: ClassVar[bool] = False
    """Whether it may miss what an exact search finds; its recall is then reported."""
    seeded: ClassVar[bool] = False
    """Whether the ranking depends on the trial's seed."""

    depth: int = Field(default=200, ge=1, le=100_000)

    def fingerprint(self) -> str:
        """Return a digest of what is read beside the collection; empty where that is nothing."""
        return ""

    def check(self, query_keys: UInt64, document_keys: UInt64) -> None:
        """Raise InputError where what is read beside the collection does not go with it, before there is any work.

        The keys are hashes of the ids of all queries that will be searched for and of all documents.
        """

    @abstractmethod
    def rank(self, search: Search) -> Ranking:
        """Rank the documents for each query, with no regard to labels."""


def unanswered(documents: Int32, split: str) -> list[str]:
    """Return a sentence that counts the queries whose row of ``documents`` [Q, K] holds none; nothing if all do."""
    count = int((documents < 0).all(axis=1).sum())
    return [f"{count} of {len(documents)} {split} queries find no document"] if count else []
