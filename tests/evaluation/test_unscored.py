"""Pairs that the judge gave no score: counted at the mean, told in the note, and never a rate that is no number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pairs import audited, population

from negbench.evaluation.false_negatives import Pairs, design
from negbench.evaluation.false_negatives.calibration import filled
from negbench.evaluation.false_negatives.judge import Judge
from negbench.evaluation.false_negatives.ppi import PPI
from negbench.types import Float64

NAN = float("nan")


def by_hand(pairs: Pairs) -> Float64:
    """Fill the gaps one pair at a time."""
    assert pairs.judge is not None
    found = []
    for at, score in enumerate(pairs.judge.tolist()):
        strata = np.zeros(len(pairs.judge)) if pairs.strata is None else pairs.strata
        known = [float(pairs.judge[it]) for it in range(len(pairs.judge)) if not np.isnan(pairs.judge[it])]
        akin = [
            float(pairs.judge[it])
            for it in range(len(pairs.judge))
            if strata[it] == strata[at] and not np.isnan(pairs.judge[it])
        ]
        found.append(score if score == score else sum(akin or known) / len(akin or known))
    return np.array(found)


def gaps(pairs: Pairs, share: float = 0.2) -> Pairs:
    """Return the pairs with some of the judge's scores gone, one whole stratum's among them."""
    assert pairs.judge is not None
    gone = np.random.default_rng(4).random(len(pairs.judge)) < share
    if pairs.strata is not None:
        gone |= pairs.strata == 1
    return replace(pairs, judge=np.where(gone, NAN, pairs.judge))


def test_a_gap_takes_the_mean_of_its_stratum_or_of_all() -> None:
    scores = np.array([0.2, NAN, 0.6, NAN, 1.0, NAN])
    assert filled(scores).tolist() == pytest.approx([0.2, 0.6, 0.6, 0.6, 1.0, 0.6])
    strata = np.array([0, 0, 0, 1, 2, 2], np.int32)
    assert filled(scores, strata).tolist() == pytest.approx([0.2, 0.4, 0.6, 0.6, 1.0, 1.0])
    assert filled(scores[[0, 2]]).tolist() == [0.2, 0.6]
    assert np.isnan(filled(scores[[1, 3]], strata[:2])).all()


def test_the_index_is_the_mean_with_the_gaps_at_the_mean() -> None:
    """Weights 1, 2, 3, 4 and scores 0.2, none, 0.6, none: (0.2 + 2 x 0.4 + 3 x 0.6 + 4 x 0.4) / 10."""
    pairs, _ = population(queries=4, each=1)
    some = replace(pairs, weights=np.array([1.0, 2, 3, 4]), judge=np.array([0.2, NAN, 0.6, NAN]))
    found = Judge().of(some)
    assert found.rate == pytest.approx(0.44)
    assert "; 2 pairs without a score" in found.note
    assert "; 1 pairs without a score" in Judge().of(replace(some, weights=np.array([1.0, 2, 3, 0]))).note


@pytest.mark.parametrize("labels", [60, 300])
@pytest.mark.parametrize("estimator", [Judge(), PPI(), PPI(inference="these-queries")], ids=lambda it: it.spelling)
def test_it_is_the_estimate_with_the_gaps_filled_by_hand(estimator: Any, labels: int) -> None:
    pairs, relevant = population(queries=150)
    some = gaps(audited(pairs, relevant, labels))
    assert some.judge is not None
    assert np.isnan(some.judge[some.labels == 1]).any()
    found, wanted = estimator.of(some), estimator.of(replace(some, judge=by_hand(some)))
    ends = [(it.rate, it.low, it.high) for it in (found, wanted)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-9, nan_ok=True)
    assert found.note.replace(f"; {np.isnan(some.judge).sum()} pairs without a score, put at the mean", "") == (
        wanted.note
    )
    assert "without a score" not in wanted.note


@pytest.mark.parametrize("estimator", [Judge(), PPI()], ids=lambda it: it.name)
def test_a_judge_without_any_score_gives_words_and_no_rate(estimator: Any) -> None:
    pairs, relevant = population()
    silent = audited(replace(pairs, judge=np.full(len(relevant), NAN)), relevant, 100)
    found = estimator.of(silent)
    assert np.isnan([found.rate, found.low, found.high]).all()
    assert "gave none of the pairs a score" in found.note


def test_gaps_do_not_hide_that_the_judge_is_the_teacher() -> None:
    pairs, _ = population()
    some = gaps(pairs)
    assert some.judge is not None
    assert Judge().of(replace(some, teacher=some.judge.copy())).note.startswith("refused")


@given(
    given_scores=st.lists(st.one_of(st.none(), st.floats(-5, 5)), min_size=40, max_size=40),
    labels=st.lists(st.sampled_from([0.0, 1.0, None]), min_size=40, max_size=40),
    strata=st.lists(st.integers(0, 3), min_size=40, max_size=40),
)
def test_a_rate_is_a_number_wherever_somebody_was_scored(
    given_scores: list[float | None], labels: list[float | None], strata: list[int]
) -> None:
    pairs, _ = population(queries=10, each=4)
    judge, told = (np.array([NAN if it is None else it for it in values]) for values in (given_scores, labels))
    some = replace(
        pairs,
        judge=judge,
        strata=np.array(strata, np.int32),
        probability=np.where(np.isnan(told), 0.0, 0.5),
        labels=told,
    )
    scored = not np.isnan(judge).all()
    for bare in (some, replace(some, labels=None), replace(some, labels=None, strata=None)):
        assert np.isnan(Judge().of(bare).rate) == (not scored)
    queries = pairs.queries[~np.isnan(told)]
    for inference, units in (("queries-like-these", np.unique(queries)), ("these-queries", queries)):
        found, enough = PPI(inference=inference).of(some), len(units) > 1
        assert (not np.isnan([found.rate, found.low, found.high]).any()) == (scored and enough)


def test_the_draw_guesses_the_mean_of_a_pair_without_a_score() -> None:
    judge = np.array([-1.0, 1.0, NAN, 3.0, NAN])
    found = design.guessed(judge)
    assert found.tolist() == pytest.approx(design.guessed(np.array([-1.0, 1.0, 1.0, 3.0, 1.0])).tolist())
    assert found[[2, 4]] == pytest.approx(1 / (1 + np.exp(3)))
    assert design.guessed(np.full(3, NAN)) == pytest.approx(1 / (1 + np.exp(3)))
