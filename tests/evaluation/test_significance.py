"""Checked against scipy and statsmodels where the design is one that they know, else by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats import multitest, power, weightstats
from statsmodels.stats.anova import anova_lm

from negbench.evaluation.significance import decide, detectable, equivalence, estimate, estimate_mean, holm, p_value


def drawn(seeds: int, queries: int, spread: tuple[float, float, float], run: int, mean: float = 0.0) -> np.ndarray:
    """Values with a random effect of the seed, of the query, and a rest, of the given standard deviations."""
    rng = np.random.default_rng(run)
    of_seed, of_query, rest = spread
    seed, query = rng.standard_normal((seeds, 1)), rng.standard_normal((1, queries))
    return mean + of_seed * seed + of_query * query + rest * rng.standard_normal((seeds, queries))


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 2)])
def test_one_seed_or_one_query_is_the_t_test_of_scipy(shape: tuple[int, int]) -> None:
    values = drawn(*shape, (1, 1, 1), 3, mean=0.4)
    found = estimate(values)
    test = stats.ttest_1samp(values.ravel(), 0.0)
    interval = test.confidence_interval(0.95)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.half == pytest.approx((interval.high - interval.low) / 2)
    assert p_value(found) == pytest.approx(test.pvalue)
    assert p_value(found, found.mean) == pytest.approx(1.0)


def test_two_one_sided_tests_are_those_of_statsmodels() -> None:
    values = drawn(1, 60, (0, 0, 1), 5, mean=0.1)
    theirs = weightstats.DescrStatsW(values.ravel()).ttost_mean(-0.4, 0.4)[0]
    assert equivalence(estimate(values), 0.4) == pytest.approx(theirs)
    assert equivalence(estimate(values + 5), 0.4) > 0.99


@pytest.mark.parametrize("queries", [4, 30, 300])
@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_the_detectable_difference_is_that_of_statsmodels(queries: int, wanted: float) -> None:
    values = drawn(1, queries, (0, 0, 2.0), 7)
    effect = power.TTestPower().solve_power(nobs=queries, alpha=0.05, power=wanted, alternative="two-sided")
    assert detectable(estimate(values), wanted) == pytest.approx(effect * values.std(ddof=1), rel=1e-4)


def test_holm_is_that_of_statsmodels() -> None:
    draw = np.random.default_rng(0)
    families = [draw.random(size) ** 3 for size in (1, 2, 3, 5, 8, 12)]  # its every call collects garbage: a few do
    for values in [*families, np.array([0.2, 0.01, 0.2, 0.01]), np.zeros(3), np.ones(3)]:
        np.testing.assert_allclose(holm(values.tolist()), multitest.multipletests(values, method="holm")[1])


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]) == []


def test_queries_without_a_value_are_left_out_and_too_little_has_no_interval() -> None:
    values = drawn(3, 10, (1, 1, 1), 0)
    holes = np.concatenate([values, np.full((3, 1), np.nan)], axis=1)
    holes[1:, -1] = 0.5
    assert estimate(holes) == estimate(values)
    one = estimate(np.array([[0.25]]))
    assert one.mean == 0.25
    assert np.isnan([one.error, one.low, one.high, detectable(one)]).all()
    assert (p_value(one), equivalence(one, 0.1)) == (1.0, 1.0)
    assert np.isnan(estimate(np.zeros((2, 0))).mean)
    same = estimate(np.full((3, 4), 0.5))
    assert (same.low, same.high, p_value(same), equivalence(same, 0.1)) == (0.5, 0.5, 1.0, 1.0)


SPREADS = {
    "rest": (0.0, 0.0, 0.2),
    "queries": (0.0, 0.3, 0.05),
    "seeds": (0.05, 0.05, 0.05),
    "a difference of two methods": (0.005, 0.02, 0.15),
    "all": (0.02, 0.3, 0.15),
}


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS.keys())
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int, spread: tuple[float, float, float]) -> None:
    """600 runs: a share of 0.95 has a standard error of 0.009. Two seeds that agree by luck narrow nothing."""
    held = []
    for run in range(600):
        found = estimate(drawn(seeds, 100, spread, run))
        held.append(found.low <= 0 <= found.high)
    assert np.mean(held) >= 0.93
    if spread[0] == 0 and seeds == 5:
        assert np.mean(held) <= 0.985  # nor wider than need be


def test_a_family_without_differences_raises_an_alarm_as_rarely_as_it_says() -> None:
    """Five methods against a baseline whose noise they share: correlated, as in a grid."""
    alarms = []
    for run in range(400):
        baseline = drawn(3, 100, (0.01, 0.02, 0.1), run)
        others = [drawn(3, 100, (0.01, 0.02, 0.1), 1000 + 10 * run + at) for at in range(5)]
        differences = [estimate(other - baseline) for other in others]
        alarms.append(min(holm([p_value(found) for found in differences])) < 0.05)
    assert np.mean(alarms) <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize("shape", [(2, 40), (3, 40), (5, 40), (40, 3)])
def test_each_part_of_the_variance_has_its_own_quantile(shape: tuple[int, int]) -> None:
    """The formulas of the docstring, by statsmodels' analysis of variance and scipy's t."""
    values = drawn(*shape, (0.03, 0.2, 0.1), 11)
    seeds, queries = shape
    seed, query = np.indices(shape).reshape(2, -1)
    fitted = ols("y ~ C(seed) + C(query)", {"y": values.ravel(), "seed": seed, "query": query}).fit()
    table = anova_lm(fitted)
    squares = (table["sum_sq"] / table["df"]).to_dict()
    few, many = ("seed", "query") if seeds < queries else ("query", "seed")
    of_few = squares[f"C({few})"] / values.size
    of_many = max(squares[f"C({many})"] - squares["Residual"], 0) / values.size
    for level in (0.5, 0.95, 0.999):
        t = [stats.t.ppf((1 + level) / 2, levels - 1) for levels in sorted(shape)]
        half = (t[0] ** 2 * of_few + t[1] ** 2 * of_many) ** 0.5
        assert estimate(values, level).half == pytest.approx(half)


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_p_values_are_those_of_the_intervals(seeds: int) -> None:
    """An interval at level 1 - p ends where the p value was asked for; at 1 - 2 p it ends at the margin."""
    found = estimate(values := drawn(seeds, 60, (0.02, 0.2, 0.1), 13, mean=0.1))
    for against in (0.0, 0.1, 0.3, found.mean + 1e-4):
        again = estimate(values, 1 - p_value(found, against))
        assert min(abs(again.low - against), abs(again.high - against)) < 1e-9
    for margin in (0.25, 0.3):
        again = estimate(values, 1 - 2 * equivalence(found, margin))
        assert max(again.high, -again.low) == pytest.approx(margin)
        assert equivalence(estimate(-values), margin) == pytest.approx(equivalence(found, margin))
    assert equivalence(found, 0.01) > 0.5
    assert p_value(estimate(values + 1e9)) < 1e-6  # no overflow, at any number of seeds


def test_two_seeds_that_agree_by_luck_decide_nothing() -> None:
    """The seeds' means are 0.04 apart, where the rest alone makes 0.08 of it; by the queries' t they differ."""
    values = drawn(2, 300, (0.0, 1.0, 1.0), 17)
    values += np.array([[0.17], [0.21]]) - values.mean(axis=1, keepdims=True)
    found = estimate(values)
    assert 2 * stats.t.sf(found.mean / found.error, 299) < 0.01
    assert p_value(found) > 0.05


def test_both_kinds_of_p_value_are_adjusted_over_the_family() -> None:
    family = [estimate(drawn(3, 80, (0.002, 0.01, 0.05), run, mean)) for run, mean in enumerate((0.0, 0.002, 0.05))]
    found = decide(family, 0.02)
    assert [one.differs for one in found] == pytest.approx(holm([p_value(one) for one in family]))
    assert [one.same for one in found] == pytest.approx(holm([equivalence(one, 0.02) for one in family]))
    with pytest.raises(ValueError, match="over one seed"):
        decide([*family, estimate(np.arange(5.0)[None])], 0.02)


def test_a_difference_of_the_detectable_size_is_found_as_often_as_asked() -> None:
    spread = (0.0, 0.02, 0.15)
    sizes = [detectable(estimate(drawn(3, 100, spread, run))) for run in range(50)]
    found = [p_value(estimate(drawn(3, 100, spread, run, float(np.mean(sizes))))) < 0.05 for run in range(50, 450)]
    assert 0.70 <= np.mean(found) <= 0.90


def test_equality_is_claimed_rarely_where_it_does_not_hold_and_often_where_it_does() -> None:
    def claimed(mean: float) -> float:
        runs = [estimate(drawn(5, 300, (0.0, 0.02, 0.1), run, mean)) for run in range(400)]
        return float(np.mean([equivalence(found, 0.01) < 0.05 for found in runs]))

    assert claimed(0.01) <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert claimed(0.0) > 0.5


def test_the_mean_over_one_collection_is_that_of_the_collection() -> None:
    for run, shape in enumerate([(1, 40), (2, 40), (5, 8), (3, 300)]):
        values = drawn(*shape, (0.1, 0.3, 0.2), run, mean=0.4)
        values[:, 0] = np.nan
        one, mean = estimate(values), estimate_mean([values])
        assert (mean.mean, mean.low, mean.high) == pytest.approx((one.mean, one.low, one.high))
        assert p_value(mean) == pytest.approx(p_value(one))


def test_with_one_seed_the_variance_of_a_mean_is_that_of_independent_means() -> None:
    """By hand: half of the interval is the root of the sum of each collection's squared half, by their number."""
    tables = [drawn(1, queries, (0, 0.3, 0.2), queries) for queries in (12, 40, 300)]
    halves = np.array([estimate(table).half for table in tables])
    found = estimate_mean(tables)
    assert found.mean == pytest.approx(np.mean([table.mean() for table in tables]))
    assert found.half == pytest.approx(np.sqrt((halves**2).sum()) / 3)
    assert not found.tested


def test_seeds_that_move_all_collections_alike_are_not_averaged_out() -> None:
    """Five collections with the same effect of each seed know no more of it than one: the t test over seeds says so."""
    by_seed = np.array([[0.1], [0.2], [-0.1], [0.05]])
    found = estimate_mean([by_seed + np.zeros((4, queries)) for queries in (5, 9, 20, 60, 7)])
    interval = stats.ttest_1samp(by_seed.ravel(), 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("shared", [0.0, 0.05], ids=["apart", "shared"])
@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS.keys())
def test_intervals_of_a_mean_hold_the_truth_as_often_as_they_say(
    spread: tuple[float, float, float], shared: float
) -> None:
    """Three collections of other sizes, three seeds; seeds may move all of them alike."""
    held = []
    for run in range(400):
        common = shared * np.random.default_rng(run + 9000).standard_normal((3, 1))
        tables = [common + drawn(3, queries, spread, 3 * run + at) for at, queries in enumerate((30, 60, 120))]
        found = estimate_mean(tables)
        held.append(found.low <= 0 <= found.high)
    assert np.mean(held) >= 0.925


def test_too_little_has_no_mean_or_no_interval() -> None:
    assert np.isnan(estimate_mean([np.zeros((2, 3)), np.full((2, 3), np.nan)]).mean)
    one = estimate_mean([np.array([[0.25]]), np.array([[0.75]])])
    assert one.mean == 0.5
    assert np.isnan(one.low)
    same = estimate_mean([np.full((3, 4), 0.5), np.full((3, 2), 0.7)])
    assert (same.low, same.high, p_value(same)) == (pytest.approx(0.6), pytest.approx(0.6), 1.0)
