"""Exact dense retrieval: every document is scored."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from negbench.retrieval import Ranking, Retriever, Search
from negbench.retrieval.topk import top_k
from negbench.types import Float32, Int32

_BLOCK_BYTES = 256 * 2**20
"""How large a block of scores may be."""


class Dense(Retriever):
    """Exact search by dot product over the starting encoder's vectors, chunked over queries."""

    name: ClassVar[str] = "dense"
    needs_vectors: ClassVar[bool] = True

    def rank(self, search: Search) -> Ranking:
        """Rank by dot product of float32 vectors."""
        queries, documents = search.vectors()
        found, scores = exact(queries, documents, self.depth)
        return Ranking(found, scores, pair_scores(queries, documents, search.positives))


def exact(queries: Float32, documents: Float32, k: int) -> tuple[Int32, Float32]:
    """Return document rows [Q, k] and dot products [Q, k], best first, ties in ascending row."""
    block = max(1, _BLOCK_BYTES // (4 * max(1, len(documents))))
    parts = [top_k(_product(queries[at : at + block], documents), k) for at in range(0, len(queries), block)]
    if not parts:
        return np.full((0, k), -1, np.int32), np.full((0, k), np.nan, np.float32)
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([values for _, values in parts])


def _product(queries: Float32, documents: Float32) -> Float32:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    product = torch.from_numpy(queries).to(device) @ torch.from_numpy(documents).to(device).T
    return product.cpu().numpy()


def pair_scores(queries: Float32, documents: Float32, rows: Int32) -> Float32:
    """Return the dot product of each query with its own ``rows`` [Q, P] of documents; NaN where the row is -1."""
    scores = np.full(rows.shape, np.nan, np.float32)
    for query, (vector, mine) in enumerate(zip(queries, rows, strict=True)):
        real = mine >= 0
        scores[query, real] = documents[mine[real]] @ vector
    return scores
