"""Samplers that draw by a weight, against the formula of their docstring."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import numpy as np
import pytest
from pools import candidate_pool
from scipy.stats import chisquare

from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.types import CandidatePool, Draw

SCORES = [2.5, 2.0, 1.5, 1.0, 0.5, -0.5]
NEARER = [0.5, 1.0, -0.25, 0.75, 0.25, 1.5]
"""How much more similar a candidate is to the positive than to the query."""
RELEVANT = [0.9, 0.25, 0.5, 0.0, 0.75, 0.125]
"""The probability that a candidate is relevant."""
POSITIVES = [0.0, 1.25]
COUNT = 20_000


def same() -> CandidatePool:
    """Queries with the same scores, each of which is a draw of its own."""
    scores = np.tile(np.array(SCORES, np.float32), (COUNT, 1))
    return candidate_pool(
        scores,
        documents=[range(len(SCORES))] * COUNT,
        positives=[[100, 101]] * COUNT,
        positive_scores=[POSITIVES] * COUNT,
        similarity=scores + np.array(NEARER, np.float32),
        adapter=[RELEVANT] * COUNT,
    )


def drawn(spelling: str, k: int = 1) -> Draw:
    return Sampler.model_validate(spelling).draw(same(), k, CounterRNG(0, spelling))


WEIGHTS: dict[str, Callable[[int], float]] = {
    "softmax(temperature=0.8)": lambda at: exp(SCORES[at] / 0.8),
    "softmax(temperature=3.0)": lambda at: exp(SCORES[at] / 3),
    "discounted(temperature=0.8)": lambda at: exp(SCORES[at] / 0.8) * (1 - RELEVANT[at]),
    "discounted(temperature=2.0, gamma=2.5)": lambda at: exp(SCORES[at] / 2) * (1 - RELEVANT[at]) ** 2.5,
    "discounted(temperature=0.8, gamma=0.0)": lambda at: exp(SCORES[at] / 0.8),
    "trisampler": lambda at: exp(-((SCORES[at] - max(POSITIVES)) ** 2) / 4) * max(NEARER[at], 0.0),
}


@pytest.mark.parametrize("spelling", WEIGHTS)
def test_draws_follow_the_formula(spelling: str) -> None:
    weights = np.array([WEIGHTS[spelling](at) for at in range(len(SCORES))])
    shares = weights / weights.sum()
    found = drawn(spelling)
    seen = np.bincount(found.positions[:, 0], minlength=len(SCORES))
    assert (seen[shares == 0] == 0).all()
    assert chisquare(seen[shares > 0], COUNT * shares[shares > 0]).pvalue > 1e-3
    some = shares[shares > 0]
    np.testing.assert_allclose(found.effective_size, exp(-(some * np.log(some)).sum()), rtol=1e-5)


def test_what_has_no_weight_comes_last() -> None:
    found = drawn("trisampler", len(SCORES)).positions
    assert (found[:, -1] == NEARER.index(-0.25)).all()


def test_a_mixture_tosses_for_each_slot_and_says_among_how_many_it_chose() -> None:
    """The entropy of the toss and, in its share, that of the sampler's six equal candidates."""
    found = drawn("mixture(share=0.3, of=uniform)", 2)
    kept = found.positions >= 0
    expected = COUNT * np.outer([0.7, 0.3], [0.7, 0.3]).ravel()
    assert chisquare(np.bincount(kept @ [2, 1], minlength=4), expected).pvalue > 1e-3  # slots are independent
    toss = -(0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    np.testing.assert_allclose(found.effective_size, exp(toss + 0.3 * np.log(6)), rtol=1e-5)
