from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from pools import candidate_pool
from pydantic import ValidationError
from scipy.stats import chisquare

from negbench.rng import CounterRNG
from negbench.samplers import gumbel
from negbench.samplers.simans import SimANS
from negbench.types import CandidatePool

NOISE = CounterRNG(0, "simans")
MANY = 20_000


def same(scores: list[float], positives: list[float], count: int = MANY) -> CandidatePool:
    """Queries with equal scores and different ids, so that each is one independent draw."""
    return candidate_pool(
        [scores] * count,
        documents=[range(len(scores))] * count,
        positives=[range(100, 100 + len(positives))] * count,
        positive_scores=[positives] * count,
    )


def assert_drawn_by(chosen: np.ndarray, weights: list[float]) -> None:
    shares = np.array(weights) / np.sum(weights)
    expected = len(chosen) * shares
    seen = np.bincount(chosen, minlength=len(shares))
    rare = expected < 5  # pooled, as the chi-square test wants at least five of each
    if rare.any():
        expected, seen = np.append(expected[~rare], expected[rare].sum()), np.append(seen[~rare], seen[rare].sum())
    assert chisquare(seen, expected).pvalue > 1e-3


SCORES = [14.0, 13.5, 12.25, 12.0, 11.5, 11.0, 10.0, 8.75]
POSITIVE = 12.5
A, B, TAU = 0.4, 0.75, 1.3
FORMS = {
    "paper": lambda gap: math.exp(-A * (gap - B) ** 2),
    "code": lambda gap: math.exp(-A * (gap + B) ** 2),
    "laplace": lambda gap: math.exp(-TAU * abs(gap)),
}
UNITS = {"raw": 1.0, "temperature": 2.5, "zscore": float(np.std(SCORES))}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", UNITS)
def test_draws_follow_the_published_form(form: str, scale: str) -> None:
    sampler = SimANS.model_validate(
        {"form": form, "scale": scale, "a": A, "b": B, "tau": TAU, "temperature": UNITS["temperature"]}
    )
    weights = [FORMS[form]((score - POSITIVE) / UNITS[scale]) for score in SCORES]
    draw = sampler.draw(same(SCORES, [POSITIVE]), 1, NOISE)
    assert_drawn_by(draw.positions[:, 0], weights)
    shares = np.array(weights) / sum(weights)
    np.testing.assert_allclose(draw.effective_size, np.exp(-(shares * np.log(shares)).sum()), rtol=1e-5)
    for other, weigh in FORMS.items():  # the test can tell the forms apart
        if other != form:
            with pytest.raises(AssertionError):
                assert_drawn_by(draw.positions[:, 0], [weigh((score - POSITIVE) / UNITS[scale]) for score in SCORES])


@pytest.mark.parametrize(("form", "peak"), [("paper", 1.5), ("code", -1.5), ("laplace", 0.0)])
def test_where_the_peak_is(form: str, peak: float) -> None:
    grid = [POSITIVE + step / 4 for step in range(16, -17, -1)]
    pool = same(grid, [POSITIVE], 2000)
    sampler = SimANS.model_validate({"form": form, "a": 1.0, "b": 1.5, "tau": 2.0})
    chosen = sampler.draw(pool, 1, NOISE).positions[:, 0]
    assert grid[np.bincount(chosen).argmax()] - POSITIVE == peak
    sharp = sampler.model_copy(update={"a": 1e4, "tau": 1e4}).draw(pool, 1, NOISE)
    assert {grid[column] - POSITIVE for column in sharp.positions[:, 0]} == {peak}
    np.testing.assert_allclose(sharp.effective_size, 1.0)


def test_several_draws_are_successive_draws_without_replacement() -> None:
    scores = [2.0, 1.5, 1.0, 0.0]
    weights = [math.exp(-0.5 * (score - 1.25) ** 2) for score in scores]
    chosen = SimANS(a=0.5).draw(same(scores, [1.25], 40_000), 3, NOISE).positions
    orders = list(itertools.permutations(range(4), 3))
    probability = []
    for order in orders:
        left, share = sum(weights), 1.0
        for column in order:
            share *= weights[column] / left
            left -= weights[column]
        probability.append(share)
    assert sum(probability) == pytest.approx(1)
    number = {order: n for n, order in enumerate(orders)}
    assert_drawn_by(np.array([number[tuple(order)] for order in chosen.tolist()]), probability)


@pytest.mark.parametrize(
    ("rule", "expected"), [("max", [3.0, 5.0, 7.0]), ("min", [1.0, 5.0, -2.0]), ("mean", [2.0, 5.0, 2.5])]
)
def test_which_of_several_positives(rule: str, expected: list[float]) -> None:
    pool = same([0.0, -1.0], [0.0, 0.0, 0.0], 4)
    nan = np.nan
    pool.positive_scores[:] = [[1, nan, 3], [nan, 5, nan], [7, -2, 2.5], [nan, nan, nan]]
    sampler = SimANS.model_validate({"positive": rule})
    gaps = sampler.gaps(pool, pool.available(), NOISE)
    np.testing.assert_array_equal(gaps[:3], [[-top, -1 - top] for top in expected])
    assert np.isnan(gaps[3]).all()
    draw = sampler.draw(pool, 2, NOISE)
    assert draw.positions[3].tolist() == [-1, -1]
    assert draw.effective_size[3] == 0


def test_a_random_positive_is_any_that_has_a_score() -> None:
    pool = same([0.0], [1.0, 2.0, np.nan, 4.0])
    picked = -SimANS().gaps(pool, pool.available(), NOISE)[:, 0]
    assert set(picked.tolist()) == {1.0, 2.0, 4.0}
    assert_drawn_by(np.searchsorted([1.0, 2.0, 4.0], picked), [1, 1, 1])
    other = -SimANS().gaps(pool, pool.available(), CounterRNG(1, "simans"))[:, 0]
    assert 0.28 < (picked == other).mean() < 0.39
    # the positive drawn goes with the query, not with the column that it stands in
    turned = same([0.0], [4.0, np.nan, 2.0, 1.0])
    turned.positives[:] = pool.positives[:, ::-1]
    np.testing.assert_array_equal(-SimANS().gaps(turned, turned.available(), NOISE)[:, 0], picked)


def test_draws_with_a_random_positive_are_the_mixture() -> None:
    positives = [12.5, 9.0]
    chosen = SimANS(a=A, b=B).draw(same(SCORES, positives), 1, NOISE).positions[:, 0]
    mixture = np.zeros(len(SCORES))
    for positive in positives:
        weights = np.array([FORMS["paper"](score - positive) for score in SCORES])
        mixture += weights / weights.sum() / len(positives)
    assert_drawn_by(chosen, mixture.tolist())


def test_zscore_is_of_the_candidates_that_are_left() -> None:
    pool = same([9.0, 8.0, 5.0, 4.0, 1.0, -50.0], [7.0], 1)
    pool.known[:] = [[True, False, False, False, False, False]]
    sampler = SimANS(scale="zscore", depth=5)
    gaps = sampler.gaps(pool, gumbel.window(pool, 5), NOISE)
    np.testing.assert_allclose(gaps[0], (pool.scores[0] - 7.0) / np.std([8.0, 5.0, 4.0, 1.0]))


def test_zscore_without_spread_divides_by_one() -> None:
    pool = same([0.3, 0.3, 0.3], [0.5], 2)
    sampler = SimANS(scale="zscore")
    np.testing.assert_allclose(sampler.gaps(pool, pool.available(), NOISE), -0.2, rtol=1e-6)


def test_zscore_does_not_mind_the_unit_of_the_scores() -> None:
    one, other = same(SCORES, [POSITIVE], 500), same([64 * s - 1024 for s in SCORES], [64 * POSITIVE - 1024], 500)
    sampler = SimANS(scale="zscore", b=0.5)
    assert sampler.draw(one, 4, NOISE).positions.tolist() == sampler.draw(other, 4, NOISE).positions.tolist()
    raw = SimANS(b=0.5)
    assert raw.draw(one, 4, NOISE).positions.tolist() != raw.draw(other, 4, NOISE).positions.tolist()


@pytest.mark.parametrize("far", [1e4, 1e9, 1e30, -1e30])
@pytest.mark.parametrize("form", FORMS)
def test_a_positive_far_away_still_leaves_chance_among_equals(form: str, far: float) -> None:
    # Weights underflow here, and log-weights are so large that adding noise of size one to them does nothing.
    sampler = SimANS.model_validate({"form": form, "a": 1.0})
    draw = sampler.draw(same([1.0] * 5, [far], 5000), 1, NOISE)
    assert_drawn_by(draw.positions[:, 0], [1.0] * 5)
    np.testing.assert_allclose(draw.effective_size, 5.0, rtol=1e-5)


def test_the_sharper_the_fewer() -> None:
    pool = same(SCORES, [POSITIVE], 1)
    sizes = [float(SimANS(a=a).draw(pool, 1, NOISE).effective_size[0]) for a in (0.0, 0.01, 0.1, 1.0, 100.0)]
    assert sizes[0] == pytest.approx(len(SCORES))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 2.01  # two candidates lie 0.25 and 0.5 away


def test_depth_counts_raw_ranks() -> None:
    pool = same(SCORES, [POSITIVE], 300)
    pool.known[:, :3] = True
    chosen = SimANS(depth=5, a=0).draw(pool, 4, NOISE).positions
    assert set(chosen[:, :2].ravel().tolist()) == {3, 4}
    assert (chosen[:, 2:] == -1).all()
    assert SimANS(depth=5).needed_depth == 5


@pytest.mark.parametrize(
    "wrong", [{"a": -0.1}, {"tau": -1}, {"temperature": 0}, {"depth": 0}, {"form": "gauss"}, {"scale": "unit"}]
)
def test_what_makes_no_distribution_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SimANS.model_validate(wrong)
