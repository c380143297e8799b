"""Lexical and dense rankings fused."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.retrieval import Ranking, Search
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.dense import Dense
from negbench.retrieval.vector_retriever import VectorRetriever
from negbench.types import Float32, Int32


class Hybrid(VectorRetriever):
    """Reciprocal rank fusion of BM25 and exact dense search.

    Cormack et al. 2009: the score of a document is the sum over rankings of 1 / (k + rank), ranks from 1. Each ranking
    is read ``depth`` deep; what it does not hold adds nothing. A positive found by neither has no score.
    """

    name: ClassVar[str] = "hybrid"

    k: int = Field(default=60, ge=0, description="Constant added to each rank; the paper has 60.")
    lexical: BM25 = Field(default_factory=BM25, description="BM25 retriever whose ranking is fused with the dense one.")

    def rank(self, search: Search) -> Ranking:
        """Rank by both and fuse, ties in ascending row."""
        blind = replace(search, positives=np.full((len(search.queries), 0), -1, np.int32))
        lists = [
            part.model_copy(update={"depth": self.depth}).rank(blind).documents for part in (self.lexical, Dense())
        ]
        ranked: Int32 = np.full((len(search.queries), self.depth), -1, np.int32)
        scores: Float32 = np.full(ranked.shape, np.nan, np.float32)
        positives: Float32 = np.full(search.positives.shape, np.nan, np.float32)
        for row in range(len(ranked)):
            fused: dict[int, float] = {}
            for ranking in lists:
                for place, document in enumerate(ranking[row].tolist(), start=1):
                    if document >= 0:
                        fused[document] = fused.get(document, 0.0) + 1 / (self.k + place)
            order = sorted(fused, key=lambda document: (-fused[document], document))[: self.depth]
            ranked[row, : len(order)] = order
            scores[row, : len(order)] = [fused[document] for document in order]
            of_query = search.positives[row].tolist()
            positives[row] = [fused.get(document, np.nan) for document in of_query]
        return Ranking(ranked, scores, positives)
