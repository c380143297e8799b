"""Filters that compare with one of several positives, by brute force."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from pools import candidate_pool

from negbench.filters import Filter
from negbench.filters.gap_band import GapBand
from negbench.filters.triangle import Triangle
from negbench.filters.two_distance import TwoDistance

EIGHTHS = st.integers(-8, 8).map(lambda number: number / 8)
POSITIVES = st.lists(st.one_of(EIGHTHS, st.just(math.nan)), max_size=3)


def kept(rule: Filter, scores: list[float], positives: list[float], similarity: list[float]) -> list[bool]:
    pool = candidate_pool([scores], positive_scores=[positives], similarity=[similarity])
    found: list[bool] = (~rule.reject(pool))[0].tolist()
    return found


@given(
    st.lists(EIGHTHS, min_size=1, max_size=8),
    POSITIVES,
    st.sampled_from(["highest", "lowest"]),
    st.sampled_from([(-0.25, 0.25), (-0.5, 0.0), (0.125, 1.0)]),
)
def test_a_gap_is_to_the_positive_that_is_named(
    scores: list[float], positives: list[float], which: str, band: tuple[float, float]
) -> None:
    rule = GapBand.model_validate({"low": band[0], "high": band[1], "positive": which})
    known = [score for score in positives if not math.isnan(score)]
    expected = [True] * len(scores)
    if known:
        positive = max(known) if which == "highest" else min(known)
        expected = [band[0] <= score - positive <= band[1] for score in scores]
    assert kept(rule, scores, positives, scores) == expected


@given(st.lists(st.tuples(EIGHTHS, EIGHTHS), min_size=1, max_size=8), POSITIVES, st.sampled_from([10.5, 40.5, 170.5]))
def test_a_triangle_is_slim_and_leans_towards_the_positive(
    candidates: list[tuple[float, float]], positives: list[float], angle: float
) -> None:
    """The positive that is nearest to the query; no angle between eighths is one of these."""
    known = [score for score in positives if not math.isnan(score)]
    expected = []
    for score, similarity in candidates:
        turn = math.degrees(abs(math.acos(max(known)) - math.acos(score))) if known else 0.0
        expected.append(turn <= angle and similarity > score)
    scores, similarity_of = [score for score, _ in candidates], [similarity for _, similarity in candidates]
    assert kept(Triangle(angle=angle), scores, positives, similarity_of) == expected


@given(st.lists(st.tuples(EIGHTHS, EIGHTHS), min_size=1, max_size=8), POSITIVES)
def test_two_distances_hold_for_every_positive(candidates: list[tuple[float, float]], positives: list[float]) -> None:
    """In cosine distances, which eighths make exact. The similarity is to the nearest positive, so to any."""
    known = [score for score in positives if not math.isnan(score)]
    expected = []
    for score, similarity in candidates:
        to_query, between = 1 - score, 1 - similarity
        expected.append(all(to_query < 1 - it for it in known) and to_query < between)
    scores, similarity_of = [score for score, _ in candidates], [similarity for _, similarity in candidates]
    assert kept(TwoDistance(), scores, positives, similarity_of) == expected
