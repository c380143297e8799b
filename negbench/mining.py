"""Mining: from a candidate pool to training negatives, by label rules, filters, sampler and fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Literal

import numpy as np

from negbench.errors import InputError
from negbench.filters import Filter
from negbench.labels import LabelRule, Labels
from negbench.part_checks import check_labels, check_mask, check_positions, check_sizes
from negbench.retrieval.pool import pad
from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.types import Bool, CandidatePool, Draw, Float32, Int32, Negatives

Fill = Literal["corpus", "below-filters", "drop"]
"""Where a shortfall is made up: uniformly from the whole corpus, or from the ranks below all that filters looked at.

With ``drop`` it is not: a query that is short of negatives has none, and its rows are left out of the training.
"""

AT_A_TIME = 2**22
"""Candidates among which a sampler draws at a time: its weights and noise take some 70 bytes each."""


@dataclass(frozen=True)
class Rules:
    """Rules that choose negatives from a pool: label rules and filters in order, the sampler, and the fill."""

    sampler: Sampler
    filters: Sequence[Filter] = ()
    labels: Sequence[LabelRule] = ()
    fill: Fill = "corpus"


def mine(
    pool: CandidatePool,
    rules: Rules,
    k: int,
    seed: int,
    own: Int32,
    corpus_size: int,
    round: int = 0,
    *,
    epochs: int = 1,
    copies: Mapping[int, Int32] = MappingProxyType({}),
    before: Sequence[Negatives] = (),
) -> Negatives:
    """Change labels, filter, draw ``k`` a query for each of ``epochs``, and fill what is short.

    ``round`` is the number of refreshes so far; every epoch of every round has random numbers of its own. Fills
    are no known or promoted positive, not the query's ``own`` document row ([Q], below 0 for none), nothing twice;
    from the corpus they are the same for every method. A slot stays -1 where nothing is left, or where the sampler
    leaves it to the batch. ``copies`` maps a document's row to all that have its text: where one of them is known or
    promoted, so are the others. ``before`` are the negatives of the same queries from other pools: what they hold in an
    epoch is neither drawn nor filled again, and the draw has random numbers of its own. Raises PartError where a part
    of the rules returns something invalid.
    """
    labelled, labels = apply_label_rules(pool, rules, copies)
    candidates = filtered(labelled, rules)
    promoted = [labelled.documents[row, marked] for row, marked in enumerate(labels.promoted)]

    @cache  # needed for queries that fall short alone, in each epoch
    def known(query: int) -> set[int]:
        return with_copies({*pool.positives[query].tolist(), *promoted[query].tolist(), int(own[query])}, copies)

    below_filters = np.zeros(labelled.documents.shape, np.bool_)
    if rules.fill == "below-filters":
        below_filters = _below(rules.filters, labelled)
    place = f" {len(before) + 1}" if before else ""
    draws = []
    for epoch, number in enumerate(range(round * epochs, (round + 1) * epochs)):
        earlier = [other.of_epoch(epoch).documents for other in before]
        left = candidates.without(among(candidates.documents, earlier)) if earlier else candidates
        drawn = _drawn(rules.sampler, left, k, CounterRNG(seed, rules.sampler.spelling + place, number))
        check_positions(rules.sampler, drawn.positions, left, k, rules.sampler.leaves_slots)
        check_sizes(rules.sampler, drawn.effective_size, len(pool.queries))
        positions = _without_short(drawn.positions) if rules.fill == "drop" else drawn.positions
        # the labels of these numbers are part of what they are
        fills = CounterRNG(seed, "fill", number), CounterRNG(seed, f"unchecked fill{place}", number)

        def taken(query: int, earlier: list[Int32] = earlier) -> set[int]:
            return known(query).union(*[documents[query].tolist() for documents in earlier])

        documents, origins, scores = _filled(left, positions, taken, below_filters, fills, corpus_size)
        draws.append(
            Negatives(
                queries=pool.queries,
                documents=documents,
                origins=origins,
                ranks=np.maximum(positions, -1),
                scores=scores,
                effective_size=drawn.effective_size,
                positives=pool.positives,
                positive_weights=labels.positive_weights,
                promoted=pad(promoted),
            )
        )
    return Negatives.side_by_side(draws)


def _drawn(sampler: Sampler, pool: CandidatePool, k: int, rng: CounterRNG) -> Draw:
    """Return what the sampler draws, some queries at a time: a query draws the same in any company."""
    count = len(pool.queries)
    rows = max(1, AT_A_TIME // max(1, pool.depth))
    if count <= rows:
        return sampler.draw(pool, k, rng)
    draws = [
        sampler.draw(pool.of_queries(np.arange(first, min(first + rows, count))), k, rng)
        for first in range(0, count, rows)
    ]
    positions = np.concatenate([draw.positions for draw in draws])
    return Draw(positions, np.concatenate([draw.effective_size for draw in draws]))


def among(candidates: Int32, documents: Sequence[Int32]) -> Bool:
    """Return [Q, K]: the ``candidates`` [Q, K] that are among the query's ``documents``, tables [Q, k]."""
    found = np.zeros(candidates.shape, np.bool_)
    for column in np.concatenate(documents, axis=1).T:
        found |= (candidates == column[:, None]) & (candidates >= 0)
    return found


def _without_short(positions: Int32) -> Int32:
    """Return the positions [Q, k] with all slots empty, -2, for a query that has fewer than k candidates."""
    short = (positions == -1).any(axis=1, keepdims=True)
    return np.where(short, np.int32(-2), positions)


def none_whole(k: int) -> InputError:
    """Return the error of a method that fills nothing and has no query with ``k`` negatives."""
    return InputError(
        f"fill=drop: no training query has {k} negatives left, so there is no row to train on; loosen the filters, "
        "search deeper, ask for fewer negatives, or give fill=corpus"
    )


def _filled(
    pool: CandidatePool,
    positions: Int32,
    taken_by: Callable[[int], set[int]],
    below_filters: Bool,
    rng: tuple[CounterRNG, CounterRNG],
    corpus_size: int,
) -> tuple[Int32, Int32, Float32]:
    """Return documents, origins and scores [Q, k] of the drawn candidates, with every shortfall filled.

    ``taken_by`` gives the rows that must not be drawn for a query (by position); ``below_filters`` [Q, K] marks the
    candidates that are taken before the corpus is; ``rng`` holds the random numbers of the corpus and of these.
    """
    drawn = positions >= 0
    cells = np.nonzero(drawn)[0], positions[drawn]
    documents: Int32 = np.full(positions.shape, -1, np.int32)
    documents[drawn] = pool.documents[cells]
    scores: Float32 = np.full(positions.shape, np.nan, np.float32)
    scores[drawn] = pool.scores[cells]
    origins = np.zeros_like(documents)
    short = positions == -1
    from_corpus, below = rng
    for query in np.flatnonzero(short.any(axis=1)).tolist():
        taken = {*documents[query].tolist(), *taken_by(query)}
        slots = np.flatnonzero(short[query])
        left = np.flatnonzero(below_filters[query])
        order = below.order(pool.document_keys[query, left] ^ pool.query_keys[query])
        fill_rows = [row for row in pool.documents[query, left[order]].tolist() if row not in taken][: len(slots)]
        taken |= set(fill_rows)
        fill_rows += uniform(from_corpus, pool.query_keys[query], corpus_size, len(slots) - len(fill_rows), taken)
        documents[query, slots[: len(fill_rows)]] = fill_rows
        origins[query, slots] = 1
    return documents, origins, scores


def with_copies(rows: Iterable[int], copies: Mapping[int, Int32]) -> set[int]:
    """Return the document rows and those of all documents with the same texts."""
    distinct = set(rows)
    return distinct.union(*[copies[row].tolist() for row in distinct if row in copies])


def apply_label_rules(
    pool: CandidatePool, rules: Rules, copies: Mapping[int, Int32] = MappingProxyType({})
) -> tuple[CandidatePool, Labels]:
    """Return the pool with promoted documents and their copies marked as known; and the labels."""
    labels = Labels.given(pool)
    for rule in rules.labels:
        labels = rule.apply(pool, labels)
        check_labels(rule, labels.promoted, labels.positive_weights, pool)
    known = pool.known | labels.promoted
    for row in np.flatnonzero(labels.promoted.any(axis=1)) if copies else ():
        promoted = with_copies(pool.documents[row, labels.promoted[row]].tolist(), copies)
        known[row] |= np.isin(pool.documents[row], list(promoted))
    return replace(pool, known=known), labels


def filtered(pool: CandidatePool, rules: Rules) -> CandidatePool:
    """Return the pool without the candidates that the filters, applied in order, reject."""
    for rule in rules.filters:
        excluded = rule.reject(pool)
        check_mask(rule, excluded, pool.documents.shape)
        pool = pool.without(excluded)
    return pool


def _below(filters: Sequence[Filter], pool: CandidatePool) -> Bool:
    """Return [Q, K]: unlabelled candidates below every rank that a filter looks at."""
    allowed = pool.available()
    allowed[:, : max((rule.needed_depth for rule in filters), default=0)] = False
    return allowed


def uniform(source: CounterRNG, query: np.uint64, size: int, count: int, taken: set[int]) -> list[int]:
    """Return up to ``count`` distinct rows below ``size`` that are not ``taken``, drawn by the ``query``'s key."""
    taken = set(taken)
    left = size - sum(0 <= row < size for row in taken)
    if left <= 8 * count:  # little is left: hash every row rather than wait for luck
        order = np.argsort(source.bits(query, np.arange(size)), kind="stable").tolist()
        return [row for row in order if row not in taken][:count]
    drawn: list[int] = []
    tried, block = 0, 2 * count
    while len(drawn) < count:
        counters = np.arange(tried, tried + block, dtype=np.uint64)
        tried += block
        for row in (source.bits(query, counters) % np.uint64(size)).tolist():
            if row not in taken:
                taken.add(row)
                drawn.append(row)
    return drawn[:count]
