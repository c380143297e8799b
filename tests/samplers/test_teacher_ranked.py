"""Samplers that choose by a teacher's ranking, by brute force."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import candidate_pool

from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.types import CandidatePool

GRADES = st.one_of(st.integers(0, 3).map(lambda grade: grade / 3), st.just(math.nan))
"""Those of a language model, of which many are equal, and that of a pair which it refused to judge."""
CANDIDATES = st.lists(st.tuples(GRADES, st.booleans()), max_size=12)


def pool_of(candidates: list[tuple[float, bool]]) -> CandidatePool:
    """One query's candidates: the teacher's score of each, and whether it is a known positive."""
    ranks = np.arange(len(candidates))
    return candidate_pool(
        [1.0 - 0.01 * ranks],
        known=[[known for _, known in candidates]],
        teacher_scores=[[score for score, _ in candidates]],
    )


def drawn(spelling: str, pool: CandidatePool, k: int) -> list[int]:
    found: list[int] = Sampler.model_validate(spelling).draw(pool, k, CounterRNG(0, spelling)).positions[0].tolist()
    return found


def ranking(candidates: list[tuple[float, bool]], depth: int, sign: int) -> list[int]:
    """The ranks of the scored candidates, the highest score first, or the lowest; of equal ones the nearest first."""
    places = [
        (-sign * score, rank)
        for rank, (score, known) in enumerate(candidates[:depth])
        if not known and not math.isnan(score)
    ]
    return [rank for _, rank in sorted(places)]


@given(CANDIDATES, st.integers(0, 8), st.integers(1, 13))
def test_quantiles_are_evenly_spaced_from_the_first_to_the_last(
    candidates: list[tuple[float, bool]], k: int, depth: int
) -> None:
    ranked = ranking(candidates, depth, 1)
    expected: list[int] = []
    if k == 1 < len(ranked):
        expected = [ranked[(len(ranked) - 1) // 2]]
    elif 1 < k < len(ranked):
        step = Fraction(len(ranked) - 1, k - 1)
        expected = [ranked[math.floor(slot * step + Fraction(1, 2))] for slot in range(k)]
    elif k:
        expected = ranked
    assert drawn(f"stratified(depth={depth})", pool_of(candidates), k) == expected + [-1] * (k - len(expected))


@given(CANDIDATES, st.integers(0, 8), st.integers(1, 13))
def test_the_lowest_come_first_and_of_equal_ones_the_nearest(
    candidates: list[tuple[float, bool]], k: int, depth: int
) -> None:
    expected = ranking(candidates, depth, -1)[:k]
    assert drawn(f"teacher-lowest(depth={depth})", pool_of(candidates), k) == expected + [-1] * (k - len(expected))


@pytest.mark.parametrize("count", [8, 21, 100])
@pytest.mark.parametrize("k", [2, 3, 5, 8])
def test_gaps_between_places_differ_by_one_at_most(count: int, k: int) -> None:
    shuffled = np.random.default_rng(count).permutation(count)
    found = drawn("stratified", pool_of([(score / count, False) for score in shuffled.tolist()]), k)
    places = count - 1 - shuffled[found]
    assert (places[0], places[-1]) == (0, count - 1)
    assert np.ptp(np.diff(places)) <= 1
