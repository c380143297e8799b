"""From a candidate pool to the negatives that training is handed: label rules, filters, sampler, fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Literal

import numpy as np

from negbench.filters import Filter
from negbench.labels import LabelRule, Labels
from negbench.noise import Noise
from negbench.part_checks import check_labels, check_mask, check_positions
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
) -> Negatives:
    """Change labels, filter, draw ``k`` a query for each of ``epochs``, and fill what is short.

    ``round`` counts how often the pool was searched again: every epoch of every round has chances of its own. Fills
    are no known or promoted positive, not the query's ``own`` document row ([Q], below 0 for none), nothing twice;
    from the corpus they are the same for every method. A slot stays -1 where nothing is left, or where the sampler
    leaves it to the batch. ``copies`` maps a document's row to all that have its text: where one of them is known or
    promoted, so are the others. Raises PartError where a part of the rules returns what it must not.
    """
    labelled, labels = apply_label_rules(pool, rules, copies)
    candidates = filtered(labelled, rules)
    promoted = [labelled.documents[row, marked] for row, marked in enumerate(labels.promoted)]

    @cache  # needed for queries that fall short alone, in each epoch
    def known(query: int) -> set[int]:
        return with_copies({*pool.positives[query].tolist(), *promoted[query].tolist(), int(own[query])}, copies)

    unchecked = np.zeros(labelled.documents.shape, np.bool_)
    if rules.fill == "unchecked":
        unchecked = _below(rules.filters, labelled)
    draws = []
    for number in range(round * epochs, (round + 1) * epochs):
        drawn = rules.sampler.draw(candidates, k, Noise(seed, rules.sampler.spelling, number))
        check_positions(rules.sampler, drawn.positions, candidates, k)
        fills = Noise(seed, "fill", number), Noise(seed, "unchecked fill", number)
        documents, origins, scores = _filled(candidates, drawn.positions, known, unchecked, fills, corpus_size)
        draws.append(
            Negatives(
                pool.queries,
                documents,
                origins,
                np.maximum(drawn.positions, -1),
                scores,
                drawn.effective_size,
                pool.positives,
                labels.trust,
                pad(promoted),
            )
        )
    return Negatives.side_by_side(draws)


def _filled(
    pool: CandidatePool,
    positions: Int32,
    known: Callable[[int], set[int]],
    unchecked: Bool,
    noise: tuple[Noise, Noise],
    corpus_size: int,
) -> tuple[Int32, Int32, Float32]:
    """Return documents, origins and scores [Q, k] of what was drawn, with every shortfall made up.

    ``known`` gives the rows that must not be drawn for a query (by position); ``unchecked`` [Q, K] marks the
    candidates that are taken before the corpus is; ``noise`` is the one for the corpus and the one for these.
    """
    drawn = positions >= 0
    at = np.nonzero(drawn)[0], positions[drawn]
    documents: Int32 = np.full(positions.shape, -1, np.int32)
    documents[drawn] = pool.documents[at]
    scores: Float32 = np.full(positions.shape, np.nan, np.float32)
    scores[drawn] = pool.scores[at]
    origins = np.zeros_like(documents)
    short = positions == -1
    from_corpus, below = noise
    for query in np.flatnonzero(short.any(axis=1)).tolist():
        taken = {*documents[query].tolist(), *known(query)}
        slots = np.flatnonzero(short[query])
        left = np.flatnonzero(unchecked[query])
        order = below.order(pool.document_keys[query, left] ^ pool.query_keys[query])
        found = [row for row in pool.documents[query, left[order]].tolist() if row not in taken][: len(slots)]
        taken |= set(found)
        found += uniform(from_corpus, pool.query_keys[query], corpus_size, len(slots) - len(found), taken)
        documents[query, slots[: len(found)]] = found
        origins[query, slots] = 1
    return documents, origins, scores


def with_copies(rows: Iterable[int], copies: Mapping[int, Int32]) -> set[int]:
    """Return the document rows and all that have the text of one of them."""
    found = set(rows)
    return found.union(*[copies[row].tolist() for row in found if row in copies])


def apply_label_rules(
    pool: CandidatePool, rules: Rules, copies: Mapping[int, Int32] = MappingProxyType({})
) -> tuple[CandidatePool, Labels]:
    """Return the pool with all known that the label rules promote, and what has the text of it; and the labels."""
    labels = Labels.given(pool)
    for rule in rules.labels:
        labels = rule.judge(pool, labels)
        check_labels(rule, labels.promoted, labels.trust, pool)
    known = pool.known | labels.promoted
    for row in np.flatnonzero(labels.promoted.any(axis=1)) if copies else ():
        promoted = with_copies(pool.documents[row, labels.promoted[row]].tolist(), copies)
        known[row] |= np.isin(pool.documents[row], list(promoted))
    return replace(pool, known=known), labels


def filtered(pool: CandidatePool, rules: Rules) -> CandidatePool:
    """Return the pool without what the filters, in order, throw out."""
    for rule in rules.filters:
        excluded = rule.throws_out(pool)
        check_mask(rule, excluded, pool.documents.shape)
        pool = pool.without(excluded)
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
