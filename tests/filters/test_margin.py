from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pools import candidate_pool
from pydantic import ValidationError

from negbench.filters import Filter
from negbench.filters.margin import Margin
from negbench.types import CandidatePool

NUMBERS = st.one_of(st.sampled_from([-0.5, 0.0, 0.5, 0.475]), st.floats(-2, 2, width=32))
OR_NONE = st.one_of(NUMBERS, st.just(np.nan))
RULES = st.builds(
    Margin,
    margin=st.sampled_from([0.0, 0.05, 0.25, 1.0, 3.0]),
    unit=st.sampled_from(["absolute", "percent"]),
    positive=st.sampled_from(["lowest", "highest"]),
)


@st.composite
def pools(draw: st.DrawFn) -> CandidatePool:
    """Up to four queries with up to four positives; any score of a positive may be unknown, any list short."""
    count = draw(st.integers(1, 4))
    scores = draw(hnp.arrays(np.float32, (count, draw(st.integers(0, 6))), elements=OR_NONE))
    positive_scores = draw(hnp.arrays(np.float32, (count, draw(st.integers(0, 4))), elements=OR_NONE))
    return candidate_pool(scores, positive_scores=positive_scores)


def kept(pool: CandidatePool, rule: Margin) -> list[list[bool]]:
    return pool.without(rule.reject(pool)).available().tolist()


@given(pools(), RULES)
def test_the_rule_by_brute_force(pool: CandidatePool, rule: Margin) -> None:
    expected = []
    for scores, positives in zip(pool.scores.tolist(), pool.positive_scores.tolist(), strict=True):
        known = sorted(score for score in positives if not math.isnan(score))
        row = []
        for score in scores:
            if math.isnan(score):
                row.append(False)
            elif not known:
                row.append(True)
            else:
                positive = known[0] if rule.positive == "lowest" else known[-1]
                margin = rule.margin * (abs(positive) if rule.unit == "percent" else 1)
                row.append(score <= positive - margin)
        expected.append(row)
    assert kept(pool, rule) == expected


def test_published_numbers() -> None:
    # MarginPos: within 0.05 of 0.8; PercPos: above 95 % of 0.8
    pool = candidate_pool([[0.9, 0.8, 0.78, 0.755, 0.745, 0.1]], positive_scores=[[0.8]])
    assert kept(pool, Margin(unit="absolute")) == [[False, False, False, False, True, True]]
    assert kept(pool, Margin()) == [[False, False, False, True, True, True]]


def test_a_share_of_a_negative_score_goes_down() -> None:
    # 0.95 times -0.8 is -0.76, above the positive itself: a factor would keep -0.78, which beats the positive.
    pool = candidate_pool([[-0.7, -0.78, -0.8, -0.83, -0.85]], positive_scores=[[-0.8]])
    assert kept(pool, Margin()) == [[False, False, False, False, True]]


def test_several_positives() -> None:
    pool = candidate_pool([[0.9, 0.6, 0.4, 0.2]], positive_scores=[[0.5, np.nan, 0.7, 0.3]])
    assert kept(pool, Margin(margin=0, positive="lowest")) == [[False, False, False, True]]
    assert kept(pool, Margin(margin=0, positive="highest")) == [[False, True, True, True]]


@pytest.mark.parametrize("positives", [np.full((1, 0), 0.0), np.full((1, 3), np.nan)])
@pytest.mark.parametrize("unit", ["absolute", "percent"])
@pytest.mark.parametrize("positive", ["lowest", "highest"])
def test_without_a_known_score_nothing_goes(positives: np.ndarray, unit: str, positive: str) -> None:
    rule = Margin.model_validate({"unit": unit, "positive": positive})
    assert kept(candidate_pool([[0.9, 0.5, -3.0]], positive_scores=positives), rule) == [[True, True, True]]


@given(pools(), st.sampled_from(["absolute", "percent"]), st.lists(st.floats(0, 3), min_size=2, max_size=5))
def test_a_wider_margin_keeps_no_more(pool: CandidatePool, unit: str, margins: list[float]) -> None:
    before = np.ones(pool.scores.shape, bool)
    for margin in sorted(margins):
        now = np.array(kept(pool, Margin.model_validate({"margin": margin, "unit": unit})), bool)
        assert (before | ~now).all()
        before = now


@given(pools(), RULES)
def test_the_highest_positive_keeps_no_less(pool: CandidatePool, rule: Margin) -> None:
    # true of percent too: s+ - m |s+| does not fall with s+ as long as m is at most 1
    if rule.unit == "absolute" or rule.margin <= 1:
        low = np.array(kept(pool, rule.model_copy(update={"positive": "lowest"})), bool)
        high = np.array(kept(pool, rule.model_copy(update={"positive": "highest"})), bool)
        assert (high | ~low).all()


def test_spelling_and_bounds() -> None:
    rule = Filter.model_validate("margin(margin=0.1, unit=absolute, positive=highest)")
    assert rule == Margin(margin=0.1, unit="absolute", positive="highest")
    assert Filter.model_validate(rule.spelling) == rule
    with pytest.raises(ValidationError, match="margin"):
        Margin(margin=-0.01)
