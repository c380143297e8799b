from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from negbench.evaluation.intervals import mean, of_sample, proportion


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(("hits", "clusters"), [(1, 20), (3, 50), (25, 50), (49, 50), (7, 400)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_one_unit_a_cluster_is_the_exact_binomial_with_one_trial_less(hits, clusters, level):
    """The sample variance divides by n - 1, so the effective number of trials is n - 1; the t quantiles cancel."""
    values = np.zeros(clusters)
    values[:hits] = 1
    rate, low, high = proportion(values, np.ones(clusters), level)
    assert rate == hits / clusters
    trials = clusters - 1
    # Clopper-Pearson's defining equations, through binomial tails written as incomplete beta functions.
    assert stats.beta.cdf(low, trials * rate, trials * (1 - rate) + 1) == pytest.approx((1 - level) / 2)
    assert stats.beta.sf(high, trials * rate + 1, trials * (1 - rate)) == pytest.approx((1 - level) / 2)
    # It lies between the exact intervals of the whole numbers of hits around n - 1 trials ...
    below = stats.binomtest(math.floor(trials * rate), trials).proportion_ci(level, "exact")
    above = stats.binomtest(math.ceil(trials * rate), trials).proportion_ci(level, "exact")
    assert below.low <= low <= above.low
    assert below.high <= high <= above.high
    # ... and around the exact interval of n trials, by no more than the lost trial explains.
    exact = stats.binomtest(hits, clusters).proportion_ci(level, "exact")
    assert low <= exact.low
    assert exact.high <= high
    assert high - low == pytest.approx(exact.high - exact.low, rel=1.5 / clusters)


@pytest.mark.parametrize("clusters", [2, 30, 300])
def test_no_hits_is_the_exact_binomial_over_clusters(clusters):
    totals = np.full(clusters, 4.0)
    exact = stats.binomtest(0, clusters).proportion_ci(0.95, "exact")
    assert proportion(np.zeros(clusters), totals) == pytest.approx((0, exact.low, exact.high))
    assert mean(np.zeros(clusters)) == pytest.approx((0, exact.low, exact.high))
    assert proportion(totals, totals) == pytest.approx((1, 1 - exact.high, 1))
    assert mean(np.ones(clusters)) == pytest.approx((1, 1 - exact.high, 1))


def test_a_cluster_whose_units_agree_counts_once():
    """Ten copies of one unit in each cluster: the same rate, and all but the same interval as one unit each."""
    hits = np.repeat([1.0, 0.0], [12, 88])
    one, ten = proportion(hits, np.ones(100)), proportion(10 * hits, np.full(100, 10.0))
    assert one[0] == ten[0]
    # Only the degrees of freedom of the units differ (99 and 999).
    few = (stats.t.ppf(0.975, 999) / stats.t.ppf(0.975, 99)) ** 2
    trials = 99 * few
    assert ten[1] == pytest.approx(stats.beta.ppf(0.025, trials * 0.12, trials * 0.88 + 1))
    assert ten[2] == pytest.approx(stats.beta.ppf(0.975, trials * 0.12 + 1, trials * 0.88))
    assert ten[1] < one[1] < one[2] < ten[2]


def test_a_hand_computed_ratio():
    """Three clusters with 1 of 2, 0 of 3 and 2 of 5: every step written out."""
    rate, low, high = proportion(array(1, 0, 2), array(2, 3, 5))
    assert rate == pytest.approx(0.3)
    squares = (1 - 0.6) ** 2 + (0 - 0.9) ** 2 + (2 - 1.5) ** 2
    variance = 3 / 2 * squares / 10**2
    trials = 0.3 * 0.7 / variance * (stats.t.ppf(0.025, 9) / stats.t.ppf(0.025, 2)) ** 2
    assert trials < 10
    assert low == pytest.approx(stats.beta.ppf(0.025, trials * 0.3, trials * 0.7 + 1))
    assert high == pytest.approx(stats.beta.ppf(0.975, trials * 0.3 + 1, trials * 0.7))


def test_never_more_trials_than_units():
    """Clusters more alike than chance would make them: the variance promises more units than there are."""
    hits = np.full(50, 2.0)
    hits[:2] = 1, 3
    exact = stats.binomtest(100, 200).proportion_ci(0.95, "exact")
    assert proportion(hits, np.full(50, 4.0)) == pytest.approx((0.5, exact.low, exact.high))


def test_clusters_without_any_difference_count_as_one_trial_each():
    exact = stats.binomtest(7, 21).proportion_ci(0.95, "exact")
    assert proportion(np.full(21, 3.0), np.full(21, 9.0)) == pytest.approx((1 / 3, exact.low, exact.high))
    assert mean(np.full(21, 1 / 3)) == pytest.approx((1 / 3, exact.low, exact.high))


def test_few_or_no_clusters():
    assert all(map(math.isnan, proportion(array(), array())))
    assert all(map(math.isnan, proportion(array(0, 0), array(0, 0))))
    assert all(map(math.isnan, mean(array())))
    assert proportion(array(1, 0), array(4, 0)) == (0.25, 0, 1)
    assert mean(array(0.25)) == (0.25, 0, 1)
    assert proportion(array(1, 0, 2, 0), array(2, 0, 3, 4)) == proportion(array(1, 2, 0), array(2, 3, 4))


def test_mean_against_the_closed_form():
    values = array(0, 0.5, 0.25, 0, 1, 0, 0, 0.125)
    rate, low, high = mean(values)
    variance = np.sum((values - values.mean()) ** 2) / 7 / 8
    trials = rate * (1 - rate) / variance * (stats.norm.ppf(0.025) / stats.t.ppf(0.025, 7)) ** 2
    assert rate == pytest.approx(1.875 / 8)
    assert low == pytest.approx(stats.beta.ppf(0.025, trials * rate, trials * (1 - rate) + 1))
    assert high == pytest.approx(stats.beta.ppf(0.975, trials * rate + 1, trials * (1 - rate)))


def test_where_hits_are_common_mean_is_close_to_the_t_interval():
    values = np.random.default_rng(4).beta(4, 6, 400)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean(values)[1:] == pytest.approx((expected.low, expected.high), abs=0.05 * values.std())


def clusters(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[tuple[int, float]]]:
    return st.lists(st.tuples(st.integers(1, 40), values), min_size=2, max_size=60)


@given(clusters(st.floats(0, 1)))
def test_intervals_hold_the_rate_and_stay_in_bounds(sample):
    totals = np.array([total for total, _ in sample], dtype=np.float64)
    shares = np.array([share for _, share in sample])
    rate, low, high = proportion(totals * shares, totals)
    assert rate == pytest.approx(np.average(shares, weights=totals))
    assert 0 <= low <= rate + 1e-9
    assert rate - 1e-9 <= high <= 1
    assert (low, high) != (0, 0)
    assert mean(shares)[0] == pytest.approx(shares.mean())
    assert 0 <= mean(shares)[1] <= shares.mean() + 1e-9
    assert shares.mean() - 1e-9 <= mean(shares)[2] <= 1


@given(clusters(st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_misses_mirror_hits(sample):
    totals = np.array([4.0 * total for total, _ in sample])
    hits = totals * np.array([share for _, share in sample])
    rate, low, high = proportion(hits, totals)
    assert proportion(totals - hits, totals) == pytest.approx((1 - rate, 1 - high, 1 - low), abs=1e-9)
    share, below, above = mean(hits / totals)
    assert mean(1 - hits / totals) == pytest.approx((1 - share, 1 - above, 1 - below), abs=1e-9)


@pytest.mark.parametrize(
    ("rate", "n", "correlation"),
    [(0.01, 400, 0.05), (0.01, 400, 0.3), (0.05, 150, 0.2), (0.1, 60, 0.1), (0.3, 60, 0.3)],
)
def test_coverage_with_clusters_of_unequal_size(rate, n, correlation):
    """Beta-binomial clusters of 1 to 8 units, 14 to 400 expected hits: the truth is inside 93 times in 100."""
    random = np.random.default_rng(20240607)
    draws = 2000
    inside = inside_mean = 0
    spread = (1 - correlation) / correlation
    for _ in range(draws):
        totals = random.integers(1, 9, n).astype(np.float64)
        hits = random.binomial(totals.astype(int), random.beta(rate * spread, (1 - rate) * spread, n)).astype(float)
        _, low, high = proportion(hits, totals)
        inside += low <= rate <= high
        _, low, high = mean(hits / totals)
        inside_mean += low <= rate <= high
    assert inside / draws >= 0.93
    assert inside_mean / draws >= 0.93


@pytest.mark.parametrize(("hits", "n"), [(0, 30), (1, 30), (4, 50), (12, 40), (39, 40), (40, 40)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_a_sample_of_equal_weights_has_the_mid_p_interval(hits, n, level):
    """By the binomial distribution itself: half of the chance of as many hits belongs to the tail."""
    rate, tail = hits / n, (1 - level) / 2
    low, high = of_sample(rate, rate * (1 - rate) / n, n - 1, n, level)
    if hits:
        assert stats.binom.sf(hits, n, low) + stats.binom.pmf(hits, n, low) / 2 == pytest.approx(tail, rel=1e-6)
    else:
        assert low == 0
        assert high == pytest.approx(1 - (2 * tail) ** (1 / n))
    if hits < n:
        assert stats.binom.cdf(hits - 1, n, high) + stats.binom.pmf(hits, n, high) / 2 == pytest.approx(tail, rel=1e-6)
    else:
        assert high == 1


def test_a_sample_counts_by_its_variance_and_no_more_than_it_may():
    wide = of_sample(0.3, 0.3 * 0.7 / 50, 10_000, 1000)
    assert wide == pytest.approx(of_sample(0.3, 0.0, 49, 1000), rel=1e-3)
    assert of_sample(0.3, 0.3 * 0.7 / 50, 49, 20) == of_sample(0.3, 0.0, 1000, 20)
    few = of_sample(0.3, 0.3 * 0.7 / 50, 5, 1000)  # degrees of freedom: a t quantile of 2.57
    assert few == pytest.approx(of_sample(0.3, 0.0, round(50 * (1.962 / 2.571) ** 2) - 1, 1000), rel=0.02)
