"""Injection of hidden relevant documents, against slow definitions."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from made_draws import cases, check, known, relevant, some

from negbench.repair import Oracle
from negbench.repair.injected import Injected
from negbench.repair.replaced import Replaced
from negbench.types import Negatives

RATES = st.floats(0.01, 1.0)


def hidden(repaired: Negatives, oracle: Oracle, query: int) -> set[int]:
    return relevant(oracle, query) - known(repaired, oracle, query) - set(repaired.documents[query].tolist())


def room(repaired: Negatives, oracle: Oracle) -> int:
    """How many slots can be injected at all."""
    slots = (repaired.documents >= 0).sum(axis=1).tolist()
    return sum(min(count, len(hidden(repaired, oracle, query))) for query, count in enumerate(slots))


@given(cases(), RATES)
def test_the_rate_is_reached_where_that_is_possible(case: tuple[Negatives, Oracle], rate: float) -> None:
    drawn, oracle = case
    repaired, found = Replaced().apply(drawn, oracle), Injected(rate=rate).apply(drawn, oracle)
    check(found, oracle)  # distinct, nothing known
    negatives = int((repaired.documents >= 0).sum())
    assert (found.documents >= 0).sum() == negatives
    assert oracle.false(found).sum() == min(round(rate * negatives), room(repaired, oracle))
    changed = found.documents != repaired.documents
    np.testing.assert_array_equal(changed, oracle.false(found))  # all that is false was put there, nothing else moved
    for query, slot in zip(*np.nonzero(changed), strict=True):
        assert found.documents[query, slot] in hidden(repaired, oracle, query)


@given(cases(), RATES, RATES)
def test_those_of_a_lower_rate_are_among_those_of_a_higher(
    case: tuple[Negatives, Oracle], one: float, other: float
) -> None:
    drawn, oracle = case
    low, high = (Injected(rate=rate).apply(drawn, oracle) for rate in sorted((one, other)))
    false = oracle.false(low)
    np.testing.assert_array_equal(low.documents[false], high.documents[false])


@given(cases(), RATES)
def test_each_is_the_nearest_in_score_to_what_it_replaces(case: tuple[Negatives, Oracle], rate: float) -> None:
    """Of a query's injected slots one came first, one second, ...: some order must make every choice the nearest."""
    drawn, oracle = case
    repaired, found, pool = Replaced().apply(drawn, oracle), Injected(rate=rate).apply(drawn, oracle), oracle.pool
    ranked = [{document: at for at, document in enumerate(row)} for row in pool.documents.tolist()]

    def gap(query: int, slot: int, document: int) -> tuple[float, float]:
        rank = ranked[query].get(document)
        score = math.nan if rank is None else float(pool.scores[query, rank])
        mine, place = float(repaired.scores[query, slot]), int(repaired.ranks[query, slot])
        place = pool.depth if place < 0 else place
        unlike = math.isnan(score) + math.isnan(mine)
        far = {0: abs(score - mine), 1: math.inf, 2: 0.0}[unlike]
        return far, abs((pool.depth if rank is None else rank) - place)

    for query in range(len(drawn.queries)):
        slots = np.flatnonzero(oracle.false(found)[query]).tolist()
        left = hidden(repaired, oracle, query)
        while slots:
            ready = [
                slot
                for slot in slots
                if gap(query, slot, int(found.documents[query, slot])) == min(gap(query, slot, it) for it in left)
            ]
            assert ready
            slots.remove(ready[0])
            left.remove(int(found.documents[query, ready[0]]))


@given(cases(), RATES, st.randoms(use_true_random=False))
def test_the_order_of_queries_says_nothing(case: tuple[Negatives, Oracle], rate: float, shuffler: object) -> None:
    drawn, oracle = case
    rows = list(range(len(drawn.queries)))
    shuffler.shuffle(rows)  # type: ignore[attr-defined]
    whole, turned = Injected(rate=rate).apply(drawn, oracle), Injected(rate=rate).apply(*some(drawn, oracle, rows))
    np.testing.assert_array_equal(whole.documents[rows], turned.documents)
    again = Injected(rate=rate).apply(drawn, oracle)
    np.testing.assert_array_equal(again.documents, whole.documents)
