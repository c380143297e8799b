"""Which negatives are audited."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from negbench.evaluation.false_negatives import design


def test_strata_are_sampler_and_rank_bin() -> None:
    samplers = np.array([0, 0, 0, 0, 1, 1], np.int32)
    ranks = np.array([-1, 0, 3, 4, 0, 300], np.int32)
    assert design.strata(samplers, ranks).tolist() == [0, 1, 1, 2, 3, 4]


@given(
    size=st.lists(st.floats(0.01, 1000), min_size=1, max_size=60),
    labels=st.integers(1, 80),
)
def test_probabilities_are_in_proportion_to_size_and_the_heaviest_certain(size: list[float], labels: int) -> None:
    found = design.probabilities(np.array(size), labels)
    assert found.sum() == pytest.approx(min(labels, len(size)))
    assert ((found > 0) & (found <= 1)).all()
    free = found < 1
    if free.any():
        scale = found[free] / np.array(size)[free]
        assert scale == pytest.approx(scale[0])
        assert (np.array(size)[~free] * scale[0] >= 1 - 1e-9).all()  # who is certain would get more than 1


def test_the_probabilities_have_the_least_variance() -> None:
    """Against an optimiser, for independent draws: weights and rates of four kinds of pairs, none of them certain."""
    count, weight = np.array([500, 300, 200, 20]), np.array([1, 3, 1, 10])
    chance = np.array([0.02, 0.2, 0.5, 0.2])
    strata = np.repeat([0, 1, 2, 1], count).astype(np.int32)
    size = np.repeat(weight, count) * design.spread(strata, np.repeat(chance, count))
    found = design.probabilities(size, 120)
    assert found.max() < 1

    def variance(probability: np.ndarray) -> float:
        return float((count * (1 / probability - 1) * weight**2 * chance * (1 - chance)).sum())

    limit = {"type": "eq", "fun": lambda probability: 1 - float(count @ probability) / 120}
    best = minimize(variance, np.full(4, 120 / 1020), bounds=[(1e-3, 1)] * 4, constraints=limit, options={"ftol": 1e-9})
    assert variance(found[np.cumsum(count) - 1]) == pytest.approx(best.fun, rel=1e-4)


def test_the_draw_keeps_its_probabilities_and_ignores_order() -> None:
    draw = np.random.default_rng(0)
    strata = np.repeat([0, 1], [10, 20]).astype(np.int32)
    probability = design.probabilities(draw.pareto(1, 30) + 0.1, 9)
    assert 0 < (probability == 1).sum() < 5
    keys = np.arange(30, dtype=np.uint64)
    counts, by_stratum = np.zeros(30), []
    for seed in range(4000):
        chosen = design.draw(probability, strata, keys, seed) > 0
        counts += chosen
        by_stratum.append(np.bincount(strata[chosen], minlength=2))
    assert np.abs(counts - 4000 * probability).max() < 4 * np.sqrt(4000 / 4)
    expected = np.bincount(strata, probability)
    assert (np.sum(by_stratum, axis=1) == 9).all()
    assert np.abs(np.array(by_stratum) - expected).max() < 1
    shuffled = draw.permutation(30)
    drawn = design.draw(probability, strata, keys, 7)
    assert (design.draw(probability[shuffled], strata[shuffled], keys[shuffled], 7) == drawn[shuffled]).all()
    assert drawn[drawn > 0].tolist() == probability[drawn > 0].tolist()


@pytest.mark.parametrize("half_width", [0.02, 0.05])
@pytest.mark.parametrize("heavy", [1.0, 30.0])
def test_the_labels_needed_give_the_width(half_width: float, heavy: float) -> None:
    """Two strata, one weighed ``heavy``: the closed form of Neyman's allocation, less what a finite number saves."""
    sizes, chances, each = np.array([3000, 1000]), np.array([0.05, 0.4]), np.array([1.0, heavy])
    strata = np.repeat(np.arange(2), sizes).astype(np.int32)
    weights = each[strata] / (each @ sizes)
    deviation = design.spread(strata, chances[strata])
    found = design.labels_needed(weights * deviation, weights[None], deviation, half_width)
    share, sd = sizes * each / (each @ sizes), np.sqrt(chances * (1 - chances))
    finite = (share**2 * sd**2 / sizes).sum()
    expected = (share @ sd) ** 2 / ((half_width / 1.959964) ** 2 + finite)
    assert found == pytest.approx(expected, abs=1)


def test_concentrated_weight_needs_more_labels() -> None:
    """Ten of a thousand pairs have a half of the weight: what they are cannot be known from others."""
    strata, even = np.zeros(1000, np.int32), np.full(1000, 0.001)
    uneven = np.where(np.arange(1000) < 10, 0.05, 0.5 / 990)
    deviation = design.spread(strata, np.full(1000, 0.3))
    assert design.labels_needed(even * deviation, even[None], deviation, 1e-6) == 1000
    needed = [design.labels_needed(one * deviation, one[None], deviation, 0.05) for one in (even, uneven)]
    assert design.effective(uneven) == pytest.approx(1 / (10 * 0.05**2 + 0.25 / 990))
    assert needed[1] < needed[0]  # the ten are asked about, half of the weight is then certain


@pytest.mark.parametrize("n", [1, 7])
def test_kish_counts_equal_weights_in_full_and_others_less(n: int) -> None:
    assert design.effective(np.full(n, 3.0)) == pytest.approx(n)
    assert design.effective(np.array([*np.full(n, 3.0), 0.0])) == pytest.approx(n)
    assert design.effective(np.array([1.0, 3.0])) == pytest.approx(16 / 10)
    assert design.effective(np.zeros(2)) == 0
