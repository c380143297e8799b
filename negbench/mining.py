"""From a candidate pool to the negatives that training is handed: label rules, filters, sampler, fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from negbench.filters import Filter
from negbench.labels import LabelRule, Labels
from negbench.noise import Noise
from negbench.retrieval.pool import pad
from negbench.samplers import Sampler
from negbench.types import Bool, CandidatePool, Float32, Int32, Negatives

Fill = Literal["corpus", "unchecked"]
"""Where a shortfall is made up: uniformly from the whole corpus, or from the ranks below all that filters looked at."""


@dataclass(frozen=True)
class Rules:
    """What chooses negatives from a pool: label rules and filters in order, the sampler, and how shortfalls fill."""

    sampler: Sampler
    filters: Sequence[Filter] = ()
    labels: Sequence[LabelRule] = ()
    fill: Fill = "corpus"


def mine(
    pool: CandidatePool, rules: Rules, k: int, seed: int, own: Int32, corpus_size: int, round: int = 0
) -> Negatives:
    """Change labels, filter, draw ``k`` a query, and fill what is short; each ``round`` has chances of its own.

    Fills are no known or promoted positive, not the query's ``own`` document row ([Q], below 0 for none), nothing
    twice; from the corpus they are the same for every method. A slot stays -1 where nothing is left, or where the
    sampler leaves it to the batch.
    """
    whole, labels = judged(pool, rules)
    pool = filtered(whole, rules)
    draw = rules.sampler.draw(pool, k, Noise(seed, rules.sampler.spelling, round))
    positions = draw.positions
    drawn = positions >= 0
    at = np.nonzero(drawn)[0], positions[drawn]
    documents: Int32 = np.full(positions.shape, -1, np.int32)
    documents[drawn] = pool.documents[at]
    scores: Float32 = np.full(positions.shape, np.nan, np.float32)
    scores[drawn] = pool.scores[at]
    origins = np.zeros_like(documents)
    promoted = [whole.documents[row, marked] for row, marked in enumerate(labels.promoted)]
    short = positions == -1
    unchecked = _below(rules.filters, whole) if rules.fill == "unchecked" else np.zeros(whole.documents.shape, np.bool_)
    source, below = Noise(seed, "fill", round), Noise(seed, "unchecked fill", round)
    for query in np.flatnonzero(short.any(axis=1)):
        taken = {*documents[query].tolist(), *pool.positives[query].tolist(), *promoted[query].tolist()}
        taken.add(int(own[query]))
        slots = np.flatnonzero(short[query])
        left = np.flatnonzero(unchecked[query])
        order = below.order(pool.document_keys[query, left] ^ pool.query_keys[query])
        found = [row for row in pool.documents[query, left[order]].tolist() if row not in taken][: len(slots)]
        taken |= set(found)
        found += uniform(source, pool.query_keys[query], corpus_size, len(slots) - len(found), taken)
        documents[query, slots[: len(found)]] = found
        origins[query, slots] = 1
    ranks = np.maximum(positions, -1)
    return Negatives(
        pool.queries,
        documents,
        origins,
        ranks,
        scores,
        draw.effective_size,
        pool.positives,
        labels.trust,
        pad(promoted),
    )


def judged(pool: CandidatePool, rules: Rules) -> tuple[CandidatePool, Labels]:
    """Return the pool with all known that the label rules promote, and the labels."""
    labels = Labels.given(pool)
    for rule in rules.labels:
        labels = rule.judge(pool, labels)
    return replace(pool, known=pool.known | labels.promoted), labels


def filtered(pool: CandidatePool, rules: Rules) -> CandidatePool:
    """Return the pool without what the filters, in order, throw out."""
    for rule in rules.filters:
        pool = pool.without(rule.throws_out(pool))
    return pool


def _below(filters: Sequence[Filter], pool: CandidatePool) -> Bool:
    """Return [Q, K]: unlabelled candidates below every rank that a filter looks at."""
    allowed = pool.available()
    allowed[:, : max((rule.needed_depth for rule in filters), default=0)] = False
    return allowed


def uniform(source: Noise, query: np.uint64, size: int, count: int, taken: set[int]) -> list[int]:
    """Return up to ``count`` distinct rows below ``size`` that are not ``taken``, drawn by the ``query``'s key."""
    taken = set(taken)
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
