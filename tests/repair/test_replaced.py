"""Repairs that take false negatives out, against slow definitions."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from made_draws import cases, check, known, relevant, some

from negbench.repair import Oracle
from negbench.repair.relabelled import Relabelled
from negbench.repair.replaced import Replaced
from negbench.types import Negatives


@given(cases())
def test_no_relevant_one_is_left_and_the_others_stay(case: tuple[Negatives, Oracle]) -> None:
    drawn, oracle = case
    found = Replaced().apply(drawn, oracle)
    check(found, oracle)
    assert not oracle.false(found).any()
    stays = ~oracle.false(drawn)
    for field in fields(drawn):
        before, after = (np.asarray(getattr(it, field.name)) for it in (drawn, found))
        assert before.shape == after.shape
        assert before.dtype == after.dtype
        if field.name in ("documents", "origins", "ranks", "scores"):
            np.testing.assert_array_equal(before[stays], after[stays])
        else:
            np.testing.assert_array_equal(before, after)
    for query in range(len(drawn.queries)):  # a slot is empty only where the corpus has no more
        new = found.documents[query][oracle.false(drawn)[query]]
        taken = set(drawn.documents[query].tolist()) | set(found.documents[query].tolist())
        left = set(range(oracle.size)) - taken - relevant(oracle, query) - known(drawn, oracle, query)
        assert (new >= 0).all() or not left


@given(cases())
def test_the_one_that_comes_is_the_nearest_in_score(case: tuple[Negatives, Oracle]) -> None:
    drawn, oracle = case
    found, pool = Replaced().apply(drawn, oracle), oracle.pool
    for query in range(len(drawn.queries)):
        taken = set(drawn.documents[query].tolist())
        for slot in range(drawn.documents.shape[1]):
            if int(drawn.documents[query, slot]) not in relevant(oracle, query):
                continue
            left = [
                (abs(pool.scores[query, at] - drawn.scores[query, slot]), abs(at - drawn.ranks[query, slot]), at)
                for at, document in enumerate(pool.documents[query].tolist())
                if document >= 0
                and not math.isnan(pool.scores[query, at])
                and not pool.known[query, at]
                and not pool.available()[query, at] < 1
                and document not in taken | relevant(oracle, query)
            ]
            if drawn.ranks[query, slot] >= 0 and left:
                assert found.ranks[query, slot] == min(left)[2]
            elif found.documents[query, slot] >= 0:
                assert found.origins[query, slot] == 1
            taken.add(int(found.documents[query, slot]))


@given(cases(), st.randoms(use_true_random=False))
def test_a_query_is_repaired_the_same_in_any_company(case: tuple[Negatives, Oracle], shuffler: object) -> None:
    drawn, oracle = case
    rows = list(range(len(drawn.queries)))
    shuffler.shuffle(rows)  # type: ignore[attr-defined]
    rows = rows[: max(1, len(rows) // 2)]
    for repair in (Replaced(), Relabelled()):
        whole, part = repair.apply(drawn, oracle), repair.apply(*some(drawn, oracle, rows))
        np.testing.assert_array_equal(whole.documents[rows], part.documents)
        promoted = [row[row >= 0].tolist() for row in whole.promoted[rows]]
        assert promoted == [row[row >= 0].tolist() for row in part.promoted]


@given(cases())
def test_relabelled_ones_are_positives_and_as_many_negatives_stay(case: tuple[Negatives, Oracle]) -> None:
    drawn, oracle = case
    found, replaced = Relabelled().apply(drawn, oracle), Replaced().apply(drawn, oracle)
    np.testing.assert_array_equal(found.documents, replaced.documents)
    for query in range(len(drawn.queries)):
        before = [row for row in drawn.promoted[query].tolist() if row >= 0]
        false = [row for row in drawn.documents[query].tolist() if row in relevant(oracle, query)]
        padding = [-1] * (found.promoted.shape[1] - len(before) - len(false))
        assert found.promoted[query].tolist() == [*before, *false, *padding]


@given(cases())
def test_nothing_is_done_where_nothing_is_wrong(case: tuple[Negatives, Oracle]) -> None:
    drawn, oracle = case
    clean = replace(oracle, relevant=oracle.relevant.at_least(2))
    for repair in (Replaced(), Relabelled()):
        found = repair.apply(drawn, clean)
        np.testing.assert_array_equal(found.documents, drawn.documents)
        np.testing.assert_array_equal(found.promoted, drawn.promoted)
