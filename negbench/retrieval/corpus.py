"""Candidates drawn from the whole corpus, each document as likely as any other."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from negbench.retrieval import Ranking, Retriever, Search
from negbench.types import Float32, Int32


class Corpus(Retriever):
    """Uniform candidates: ``depth`` distinct documents a query, in random order, all with score 0.

    The baseline without any search. Documents are drawn by counter: draw j of a query is a hash of
    (seed, query id, j), repeats are passed over, so the cost does not grow with the corpus.
    """

    name: ClassVar[str] = "corpus"
    seeded: ClassVar[bool] = True

    def rank(self, search: Search) -> Ranking:
        size = len(search.documents)
        depth = min(self.depth, size)
        documents: Int32 = np.full((len(search.query_keys), self.depth), -1, np.int32)
        for row, query in enumerate(search.query_keys):
            documents[row, :depth] = _distinct(search, query, depth, size)
        scores: Float32 = np.where(documents >= 0, 0.0, np.nan).astype(np.float32)
        return Ranking(documents, scores, np.full(search.positives.shape, np.nan, np.float32))


def _distinct(search: Search, query: np.uint64, count: int, size: int) -> Int32:
    """Return ``count`` distinct rows below ``size``, the same for the same query id and seed."""
    if 2 * count > size:  # most of the corpus: shuffling all of it is cheaper than passing over repeats
        return search.rng.order(search.document_keys ^ query)[:count].astype(np.int32)
    chosen = np.zeros(0, np.int64)
    tried = 0
    while len(chosen) < count:
        counters = np.arange(tried, tried + 2 * count, dtype=np.uint64)
        tried += 2 * count
        drawn = (search.rng.bits(query, counters) % np.uint64(size)).astype(np.int64)
        chosen = np.concatenate([chosen, drawn])
        _, first = np.unique(chosen, return_index=True)
        chosen = chosen[np.sort(first)]
    return chosen[:count].astype(np.int32)
