"""Batchings that group training pairs by the vectors of their queries and documents."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from negbench.batching import Batching
from negbench.types import Float32, Int32


@dataclass(frozen=True, slots=True)
class Pairs:
    """R labelled pairs: ``queries`` [R] and ``documents`` [R], rows of the collection, and their vectors [R, d]."""

    queries: Int32
    documents: Int32
    query_vectors: Float32
    document_vectors: Float32


class PairBatching(Batching):
    """A batching that groups training pairs by the vectors of their queries and documents, once before training."""

    incidental: ClassVar[frozenset[str]] = frozenset({"teacher"})  # the vectors' own key says whose they are

    teacher: str | None = Field(
        default=None,
        min_length=1,
        description="Encoder whose vectors say which pairs are near: a hub id, folder or offline name; null for the "
        "encoder that mines.",
    )

    @abstractmethod
    def groups(self, pairs: Pairs) -> Int32:
        """Return the group [R] of each pair, numbered from 0."""
