"""Where false negatives lie: by rank, by the gap to the positive's score, and by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from negbench.evaluation.false_negatives import Handed
from negbench.evaluation.false_negatives.design import BINS
from negbench.evaluation.hardness import moments
from negbench.evaluation.shares import Share, by_query
from negbench.types import CandidatePool, Float64, Int32, Int64, Negatives

FILLED: Final = -1
BY_CHANCE: Final = -2
"""The rank of a negative that was filled in, and of one whose retriever draws a lottery and has no ranking."""

RANKS: Final = (*(f"{a + 1}-{b}" for a, b in pairwise(BINS)), f"{BINS[-1] + 1}-", "filled", "random")
"""Bins of ranks by name, the first rank being 1; they begin where those of an audit do."""

GAPS: Final = (-2.0, -1.0, 0.0, 1.0, 2.0, 4.0)
GAP_NAMES: Final = ("below -2", "-2 to -1", "-1 to 0", "0 to 1", "1 to 2", "2 to 4", "4 and more", "unknown")
"""Where bins of the gap begin, in standard deviations, and all bins by name. Below 0 the negative scores higher."""


def places(negatives: Negatives, pool: CandidatePool, by_chance: bool) -> tuple[Int32, Float64]:
    """Return the zero-based raw rank int32 [Q, k] of each negative, and its gap to the positive [Q, k].

    The gap is s+ - s-, in standard deviations of the scores of the query's candidates, s+ being the lowest score of a
    labelled positive, as in ``false_negatives.Pairs``. It is NaN where one of the scores is not known, or where all
    candidates score the same. ``by_chance``: the retriever's ranks and scores are those of a lottery.
    """
    if by_chance:
        ranks = np.where(negatives.origins == 0, np.int32(BY_CHANCE), negatives.ranks)
        return ranks.astype(np.int32), np.full(negatives.documents.shape, np.nan)
    _, spread = moments(pool)
    gaps = pool.positive_score("lowest")[:, None] - negatives.scores
    return negatives.ranks, gaps / np.where(spread > 0, spread, np.nan)[:, None]


def where(
    handed: Handed, ranks: Int32, gaps: Float64, epochs: Int64, rounds: Int64 | None = None
) -> dict[str, dict[str, Share]]:
    """Return the share of relevant ones among the negatives in each bin of ``rank``, ``gap`` and ``epoch``.

    ``ranks`` and ``gaps`` [R, k] are as in ``places``, by training row; ``epochs`` [R] count from 0. ``rounds`` [R],
    how often the candidates had been searched again, adds bins of ``round``. Negatives weigh as training weighs them.
    ``beside`` is the share of all negatives that lie in the bin; a bin without any is left out. Empty without truth, or
    without a negative.
    """
    if handed.truth is None or not ((handed.documents >= 0) & (handed.weights > 0)).any():
        return {}
    ranked = np.searchsorted(BINS, ranks, side="right") - 1
    ranked = np.where(ranks < 0, len(BINS) - 1 - ranks, ranked)
    near = np.where(np.isnan(gaps), len(GAPS) + 1, np.searchsorted(GAPS, gaps, side="right"))
    shape = handed.documents.shape
    stage = np.broadcast_to(epochs[:, None], shape)
    found = {
        "rank": _by_bin(handed, ranked, RANKS),
        "gap": _by_bin(handed, near, GAP_NAMES),
        "epoch": _by_bin(handed, stage, [str(epoch + 1) for epoch in range(int(epochs.max()) + 1)]),
    }
    if rounds is not None:
        names = [str(number) for number in range(int(rounds.max()) + 1)]
        found["round"] = _by_bin(handed, np.broadcast_to(rounds[:, None], shape), names)
    return found


def _by_bin(handed: Handed, bins: Int64, names: Sequence[str]) -> dict[str, Share]:
    assert handed.truth is not None
    weights = np.where(handed.documents >= 0, handed.weights, 0.0)
    relevant = handed.truth.at_least(1).contains(handed.queries[:, None], handed.documents)
    distinct, cluster = np.unique(handed.queries, return_inverse=True)
    clusters = np.broadcast_to(cluster[:, None], weights.shape)
    pairs = (handed.queries[:, None].astype(np.int64) << 32) + handed.documents
    found = {}
    for at, name in enumerate(names):
        here = (bins == at) & (weights > 0)
        if here.any():
            mine, units = weights[here], len(np.unique(pairs[here]))
            clustered = by_query(clusters[here], len(distinct), mine * relevant[here], mine, units)
            found[name] = Share(clustered, float(mine.sum() / weights.sum()))
    return found
