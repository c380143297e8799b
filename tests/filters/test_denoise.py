from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pools import candidate_pool
from pydantic import ValidationError

from negbench.errors import PartError
from negbench.filters import Filter
from negbench.filters.denoise import Denoise
from negbench.requirements import TeacherScores
from negbench.types import CandidatePool

TABLES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 8)),
    elements=st.one_of(st.sampled_from([0.25, 0.5, np.nan]), st.floats(0, 1, width=32)),
)


def asked(teacher_scores: np.ndarray) -> CandidatePool:
    return candidate_pool(np.zeros(teacher_scores.shape), teacher_scores=teacher_scores)


def kept(scores: np.ndarray, **parameters: object) -> np.ndarray:
    pool = asked(scores)
    return pool.without(Denoise.model_validate(parameters).reject(pool)).available()


@given(TABLES, st.sampled_from([0.0, 0.25, 0.5, 0.9, 2.0]), st.integers(1, 9))
def test_a_score_threshold_by_brute_force(scores: np.ndarray, threshold: float, depth: int) -> None:
    expected = [[rank < depth and score < threshold for rank, score in enumerate(row)] for row in scores.tolist()]
    assert kept(scores, threshold=threshold, depth=depth).tolist() == expected


def test_the_default_keeps_what_is_strictly_below_a_tenth_in_the_first_fifty() -> None:
    scores = np.full((1, 60), 0.05, np.float32)
    scores[0, :4] = [0.1, np.nextafter(np.float32(0.1), np.float32(0)), 0.99, np.nan]
    assert np.flatnonzero(kept(scores)[0]).tolist() == [1, *range(4, 50)]
    assert Denoise().needed_depth == 50
    assert Denoise().requires == (TeacherScores(Denoise().teacher, 50),)


@given(TABLES, st.floats(0.01, 1.0))
def test_a_quantile_is_over_all_scores_of_the_pool(scores: np.ndarray, share: float) -> None:
    given_ = np.sort(scores[~np.isnan(scores)].astype(np.float64))
    got = kept(scores, threshold=share, unit="quantile", depth=8)
    assert not got[np.isnan(scores)].any()
    if len(given_):
        at = share * (len(given_) - 1)  # between the two neighbours of this place
        low, high = given_[int(np.floor(at))], given_[int(np.ceil(at))]
        assert got[scores <= low].all()
        assert not got[scores > high].any()


def test_quantiles_of_known_size() -> None:
    scores = np.random.default_rng(0).permutation(1000).reshape(10, 100) / 1000
    for share in (0.1, 0.5, 0.9, 1.0):
        assert kept(scores, threshold=share, unit="quantile", depth=100).sum() == pytest.approx(1000 * share, abs=1)
    uneven = np.concatenate([scores[:5] / 2, scores[5:] / 2 + 0.5])  # the pool as a whole, not each query
    got = kept(uneven, threshold=0.5, unit="quantile", depth=100)
    assert got[:5].all()
    assert not got[5:].any()


@given(TABLES, st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5), st.sampled_from(["score", "quantile"]))
def test_a_higher_threshold_keeps_no_less(scores: np.ndarray, thresholds: list[float], unit: str) -> None:
    before = np.zeros(scores.shape, bool)
    for threshold in sorted(thresholds):
        now = kept(scores, threshold=threshold, unit=unit)
        assert (now | ~before).all()
        before = now


@pytest.mark.parametrize("parameters", [{}, {"threshold": 0.8, "unit": "quantile"}])
def test_hidden_positives_that_the_teacher_sees_are_dropped(parameters: dict[str, object]) -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0, 0.09, (40, 50))
    planted = rng.uniform(size=scores.shape) < 0.1
    scores[planted] = rng.uniform(0.9, 1, planted.sum())
    got = kept(scores, **parameters)
    assert not got[planted].any()
    assert got[~planted].mean() > 0.85


def test_whatever_was_never_scored_goes() -> None:
    assert not kept(np.full((2, 3), np.nan), threshold=1.0, unit="quantile").any()
    assert not kept(np.full((2, 3), np.nan), threshold=5.0).any()
    pool = asked(np.zeros((1, 2)))
    with pytest.raises(PartError, match="filter denoise: requires TeacherScores, and the pool has none"):
        Denoise().reject(replace(pool, features={}))


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.01])
def test_a_quantile_is_a_share(threshold: float) -> None:
    with pytest.raises(ValidationError, match=r"as a quantile must lie in \(0, 1\]"):
        Denoise(threshold=threshold, unit="quantile")
    Denoise(threshold=threshold)  # as a score any number goes


def test_the_teacher_is_part_of_the_spelling() -> None:
    rule = Filter.model_validate("denoise(threshold=0.3, teacher=trained-cross-encoder(folds=3))")
    assert isinstance(rule, Denoise)
    assert rule.teacher.training_folds == 3
    assert Filter.model_validate(rule.spelling) == rule
