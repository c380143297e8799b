"""Lexical and dense rankings fused."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.retrieval import Ranking, Retriever, Search
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.dense import Dense
from negbench.types import Float32, Int32


class Hybrid(Retriever):
    """Reciprocal rank fusion of BM25 and exact dense search.

    Cormack et al. 2009: the score of a document is the sum over rankings of 1 / (k + rank), ranks from 1. Each ranking
    is read ``depth`` deep; what it does not hold adds nothing. A positive found by neither has no score.

    k: the paper's 60. lexical: the BM25 that takes part.
    """

    name: ClassVar[str] = "hybrid"
    needs_vectors: ClassVar[bool] = True

    k: int = Field(default=60, ge=0)
    lexical: BM25 = Field(default_factory=BM25)

    def rank(self, search: Search) -> Ranking:
        """Rank by both and fuse, ties in ascending row."""
        blind = replace(search, positives=np.full((len(search.queries), 0), -1, np.int32))
        lists = [
            part.model_copy(update={"depth": self.depth}).rank(blind).documents for part in (self.lexical, Dense())
        ]
        found: Int32 = np.full((len(search.queries), self.depth), -1, np.int32)
        scores: Float32 = np.full(found.shape, np.nan, np.float32)
        positives: Float32 = np.full(search.positives.shape, np.nan, np.float32)
        for row in range(len(found)):
            fused: dict[int, float] = {}
            for ranking in lists:
                for place, document in enumerate(ranking[row].tolist(), start=1):
                    if document >= 0:
                        fused[document] = fused.get(document, 0.0) + 1 / (self.k + place)
            order = sorted(fused, key=lambda document: (-fused[document], document))[: self.depth]
            found[row, : len(order)] = order
            scores[row, : len(order)] = [fused[document] for document in order]
            mine = search.positives[row].tolist()
            positives[row] = [fused.get(document, np.nan) for document in mine]
        return Ranking(found, scores, positives)
