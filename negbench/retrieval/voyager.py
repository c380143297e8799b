"""Approximate dense retrieval by Voyager's HNSW graph."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.errors import InputError
from negbench.retrieval import Ranking, Search
from negbench.retrieval.blocks import pair_scores, refuse_overflow
from negbench.retrieval.dense import exact
from negbench.retrieval.vector_retriever import VectorRetriever
from negbench.types import Float32

_RECALL_QUERIES = 500


class Voyager(VectorRetriever):
    """HNSW search by dot product (Spotify's Voyager) over the vectors of the starting encoder, or of another model.

    The graph is built by one thread, since threaded builds differ from run to run; all threads search it. Scores
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

    def rank(self, search: Search) -> Ranking:
        """Build the graph, search it, score what it found exactly.

        Raises InputError where the graph has too few links to reach ``depth`` documents.
        """
        from voyager import Index, RecallError, Space

        # Voyager takes float32 and misreads arrays that are strided or transposed.
        queries, documents = (np.ascontiguousarray(vectors, np.float32) for vectors in search.vectors())
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
            )
            index.add_items(documents, num_threads=1)
            try:
                rows, _ = index.query(queries, k=depth, num_threads=-1, query_ef=max(self.query_ef, depth))
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
        return Ranking(ranked, scores, positive_scores, _recall(queries[:_RECALL_QUERIES], documents, scores, depth))


def _recall(queries: Float32, documents: Float32, scores: Float32, k: int) -> float:
    """Return the mean share of the ``k`` best of each query among what was found; a document that ties is as good."""
    if not k or not len(queries):
        return 1.0
    truth, _ = exact(queries, documents, k)
    least = pair_scores(queries, documents, truth).min(axis=1, keepdims=True)
    return float((scores[: len(queries), :k] >= least).mean())
