"""How far two samplers draw the same negatives."""

from __future__ import annotations

import numpy as np

from negbench.types import Int32, Int64, Negatives


def drawn_pairs(negatives: Negatives) -> Int64:
    """Return the distinct pairs of query and document that were drawn from candidates, as ascending int64 codes.

    Fills do not count, since the same are handed to all methods that lack some, nor what was written.
    """
    return pairs(negatives.queries, np.where(negatives.origins == 0, negatives.documents, np.int32(-1)))


def pairs(queries: Int32, documents: Int32) -> Int64:
    """Return the distinct pairs of ``queries`` [Q] with their ``documents`` [Q, K], as ascending int64 codes.

    Rows below 0 are padding.
    """
    codes = (queries[:, None].astype(np.int64) << 32) + documents
    return np.unique(codes[documents >= 0])


def overlap(mine: Int64, others: Int64) -> tuple[float, float]:
    """Return the share of ``mine`` that is among ``others``, and Jaccard's: common pairs by those of either.

    Both are distinct. NaN where there is nothing to divide by.
    """
    common = len(np.intersect1d(mine, others, assume_unique=True))
    either = len(mine) + len(others) - common
    return common / len(mine) if len(mine) else float("nan"), common / either if either else float("nan")
