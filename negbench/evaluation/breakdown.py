"""False negatives by rank, by gap to the positive's score, and by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from negbench.evaluation.false_negatives import TrainingNegatives
from negbench.evaluation.false_negatives.design import BINS
from negbench.evaluation.hardness import moments
from negbench.evaluation.shares import Share, by_query
from negbench.types import CandidatePool, Float64, Int32, Int64, Negatives

FILLED: Final = -1
BY_CHANCE: Final = -2
"""Rank of random fill, and of negatives whose retriever ranks at random."""

RANKS: Final = (*(f"{a + 1}-{b}" for a, b in pairwise(BINS)), f"{BINS[-1] + 1}-", "filled", "random")
"""Names of the rank bins, from rank 1; the bins are those of an audit."""

GAPS: Final = (-2.0, -1.0, 0.0, 1.0, 2.0, 4.0)
GAP_NAMES: Final = ("below -2", "-2 to -1", "-1 to 0", "0 to 1", "1 to 2", "2 to 4", "4 and more", "unknown")
"""Where bins of the gap begin, in standard deviations, and all bins by name. Below 0 the negative scores higher."""


def places(negatives: Negatives, pool: CandidatePool, by_chance: bool) -> tuple[Int32, Float64]:
    """Return the zero-based raw rank int32 [Q, k] of each negative, and its gap to the positive [Q, k].

    The gap is s+ - s-, in standard deviations of the scores of the query's candidates, s+ being the lowest score of a
    labelled positive, as in ``false_negatives.Pairs``. It is NaN where one of the scores is not known, or where all
    candidates score the same. ``by_chance``: the retriever ranks at random.
    """
    if by_chance:
        ranks = np.where(negatives.origins == 0, np.int32(BY_CHANCE), negatives.ranks)
        return ranks.astype(np.int32), np.full(negatives.documents.shape, np.nan)
    _, spread = moments(pool)
    gaps = pool.positive_score("lowest")[:, None] - negatives.scores
    return negatives.ranks, gaps / np.where(spread > 0, spread, np.nan)[:, None]


def breakdown(
    negatives: TrainingNegatives,
    ranks: Int32,
    gaps: Float64,
    epochs: Int64,
    rounds: Int64 | None = None,
    sources: tuple[Int32, Sequence[str]] | None = None,
) -> dict[str, dict[str, Share]]:
    """Return the share of relevant ones among the negatives in each bin of ``rank``, ``gap`` and ``epoch``.

    ``ranks`` and ``gaps`` [R, k] are as in ``places``, by training row; ``epochs`` [R] count from 0. ``rounds`` [R],
    how often the candidates had been searched again, adds bins of ``round``; ``sources``, the number of each one's
    source [R, k] and the names of all sources, adds bins of ``source``. Negatives weigh as training weighs them.
    ``reference`` is the share of all negatives that lie in the bin; a bin without any is left out. Empty without truth,
    or without a negative.
    """
    if negatives.truth is None or not ((negatives.documents >= 0) & (negatives.weights > 0)).any():
        return {}
    ranked = np.searchsorted(BINS, ranks, side="right") - 1
    ranked = np.where(ranks < 0, len(BINS) - 1 - ranks, ranked)
    near = np.where(np.isnan(gaps), len(GAPS) + 1, np.searchsorted(GAPS, gaps, side="right"))
    shape = negatives.documents.shape
    stage = np.broadcast_to(epochs[:, None], shape)
    groups = {
        "rank": _by_bin(negatives, ranked, RANKS),
        "gap": _by_bin(negatives, near, GAP_NAMES),
        "epoch": _by_bin(negatives, stage, [str(epoch + 1) for epoch in range(int(epochs.max()) + 1)]),
    }
    if rounds is not None:
        names = [str(number) for number in range(int(rounds.max()) + 1)]
        groups["round"] = _by_bin(negatives, np.broadcast_to(rounds[:, None], shape), names)
    if sources is not None:
        groups["source"] = _by_bin(negatives, *sources)
    return groups


def _by_bin(negatives: TrainingNegatives, bins: Int64 | Int32, names: Sequence[str]) -> dict[str, Share]:
    assert negatives.truth is not None
    weights = np.where(negatives.documents >= 0, negatives.weights, 0.0)
    relevant = negatives.truth.at_least(1).contains(negatives.queries[:, None], negatives.documents)
    distinct, cluster = np.unique(negatives.queries, return_inverse=True)
    clusters = np.broadcast_to(cluster[:, None], weights.shape)
    pairs = (negatives.queries[:, None].astype(np.int64) << 32) + negatives.documents
    shares = {}
    for index, name in enumerate(names):
        here = (bins == index) & (weights > 0)
        if here.any():
            of_bin, units = weights[here], len(np.unique(pairs[here]))
            clustered = by_query(clusters[here], len(distinct), of_bin * relevant[here], of_bin, units)
            shares[name] = Share(clustered, float(of_bin.sum() / weights.sum()))
    return shares
