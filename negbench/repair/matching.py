"""One document in the place of another that the retriever scores alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from negbench.types import CandidatePool, Float32, Int64, Negatives

Change = tuple[int, int, int, int]
"""The query's position, the slot, the document row that goes there, and its column in the pool, -1 for none."""


def nearest(scores: Float32, ranks: Int64, score: float, rank: int) -> int:
    """Return the position of the candidate nearest in score; ties by nearest rank, and then the better rank.

    ``scores`` [n] are the retriever's, ``ranks`` [n] zero-based. What has no score (NaN) is nearest to what has none
    either, and farther than anything from what has one; its rank is to be the number of ranks. Of candidates that
    are alike in all of this the first is returned.
    """
    missing = np.isnan(scores)
    gaps = np.abs(scores.astype(np.float64) - score)
    gaps[missing != np.isnan(score)] = np.inf
    gaps[missing & np.isnan(score)] = 0.0
    return int(np.lexsort((ranks, np.abs(ranks - rank), gaps))[0])


def exchanged(drawn: Negatives, pool: CandidatePool, changes: Sequence[Change]) -> Negatives:
    """Return the negatives after all ``changes``."""
    documents, origins = drawn.documents.copy(), drawn.origins.copy()
    ranks, scores = drawn.ranks.copy(), drawn.scores.copy()
    for query, slot, document, column in changes:
        documents[query, slot], ranks[query, slot] = document, column
        origins[query, slot] = 0 if column >= 0 else 1
        scores[query, slot] = pool.scores[query, column] if column >= 0 else np.nan
    return replace(drawn, documents=documents, origins=origins, ranks=ranks, scores=scores)
