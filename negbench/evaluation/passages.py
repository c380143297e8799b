"""Rankings of documents from rankings of their passages: a document scores as its best passage (MaxP).

MaxP is of Dai and Callan 2019, arXiv 1905.09217.
"""

from __future__ import annotations

import numpy as np

from negbench.types import Float32, Int32


def by_parent(documents: Int32, scores: Float32, parents: Int32) -> tuple[Int32, Float32]:
    """Return a ranking of parents [Q, K], each at its best passage, from a ranking of passages [Q, K].

    ``parents`` [N] is the parent of each passage. ``scores`` need not descend; -1 and NaN fill what is left.
    """
    order = np.argsort(-scores, axis=1, kind="stable")  # NaN comes last
    ranked, values = (np.take_along_axis(table, order, axis=1) for table in (documents, scores))
    of = np.where(ranked >= 0, parents[ranked], np.int32(-1)).astype(np.int32)
    by_document = np.argsort(of, axis=1, kind="stable")
    sorted_ = np.take_along_axis(of, by_document, axis=1)
    again = np.zeros(of.shape, np.bool_)
    again[:, 1:] = sorted_[:, 1:] == sorted_[:, :-1]
    repeated = np.zeros(of.shape, np.bool_)
    np.put_along_axis(repeated, by_document, again, axis=1)
    return np.where(repeated, np.int32(-1), of), np.where(repeated, np.float32(np.nan), values)


def depth(ranks: int, parents: Int32 | None) -> int:
    """Return how many passages to search for, so that at least ``ranks`` documents are among them.

    ``parents`` [N] is the parent of each passage, None where documents are searched whole.
    """
    if parents is None:
        return ranks
    return min(len(parents), ranks * int(np.bincount(parents).max(initial=1)))
