from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import candidate_pool
from pydantic import ValidationError

from negbench.filters.rank_band import RankBand
from negbench.types import CandidatePool


def ranked(depth: int, known: list[int]) -> CandidatePool:
    """One query whose document 100 + r stands at raw rank r."""
    return candidate_pool(
        -np.arange(depth)[None, :],
        documents=100 + np.arange(depth)[None, :],
        positives=[[100 + rank for rank in known]],
        positive_scores=[[-rank for rank in known]],
    )


def kept(pool: CandidatePool, *rules: RankBand) -> list[int]:
    for rule in rules:
        pool = pool.without(rule.reject(pool))
    return pool.documents[pool.available()].tolist()


def test_the_first_ranks_really_go() -> None:
    # RAGatouille names a min_rank of 10 and returns documents from rank 0 on all the same.
    assert kept(ranked(200, []), RankBand()) == list(range(110, 210))
    assert RankBand().needed_depth == 110


def test_known_positives_hold_their_ranks() -> None:
    # Were the positives at ranks 0, 2 and 11 taken out first, the band would begin at raw rank 12.
    assert kept(ranked(20, [0, 2, 11]), RankBand(low=10, high=14)) == [110, 112, 113]


@given(
    depth=st.integers(0, 40),
    known=st.lists(st.integers(0, 39), max_size=5),
    low=st.integers(0, 40),
    width=st.integers(1, 40),
)
def test_the_band_by_brute_force(depth: int, known: list[int], low: int, width: int) -> None:
    known = [rank for rank in known if rank < depth]
    expected = [100 + rank for rank in range(depth) if low <= rank < low + width and rank not in known]
    assert kept(ranked(depth, known), RankBand(low=low, high=low + width)) == expected


def test_bands_intersect_in_any_order() -> None:
    one, other = RankBand(low=3, high=12), RankBand(low=8, high=30)
    assert kept(ranked(50, [9]), one, other) == kept(ranked(50, [9]), other, one) == [108, 110, 111]


@pytest.mark.parametrize("documents", [0, 50, 109, 110, 119, 500, 1099, 1100, 1110, 100_000])
def test_a_corpus_of_n_documents_ends_the_band_at_a_tenth(documents: int) -> None:
    # RAGatouille: ranks 10 to min(110, N // 10)
    pool = replace(ranked(200, []), corpus_size=documents)
    rule = RankBand(divisor=10)
    assert kept(pool, rule) == [100 + rank for rank in range(10, min(110, documents // 10))]
    assert (rule.nothing_left(documents) == "") == (documents >= 110)
    assert kept(pool, RankBand()) == list(range(110, 210))  # where nobody asks for a share


def test_an_empty_band_says_so() -> None:
    said = "rank-band(divisor=10) keeps no rank of 96 documents: it begins at 10 and ends at 9"
    assert RankBand(divisor=10).nothing_left(96) == said


@pytest.mark.parametrize(("low", "high"), [(10, 10), (11, 10), (200, 110)])
def test_an_empty_band_is_refused(low: int, high: int) -> None:
    with pytest.raises(ValidationError, match=f"low={low} must be below high={high}"):
        RankBand(low=low, high=high)
