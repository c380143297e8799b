"""Approximate dense retrieval by Voyager's HNSW graph."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.errors import InputError
from negbench.retrieval import Ranking, Search
from negbench.retrieval.blocks import pair_scores, refuse_overflow
from negbench.retrieval.dense import exact
from negbench.retrieval.mapped import release
from negbench.retrieval.vector_retriever import VectorRetriever
from negbench.types import Float32, Vectors

_RECALL_QUERIES = 500
_LARGEST = 448.0
"""The largest number of E4M3."""
_THREADED = "the graph was built by several threads, so that these candidates cannot be repeated to the byte"
_AT_ONCE = 10_000
"""Documents that are copied at a time."""


class Voyager(VectorRetriever):
    """HNSW search by dot product (Spotify's Voyager) over the vectors of the starting encoder, or of another model.

    The graph is built by one thread unless ``build_threads`` says otherwise, since threaded builds differ from run to
    run; all threads search it. Scores
    of what is found are exact dot products, and the order is theirs. Its recall against exact search travels with
    the pool, measured on the first 500 queries; a document that scores as the last of the exact list is a hit.

    The defaults come from a sweep for recall@110 (m 16 to 32, ef_construction 200 to 400, query_ef 200 to 4000): on
    SciFact's embeddings query_ef=400 finds 0.999 already, on 20,000 random directions of width 64, a hard case, 400
    finds 0.84, 1000 0.96 and 2000 0.99 for about two milliseconds a query more, whereas m=32 or ef_construction=400
    take up to twice as long to build and still need 800 or more.
    """

    name: ClassVar[str] = "voyager"
    version: ClassVar[int] = 3
    approximate: ClassVar[bool] = True

    m: int = Field(default=16, ge=2, le=512, description="Links per node of the HNSW graph.")
    ef_construction: int = Field(
        default=200, ge=1, description="Breadth of the search while the graph is built, in nodes."
    )
    query_ef: int = Field(
        default=2000, ge=1, description="Breadth of the search for a query, in nodes; at least `depth`."
    )

    storage: Literal["float32", "e4m3"] = Field(
        default="float32",
        description=(
            "Numbers of the graph: `e4m3` has one byte a number instead of four, and coarser distances. What is found "
            "is scored by the vectors themselves either way."
        ),
    )
    build_threads: int = Field(
        default=1,
        ge=1,
        le=1024,
        description=(
            "Threads that build the graph. With more than one, graph and candidates differ from run to run: they "
            "cannot be repeated."
        ),
    )

    def identity(self) -> dict[str, Any]:
        """Return all that the ranking depends on; storage and threads only where they are not the default."""
        identity = super().identity()
        for field in ("storage", "build_threads"):
            if getattr(self, field) == type(self).model_fields[field].default:
                del identity["parameters"][field]
        return identity

    def rank(self, search: Search) -> Ranking:
        """Build the graph, search it, score what it found exactly.

        Raises InputError where the graph has too few links to reach ``depth`` documents.
        """
        from voyager import Index, RecallError, Space, StorageDataType

        queries, documents = search.vectors()
        refuse_overflow(queries, documents)
        depth = min(self.depth, len(documents))
        ranked = np.full((len(queries), self.depth), -1, np.int32)
        scores = np.full((len(queries), self.depth), np.nan, np.float32)
        if depth and len(queries):
            index = Index(
                Space.InnerProduct,
                documents.shape[1],
                M=self.m,
                ef_construction=self.ef_construction,
                random_seed=1,
                storage_data_type=StorageDataType.E4M3 if self.storage == "e4m3" else StorageDataType.Float32,
            )
            of_queries, of_documents = (self._scale(vectors) for vectors in (queries, documents))
            for first in range(0, len(documents), _AT_ONCE):
                some = _plain(documents[first : first + _AT_ONCE])
                index.add_items(some * of_documents, num_threads=self.build_threads)
                release(documents, first, first + _AT_ONCE)
            try:
                rows, _ = index.query(
                    _plain(queries) * of_queries, k=depth, num_threads=-1, query_ef=max(self.query_ef, depth)
                )
            except RecallError as error:
                raise InputError(
                    f"{self.spelling} reached fewer than {depth} of {len(documents)} documents; "
                    "raise m or query_ef, lower depth, or search exactly with dense"
                ) from error
            rows = np.sort(rows.astype(np.int32), axis=1)
            values = pair_scores(queries, documents, rows)
            order = np.argsort(-values, axis=1, kind="stable")
            ranked[:, :depth] = np.take_along_axis(rows, order, axis=1)
            scores[:, :depth] = np.take_along_axis(values, order, axis=1)
        positive_scores = pair_scores(queries, documents, search.positives)
        recall = _recall(queries[:_RECALL_QUERIES], documents, scores, depth)
        return Ranking(ranked, scores, positive_scores, recall, _THREADED if self.build_threads > 1 else "")

    def _scale(self, vectors: Vectors) -> float:
        """Return the power of two that brings the longest vector just below the largest number of E4M3, else 1.

        The order of dot products stays, and numbers lose less than they would near zero.
        """
        if self.storage == "float32":
            return 1.0
        blocks = (vectors[first : first + _AT_ONCE] for first in range(0, len(vectors), _AT_ONCE))
        longest = max(float(np.linalg.norm(block.astype(np.float32), axis=1).max()) for block in blocks)
        release(vectors)
        return float(2.0 ** math.floor(math.log2(_LARGEST / longest))) if longest else 1.0


def _plain(vectors: Vectors) -> Float32:
    """Return vectors as Voyager takes them: float32, in memory; it misreads arrays that are strided or transposed."""
    return np.array(vectors, np.float32, order="C")


def _recall(queries: Vectors, documents: Vectors, scores: Float32, k: int) -> float:
    """Return the mean share of the ``k`` best of each query among what was found; a document that ties is as good."""
    if not k or not len(queries):
        return 1.0
    truth, _ = exact(queries, documents, k)
    least = pair_scores(queries, documents, truth).min(axis=1, keepdims=True)
    return float((scores[: len(queries), :k] >= least).mean())
