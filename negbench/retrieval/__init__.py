"""Retrieval: one file a retriever; ``pool`` makes a CandidatePool of what it ranks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from negbench.encoders.spec import EncoderSpec
from negbench.registry import Part
from negbench.rng import CounterRNG
from negbench.types import Float32, GivenCandidates, Int32, UInt64, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The input of a retriever: Q queries, N documents, and the Q x P labelled positives (-1 is padding).

    ``given`` are the candidates that came with the collection, by position in ``queries``, None for none.
    ``query_vectors`` [Q, d] and ``document_vectors`` [N, d], perhaps memory maps, are None unless the retriever
    ``needs_vectors``.
    """

    queries: list[str]
    documents: Sequence[str]
    query_keys: UInt64
    document_keys: UInt64
    positives: Int32
    rng: CounterRNG
    query_vectors: Vectors | None = None
    document_vectors: Vectors | None = None
    given: GivenCandidates | None = None

    def vectors(self) -> tuple[Vectors, Vectors]:
        """Return both sets of vectors of a retriever that asked for them."""
        assert self.query_vectors is not None
        assert self.document_vectors is not None
        return self.query_vectors, self.document_vectors


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rankings, best first: ``documents`` [Q, K] (-1 past the end), ``scores`` [Q, K] and ``positive_scores`` [Q, P].

    Missing scores are NaN. Equal scores come in ascending document row. ``recall`` is against exact search; ``note``
    is a sentence for a reader of the results.
    """

    documents: Int32
    scores: Float32
    positive_scores: Float32
    recall: float = 1.0
    note: str = ""


class Retriever(Part):
    """A way to rank documents for queries."""

    kind: ClassVar[str] = "retriever"
    needs_vectors: ClassVar[bool] = False
    approximate: ClassVar[bool] = False
    """Whether the search may miss documents that an exact search finds; its recall is then reported."""
    seeded: ClassVar[bool] = False
    """Whether the ranking depends on the trial's seed."""
    needs_given: ClassVar[bool] = False
    """Whether it ranks the candidates that came with the collection."""

    depth: int = Field(
        default=200,
        ge=1,
        le=100_000,
        description="Number of ranks kept per query; samplers, filters and teachers cannot look deeper.",
    )

    @property
    def miner(self) -> EncoderSpec | None:
        """The model whose vectors are searched, where it has one (``vector_retriever``); None for the encoder trained.

        Candidates, their scores and those of the positives are then the miner's, and stay so while an encoder trains.
        """
        encoder = getattr(self, "encoder", None)
        return encoder if isinstance(encoder, EncoderSpec) else None

    def fingerprint(self) -> str:
        """Return a digest of the files that are read in addition to the collection; empty without any."""
        return ""

    def check(self, query_keys: UInt64, document_keys: UInt64) -> None:
        """Raise InputError where these files do not fit the collection, before any work is done.

        The keys are hashes of the ids of all queries that will be searched for and of all documents.
        """

    @abstractmethod
    def rank(self, search: Search) -> Ranking:
        """Rank the documents for each query, with no regard to labels."""


def unanswered(documents: Int32, split: str) -> list[str]:
    """Return a sentence that counts the queries whose row of ``documents`` [Q, K] holds none; nothing if all do."""
    count = int((documents < 0).all(axis=1).sum())
    return [f"{count} of {len(documents)} {split} queries retrieve no document"] if count else []
