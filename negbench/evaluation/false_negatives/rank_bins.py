"""Bins of a ranking, and how many labelled positives lie in each."""

from __future__ import annotations

from typing import Final

import numpy as np

from negbench.evaluation.false_negatives import Labelled
from negbench.evaluation.false_negatives.design import BINS
from negbench.types import CandidatePool, Int32

BIN_COUNT: Final = len(BINS) + 1
"""The bins of the pool, and one for what lies below it."""


def rank_bin(ranks: Int32) -> Int32:
    """Return the bin [N] of each zero-based rank [N]; rank -1, below the pool, is in the last."""
    bins = np.searchsorted(BINS, ranks, side="right") - 1
    return np.where(ranks < 0, BIN_COUNT - 1, bins).astype(np.int32)


def count_labelled(pool: CandidatePool, corpus_size: int) -> Labelled:
    """Count labelled positives and unlabelled documents by query and bin; what is no candidate lies below the pool."""
    bins = rank_bin(np.arange(pool.depth, dtype=np.int32))
    filled = pool.documents >= 0
    counts = np.zeros((2, len(pool.queries), BIN_COUNT))
    for kind, marked in enumerate((pool.known & filled, ~pool.known & filled)):
        for which in range(BIN_COUNT - 1):
            counts[kind, :, which] = marked[:, bins == which].sum(axis=1)
    labelled = (pool.positives >= 0).sum(axis=1)
    counts[0, :, -1] = np.maximum(labelled - counts[0].sum(axis=1), 0)
    counts[1, :, -1] = corpus_size - filled.sum(axis=1) - counts[0, :, -1]
    return Labelled(counts[0], counts[1])
