"""The passage sieve by its docstring, in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import candidate_pool

from negbench.filters.sieve import Sieve
from negbench.types import CandidatePool

QUARTERS = st.integers(-8, 8).map(lambda number: number / 4)
SCORE = st.one_of(QUARTERS, QUARTERS, st.just(float("nan")))


def pool_of(scores: list[float], known: list[bool], positives: list[float]) -> CandidatePool:
    """One query's candidates; a score of NaN is one that the retriever did not give."""
    return candidate_pool([scores], documents=[range(len(scores))], known=[known], positive_scores=[positives])


def kept(pool: CandidatePool, depth: int) -> list[int]:
    return np.flatnonzero(pool.without(Sieve(depth=depth).reject(pool)).available()[0]).tolist()


@given(
    candidates=st.lists(st.tuples(SCORE, st.booleans()), min_size=1, max_size=8),
    positives=st.lists(SCORE, max_size=3),
    depth=st.integers(1, 9),
)
def test_what_lies_above_the_mean_of_candidates_and_positive_goes(
    candidates: list[tuple[float, bool]], positives: list[float], depth: int
) -> None:
    scores, known = [score for score, _ in candidates], [mark for _, mark in candidates]
    looked_at = {
        rank: Fraction(score)
        for rank, (score, mark) in enumerate(candidates[:depth])
        if not mark and not np.isnan(score)
    }
    passages = list(looked_at.values())
    given_ = [Fraction(score) for score in positives if not np.isnan(score)]
    if given_:
        passages.append(sum(given_) / Fraction(len(given_)))  # several positives count as one
    expected: list[int] = []
    if looked_at:
        mean = sum(passages) / Fraction(len(passages))
        expected = [rank for rank, score in looked_at.items() if score <= mean]
        lowest = min(looked_at.values())
        expected = expected or [rank for rank, score in looked_at.items() if score == lowest]
    assert kept(pool_of(scores, known, positives), depth) == expected


@pytest.mark.parametrize("known_score", [5.0, 50.0])
def test_a_known_positive_among_the_candidates_does_not_raise_the_mean(known_score: float) -> None:
    pool = pool_of([known_score, 4.0, 3.0, 2.0, 1.0], [True, False, False, False, False], [2.5])
    assert kept(pool, 5) == [3, 4]  # the mean is 2.5
