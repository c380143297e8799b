"""Made-up mined negatives with known relevance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from negbench.evaluation.false_negatives import HeldOut, Labelled, Pairs, design
from negbench.evaluation.false_negatives.rank_bins import BIN_COUNT, rank_bin
from negbench.types import Float64


def population(queries: int = 100, each: int = 4, rate: float = 0.2, seed: int = 0) -> tuple[Pairs, Float64]:
    """Return pairs with a judge that is worth something, and their relevance; queries differ in their rate."""
    draw = np.random.default_rng(seed)
    query = np.repeat(np.arange(queries), each).astype(np.int32)
    ranks = draw.integers(0, 100, queries * each).astype(np.int32)
    chance = np.clip(rate * draw.gamma(2, 0.5, queries)[query] * np.exp(-(ranks - 50) / 60), 0, 1)
    relevant = (draw.random(len(query)) < chance).astype(np.float64)
    scores = -ranks / 100 + 0.1 * draw.normal(size=len(query))
    judge = relevant + draw.normal(size=len(query))
    documents = np.arange(len(query), dtype=np.int32)
    return Pairs(
        queries=query,
        documents=documents,
        weights=np.ones(len(query)),
        ranks=ranks,
        scores=scores,
        positive_scores=np.full(len(query), 0.5),
        judge=judge,
    ), relevant


def audited(pairs: Pairs, relevant: Float64, labels: int, seed: int = 0) -> Pairs:
    """Return the pairs after an audit."""
    strata = design.strata(np.zeros(len(pairs.queries), np.int32), pairs.ranks)
    size = pairs.weights * design.spread(strata, np.full(len(strata), 0.2))
    keys = (pairs.queries.astype(np.uint64) << np.uint64(32)) + pairs.documents.astype(np.uint64)
    probability = design.draw(design.probabilities(size, labels), strata, keys, seed)
    return replace(pairs, strata=strata, probability=probability, labels=np.where(probability > 0, relevant, np.nan))


def labelled(queries: int = 100, seed: int = 0) -> Labelled:
    """Return labelled positives of pools of 100 documents, likelier at the head."""
    draw = np.random.default_rng(seed)
    positive = draw.random((queries, 100)) < 0.3 * np.exp(-np.arange(100) / 20)
    bins = rank_bin(np.arange(100, dtype=np.int32))
    counts = np.zeros((2, queries, BIN_COUNT))
    for kind, marked in enumerate((positive, ~positive)):
        for rank in range(100):
            counts[kind, :, bins[rank]] += marked[:, rank]
    counts[1, :, -1] = 1000
    return Labelled(counts[0], counts[1])


def held_out(queries: int = 100, seed: int = 0) -> HeldOut:
    """Return a held-out pass."""
    hits = np.random.default_rng(seed).binomial(4, 0.1, queries).astype(np.float64)
    return HeldOut(hits, np.full(queries, 4.0), 0.5)
