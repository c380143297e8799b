"""Jaccard overlap of two samplers' negatives."""

from __future__ import annotations

import numpy as np

from negbench.types import Int32, Int64, Negatives


def drawn_pairs(negatives: Negatives) -> Int64:
    """Return the distinct pairs of query and document that were drawn from candidates, as ascending int64 codes.

    Random fill is left out, since methods share it, and so are synthetic negatives.
    """
    return pairs(negatives.queries, np.where(negatives.origins == 0, negatives.documents, np.int32(-1)))


def pairs(queries: Int32, documents: Int32) -> Int64:
    """Return the distinct pairs of ``queries`` [Q] with their ``documents`` [Q, K], as ascending int64 codes.

    Rows below 0 are padding.
    """
    codes = (queries[:, None].astype(np.int64) << 32) + documents
    return np.unique(codes[documents >= 0])


def overlap(mine: Int64, others: Int64) -> tuple[float, float]:
    """Return the share of ``mine`` that is in ``others``, and the Jaccard overlap of the two sets of pairs.

    Each is without duplicates. NaN where there is nothing to divide by.
    """
    common = len(np.intersect1d(mine, others, assume_unique=True))
    either = len(mine) + len(others) - common
    return common / len(mine) if len(mine) else float("nan"), common / either if either else float("nan")
