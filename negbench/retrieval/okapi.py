"""BM25Okapi of rank-bm25, as many tutorials use it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.letters import fold
from negbench.retrieval import Ranking, Retriever, Search
from negbench.retrieval.analysis import parts
from negbench.retrieval.topk import top_k
from negbench.types import Float32, Int32


class Okapi(Retriever):
    """rank-bm25's BM25Okapi over texts split at white space: no stemming, no stop words, case kept unless ``lower``.

    Letter forms, and scripts without spaces, are read as by ``bm25``.

    Its idf is its own: negative values become a share of the mean idf. Slower than ``bm25`` by orders of magnitude;
    here to show what the choice of tokens does.
    """

    name: ClassVar[str] = "okapi"
    version: ClassVar[int] = 2

    k1: float = Field(default=1.5, ge=0, description="Term saturation: the higher, the more a repeated term counts.")
    b: float = Field(default=0.75, ge=0, le=1, description="Length normalisation, from 0 (none) to 1 (full).")
    lower: bool = Field(default=True, description="Whether texts are put in lower case first.")

    def rank(self, search: Search) -> Ranking:
        from rank_bm25 import BM25Okapi

        count = len(search.queries)
        ranked: Int32 = np.full((count, self.depth), -1, np.int32)
        scores: Float32 = np.full((count, self.depth), np.nan, np.float32)
        positives: Float32 = np.full(search.positives.shape, np.nan, np.float32)
        texts = [self._words(text) for text in search.documents]
        if any(texts):  # rank-bm25 divides by the mean length
            index = BM25Okapi(texts, k1=self.k1, b=self.b)
            for row, query in enumerate(search.queries):
                values = index.get_scores(self._words(query)).astype(np.float32)
                kept = min(self.depth, len(values))
                ranked[row : row + 1, :kept], scores[row : row + 1, :kept] = top_k(values[None, :], kept)
                labelled = search.positives[row] >= 0
                positives[row, labelled] = values[search.positives[row, labelled]]
        return Ranking(ranked, scores, positives)

    def _words(self, text: str) -> list[str]:
        return [term for word in fold(text, case=self.lower).split() for term in parts(word)]
