"""Which negatives are audited."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from negbench.errors import InputError
from negbench.evaluation.false_negatives import design


def test_strata_are_sampler_and_rank_bin() -> None:
    samplers = np.array([0, 0, 0, 0, 1, 1], np.int32)
    ranks = np.array([-1, 0, 3, 4, 0, 300], np.int32)
    assert design.strata(samplers, ranks).tolist() == [0, 1, 1, 2, 3, 4]


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    chances=st.lists(st.floats(0, 1), min_size=6, max_size=6),
    budget=st.integers(12, 400),
)
def test_every_stratum_gets_labels_and_none_more_than_it_has(
    sizes: list[int], chances: list[float], budget: int
) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    found = design.neyman(strata, np.ones(len(strata)), np.array(chances)[strata], budget)
    assert found.sum() == min(budget, sum(sizes))
    assert (found <= sizes).all()
    assert (found >= np.minimum(sizes, 2)).all()


def test_allocation_has_the_least_variance() -> None:
    sizes, chances = np.array([500, 300, 200]), np.array([0.02, 0.2, 0.5])
    strata = np.repeat(np.arange(3), sizes).astype(np.int32)
    found = design.neyman(strata, np.ones(1000), chances[strata], 120)

    def variance(n: np.ndarray) -> float:
        return float((sizes**2 * chances * (1 - chances) / n).sum())

    best = minimize(variance, np.full(3, 40.0), constraints={"type": "eq", "fun": lambda n: n.sum() - 120}).x
    assert np.abs(found - best).max() <= 1


def test_the_draw_is_uniform_within_a_stratum_and_ignores_order() -> None:
    strata = np.repeat([0, 1], [10, 20]).astype(np.int32)
    keys = np.arange(30, dtype=np.uint64)
    labels = np.array([3, 5])
    counts = sum((design.draw(strata, labels, keys, seed) > 0).astype(int) for seed in range(4000))
    expected = 4000 * np.array([0.3, 0.25])[strata]
    assert np.abs(counts - expected).max() < 4.5 * np.sqrt(expected.max())  # type: ignore[operator]
    shuffled = np.random.default_rng(0).permutation(30)
    drawn = design.draw(strata, labels, keys, 7)
    assert (design.draw(strata[shuffled], labels, keys[shuffled], 7) == drawn[shuffled]).all()
    assert drawn[drawn > 0].tolist() == [0.3] * 3 + [0.25] * 5


def test_too_small_a_budget_is_refused() -> None:
    with pytest.raises(InputError, match=r"3 labels are too few for 2 strata .* ask for 4 or more"):
        design.neyman(np.array([0, 0, 0, 1, 1], np.int32), np.ones(5), np.full(5, 0.1), 3)


@pytest.mark.parametrize("half_width", [0.02, 0.05])
def test_the_labels_needed_give_the_width(half_width: float) -> None:
    sizes, chances = np.array([3000, 1000]), np.array([0.05, 0.4])
    strata = np.repeat(np.arange(2), sizes).astype(np.int32)
    n = design.labels_needed(strata, np.ones(4000), chances[strata], half_width)
    allocation = design.neyman(strata, np.ones(4000), chances[strata], n)
    variance = (sizes**2 * chances * (1 - chances) * (1 / allocation - 1 / sizes)).sum() / 4000**2
    assert 1.96 * np.sqrt(variance) == pytest.approx(half_width, rel=0.02)
