"""From a candidate pool to the negatives that training is handed: filters, sampler, fill."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negbench.filters import Filter
from negbench.noise import Noise
from negbench.samplers import Sampler
from negbench.types import CandidatePool, Float32, Int32, Negatives


def mine(
    pool: CandidatePool, filters: Sequence[Filter], sampler: Sampler, k: int, seed: int, own: Int32, corpus_size: int
) -> Negatives:
    """Filter, draw ``k`` a query, and fill what is short with uniform draws from the corpus.

    The fill is the same for every method: no known positive, not the query's ``own`` document row ([Q], below 0 for
    none), nothing twice. A slot stays -1 only where the corpus itself has nothing left.
    """
    for rule in filters:
        pool = pool.without(rule.throws_out(pool))
    draw = sampler.draw(pool, k, Noise(seed, sampler.spelling))
    positions = draw.positions
    drawn = positions >= 0
    at = np.nonzero(drawn)[0], positions[drawn]
    documents: Int32 = np.full(positions.shape, -1, np.int32)
    documents[drawn] = pool.documents[at]
    scores: Float32 = np.full(positions.shape, np.nan, np.float32)
    scores[drawn] = pool.scores[at]
    origins = np.zeros_like(documents)
    source = Noise(seed, "fill")
    for query in np.flatnonzero(~drawn.all(axis=1)):
        taken = {*documents[query].tolist(), *pool.positives[query].tolist(), int(own[query])}
        slots = np.flatnonzero(~drawn[query])
        found = _uniform(source, pool.query_keys[query], corpus_size, len(slots), taken)
        documents[query, slots[: len(found)]] = found
        origins[query, slots] = 1
    return Negatives(pool.queries, documents, origins, positions, scores, draw.effective_size)


def _uniform(source: Noise, query: np.uint64, size: int, count: int, taken: set[int]) -> list[int]:
    """Return up to ``count`` distinct rows below ``size`` that are not ``taken``."""
    left = size - sum(0 <= row < size for row in taken)
    if left <= 8 * count:  # little is left: hash every row rather than wait for luck
        order = np.argsort(source.bits(query, np.arange(size)), kind="stable").tolist()
        return [row for row in order if row not in taken][:count]
    found: list[int] = []
    tried, block = 0, 2 * count
    while len(found) < count:
        counters = np.arange(tried, tried + block, dtype=np.uint64)
        tried += block
        for row in (source.bits(query, counters) % np.uint64(size)).tolist():
            if row not in taken:
                taken.add(row)
                found.append(row)
    return found[:count]
