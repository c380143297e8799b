"""Each verdict, on values whose intervals are known in closed form."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from made_papers import additive, sample
from scipy import stats

from negbench.errors import InputError
from negbench.evaluation import intervals
from negbench.papers import samples
from negbench.papers.samples import Sample, compare, kendall, of, rate
from negbench.papers.statements import Comparison, Operation, Value, parse
from negbench.papers.verdicts import Finding, decide
from negbench.types import Float64

A, B, C = (Value("nDCG@10", name) for name in "abc")
SEEDS, QUERIES = [-0.01, 0.0, 0.01], [-0.03, -0.01, 0.01, 0.03]
"""Effects of seeds and queries; differences of ``additive`` values have no rest."""
BASE = additive(0.4, [0.02, 0.0, -0.02], [0.1, -0.2, 0.3, -0.2])


def _half() -> float:
    """Return half of the 95 % interval of the mean of an effect of three seeds and one of four queries."""
    of_seeds, of_queries = np.var(SEEDS, ddof=1) / 3, np.var(QUERIES, ddof=1) / 4
    return float(np.sqrt(stats.t.ppf(0.975, 2) ** 2 * of_seeds + stats.t.ppf(0.975, 3) ** 2 * of_queries))


def _ahead(by: float) -> dict[Value, Sample]:
    """Return samples of a and b, where a is ahead by ``by`` in the mean."""
    return {A: sample(BASE + additive(by, SEEDS, QUERIES)), B: sample(BASE)}


def _decide(text: str, found: dict[Value, Sample]) -> Finding:
    return decide({"it": parse(text)}, found)["it"]


def _holm(ps: list[float]) -> list[float]:
    places = sorted(range(len(ps)), key=lambda at: ps[at])
    largest, adjusted = 0.0, [0.0] * len(ps)
    for rank, at in enumerate(places):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = largest
    return adjusted


class TestDirections:
    @pytest.mark.parametrize("margin", [1e-3, 0.05, 1.0])
    def test_held_where_the_interval_lies_above_0(self, margin: float) -> None:
        found = _decide("a > b on nDCG@10", _ahead(_half() + margin))
        assert (found.verdict, found.why) == ("held", "the interval lies above 0")
        (difference,) = found.compared
        assert difference.label == "nDCG@10(a) - nDCG@10(b)"
        assert difference.low == pytest.approx(margin)
        assert difference.high == pytest.approx(2 * _half() + margin)
        assert (difference.seeds, difference.queries) == (3, 4)

    def test_not_held_where_it_lies_below_0(self) -> None:
        found = _decide("a > b on nDCG@10", _ahead(-_half() - 1e-3))
        assert (found.verdict, found.why) == ("not held", "the interval lies below 0")

    @pytest.mark.parametrize("by", [-0.999, -0.5, 0.0, 0.5, 0.999])
    def test_undecided_where_0_lies_in_it(self, by: float) -> None:
        found = _decide("a > b on nDCG@10", _ahead(by * _half()))
        assert found.verdict == "undecided"
        assert found.p is not None
        assert found.p > 0.05 - 1e-9
        told = float(found.why.removeprefix("the least difference that would have been found is "))
        assert told > _half()  # at 80 % power more than half of the interval

    def test_the_claims_least_size_is_part_of_it(self) -> None:
        ahead = _ahead(2 * _half())
        assert _decide(f"a > b by at least {_half() / 2} on nDCG@10", ahead).verdict == "held"
        assert _decide(f"a > b by at least {1.5 * _half()} on nDCG@10", ahead).verdict == "undecided"
        found = _decide(f"a > b by at least {3.5 * _half()} on nDCG@10", ahead)
        assert found.verdict == "not held"
        assert found.compared[0].mean == pytest.approx(2 * _half())  # the difference itself, not what it lacks

    def test_a_chain_holds_where_all_of_it_does(self) -> None:
        far, near = 2 * _half(), _half() / 2
        for first, second, verdict in ((far, far, "held"), (far, near, "undecided"), (far, -far, "not held")):
            found = _ahead(first)
            found[C] = sample(BASE - additive(second, SEEDS, QUERIES))
            assert _decide("a > b > c on nDCG@10", found).verdict == verdict

    def test_two_seeds_decide_nothing(self) -> None:
        values = additive(5.0, [-0.01, 0.01], QUERIES)
        found = _decide("a > b on nDCG@10", {A: sample(BASE[:2] + values), B: sample(BASE[:2])})
        assert (found.verdict, found.p) == ("undecided", None)
        assert found.why == "2 seeds: a claim about trainings needs 3"

    def test_without_training_queries_decide(self) -> None:
        queries = np.array([[0.1, 0.2, 0.3, 0.25]])
        found = _decide("a > b on nDCG@10", {A: sample(BASE[:1] + queries, False), B: sample(BASE[:1], False)})
        assert found.verdict == "held"
        p = stats.ttest_1samp(queries[0], 0).pvalue
        assert found.p == pytest.approx(p)
        assert found.compared[0].seeds is None

    def test_a_reference_is_paired_with_every_seed(self) -> None:
        found = _ahead(1.0)
        reference = sample(BASE[:1], False)
        difference = of(Operation("-", A, B), {A: found[A], B: reference})
        assert isinstance(difference, Sample)
        assert difference.values == pytest.approx(found[A].values - BASE[:1])

    def test_values_that_are_all_the_same_decide_nothing(self) -> None:
        found = _decide("a > b on nDCG@10", {A: sample(BASE + 0.1), B: sample(BASE)})
        assert (found.verdict, found.why) == ("undecided", "nothing varies")

    def test_other_queries_cannot_be_paired(self) -> None:
        other = Sample(BASE, ("h/0", "h/1", "h/2", "h/3"), (0, 1, 2))
        with pytest.raises(InputError, match=r"statements.it: nDCG@10\(a\) and nDCG@10\(b\) are over different quer"):
            _decide("a > b on nDCG@10", {A: sample(BASE), B: other})

    def test_shared_seeds_are_paired(self) -> None:
        b = Sample(BASE[[2, 0]], sample(BASE).queries, (2, 0))
        difference = of(Operation("-", A, B), {A: sample(BASE), B: b})
        assert isinstance(difference, Sample)
        assert difference.seeds == (0, 2)
        assert not difference.values.any()


class TestHolm:
    def test_over_all_statements_that_are_tested(self) -> None:
        rng = np.random.default_rng(0)
        found = {value: sample(rng.normal(at / 10, 0.2, (3, 30))) for at, value in enumerate((A, B, C))}
        texts = {"one": "a < b on nDCG@10", "two": "b < c on nDCG@10", "three": "a < c on nDCG@10"}
        statements = {name: parse(text) for name, text in texts.items()} | {"v": parse("RR(a) = 1 ± 1")}
        findings = decide(statements, {**found, Value("RR", "a"): sample(BASE)})
        raw = {name: _decide(text, found).p for name, text in texts.items()}
        for name, p in zip(raw, _holm([it or 0.0 for it in raw.values()]), strict=True):
            assert findings[name].p == pytest.approx(p)
            assert findings[name].family == 3
        assert findings["v"].p is None

    def test_statements_that_were_left_out_count(self) -> None:
        found = _ahead(_half() * 1.01)
        assert decide({"it": parse("a > b on nDCG@10")}, found)["it"].verdict == "held"
        left = decide({"it": parse("a > b on nDCG@10")}, found, 3)["it"]
        assert (left.verdict, left.family) == ("undecided", 4)


class TestValues:
    @pytest.mark.parametrize(
        ("expected", "tolerance", "verdict"),
        [(0.4, 0.0, "reproduced"), (0.41, 0.01, "reproduced"), (0.41, 0.0099, "not reproduced")],
    )
    def test_within_the_tolerance(self, expected: float, tolerance: float, verdict: str) -> None:
        found = _decide(f"a = {expected} ± {tolerance} on nDCG@10", {A: sample(BASE)})
        assert found.verdict == verdict
        assert found.why.startswith(f"{abs(0.4 - expected):.2g} off")

    def test_one_value_has_no_interval(self) -> None:
        found = _decide("a = 0.5 ± 0 on nDCG@10", {A: Sample(np.array([[0.5]]), ("",), None)})
        assert found.verdict == "reproduced"
        assert math.isnan(found.values[0].low)


class TestBounds:
    @pytest.mark.parametrize(
        ("mean", "verdict"),
        [(0.5, "held"), (0.41, "undecided"), (0.595, "undecided"), (0.3, "not held"), (0.7, "not held")],
    )
    def test_between(self, mean: float, verdict: str) -> None:
        assert 0.02 < _half() < 0.1
        found = _decide("a between 0.4 and 0.6 on nDCG@10", {A: sample(additive(mean, SEEDS, QUERIES))})
        assert found.verdict == verdict

    @pytest.mark.parametrize(
        ("by", "verdict"),
        [(0.0, "held"), (0.06, "undecided"), (-0.06, "undecided"), (0.2, "not held"), (-0.2, "not held")],
    )
    def test_equality_within_a_margin(self, by: float, verdict: str) -> None:
        assert _half() < 0.1
        assert _decide("a = b within 0.1 on nDCG@10", _ahead(by)).verdict == verdict


class TestRates:
    HITS = np.array([[1.0, 0, 0, 2, 0, 1, 0, 0]])
    TOTALS = np.array([[4.0, 4, 2, 4, 4, 1, 4, 4]])
    QUERIES = tuple(f"g/{at}" for at in range(8))

    def test_linearised_values_have_the_variance_of_a_ratio(self) -> None:
        found = rate(self.HITS, self.TOTALS, self.QUERIES, None)
        share = 4 / 27
        assert found.mean == pytest.approx(share)
        residuals = self.HITS[0] - share * self.TOTALS[0]
        variance = 8 / 7 * (residuals**2).sum() / 27**2
        assert found.values.var(ddof=1) / 8 == pytest.approx(variance)

    def test_the_interval_of_a_rate_is_clustered_by_query(self) -> None:
        found = _decide("rate(a) < 0.9", {Value("rate", "a"): rate(self.HITS, self.TOTALS, self.QUERIES, None)})
        figure = found.values[0]
        assert (figure.mean, figure.low, figure.high) == pytest.approx(
            intervals.proportion(self.HITS[0], self.TOTALS[0])
        )
        assert found.verdict == "held"

    @pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
    def test_p_of_a_bound_is_where_the_interval_ends(self, level: float) -> None:
        _, low, high = intervals.proportion(self.HITS[0], self.TOTALS[0], level)
        found = rate(self.HITS, self.TOTALS, self.QUERIES, None)
        for bound in (low, high):
            assert samples.assess(found, bound).p == pytest.approx(1 - level, rel=1e-6)

    @pytest.mark.parametrize(
        ("says", "verdict", "why"),
        [
            ("rate(a) < 0.9", "held", "the interval lies below 0.9"),
            ("rate(a) > 0.01", "held", "the interval lies above 0.01"),
            ("rate(a) > 0.8 by at least 0.1", "not held", "the interval lies below 0.9"),
            ("rate(a) < 0.02 by at least 0.01", "not held", "the interval lies above 0.01"),
        ],
    )
    def test_a_bound_is_told_as_it_is_claimed(self, says: str, verdict: str, why: str) -> None:
        found = _decide(says, {Value("rate", "a"): rate(self.HITS, self.TOTALS, self.QUERIES, None)})
        assert (found.verdict, found.why) == (verdict, why)

    def test_no_hits_can_hold(self) -> None:
        none = rate(np.zeros((3, 300)), np.full((3, 300), 4.0), tuple(f"g/{at}" for at in range(300)), (0, 1, 2))
        found = {Value("rate", "a"): none}
        assert _decide("rate(a) < 2 %", found).verdict == "held"
        assert _decide("rate(a) < 0.5 %", found).verdict == "undecided"
        assert _decide("rate(a) between 1 % and 5 %", found).verdict == "undecided"
        assert _decide("rate(a) between 3 % and 5 %", found).verdict == "not held"

    def test_differences_are_paired_by_query(self) -> None:
        """Two rates whose false negatives are of the same queries differ less than two that are of others."""
        hits = np.tile([1.0, 0, 0, 0, 0], 20)[None]
        totals = np.full((1, 100), 2.0)
        names = tuple(f"g/{at}" for at in range(100))
        one = rate(hits, totals, names, None)
        same, other = rate(2 * hits, totals, names, None), rate(2 * np.roll(hits, 1), totals, names, None)
        a, b = Value("rate", "a"), Value("rate", "b")
        comparison = Comparison(b, a)
        assert compare(comparison, {a: one, b: same}).p < compare(comparison, {a: one, b: other}).p
        assert compare(comparison, {a: one, b: same}).mean == pytest.approx(0.1)


class TestArithmetic:
    def test_a_ratio_has_the_variance_of_the_delta_method(self) -> None:
        rng = np.random.default_rng(1)
        a, b = rng.normal(1, 0.1, (1, 50)), rng.normal(2, 0.3, (1, 50))
        found = of(Operation("/", A, B), {A: sample(a, False), B: sample(b, False)})
        assert isinstance(found, Sample)
        ratio = a.mean() / b.mean()
        assert found.mean == pytest.approx(ratio)
        together = np.cov(a[0], b[0])
        variance = (together[0, 0] - 2 * ratio * together[0, 1] + ratio**2 * together[1, 1]) / b.mean() ** 2
        assert found.values.var(ddof=1) == pytest.approx(variance)

    def test_a_product_has_the_variance_of_the_delta_method(self) -> None:
        rng = np.random.default_rng(2)
        a, b = rng.normal(1, 0.1, (1, 50)), rng.normal(2, 0.3, (1, 50))
        found = of(Operation("*", A, B), {A: sample(a, False), B: sample(b, False)})
        assert isinstance(found, Sample)
        together = np.cov(a[0], b[0])
        weights = np.array([b.mean(), a.mean()])
        assert found.mean == pytest.approx(a.mean() * b.mean())
        assert found.values.var(ddof=1) == pytest.approx(weights @ together @ weights)

    def test_a_share_of_a_rate_that_is_removed(self) -> None:
        hits, totals = np.tile([2.0, 0], (1, 30)), np.full((1, 60), 4.0)
        names = tuple(f"g/{at}" for at in range(60))
        found = {
            Value("rate", "naive"): rate(hits, totals, names, None),
            Value("rate", "denoised"): rate(hits / 4, totals, names, None),
        }
        finding = _decide("1 - rate(denoised) / rate(naive) between 70 % and 80 %", found)
        assert finding.compared[0].mean == pytest.approx(0.75)


def _ladder(measure: str, seed: int) -> dict[Value, Sample]:
    """Return samples of a, b, c and d, of which each is a little above the last in truth."""
    rng = np.random.default_rng(seed)
    return {Value(measure, name): sample(rng.normal(at / 8, 0.3, (3, 40))) for at, name in enumerate("abcd")}


def _steps(measure: str, first: float, second: float) -> dict[Value, Sample]:
    """Return samples of a, b and c, which is ``second`` below b, which is ``first`` below a."""
    lower = BASE - additive(first, SEEDS, QUERIES)
    lowest = BASE - additive(first + second, SEEDS[::-1], QUERIES[::-1])
    return {Value(measure, name): sample(it) for name, it in zip("abc", (BASE, lower, lowest), strict=True)}


def _orders_left(tests: list[samples.Tested], adjusted: list[float]) -> list[Float64]:
    """Return the signs of all pairs of d, c, b and a in each order that has every decided pair as it was decided."""
    sure = [float(np.sign(it.mean)) if p <= 0.05 else None for it, p in zip(tests, adjusted, strict=True)]
    orders = []
    for places in itertools.permutations(range(4)):
        signs = [float(np.sign(one - other)) for one, other in itertools.combinations(places, 2)]
        if all(is_sure in (None, sign) for is_sure, sign in zip(sure, signs, strict=True)):
            orders.append(np.array(signs))
    return orders


class TestOrders:
    @pytest.mark.parametrize("seed", range(5))
    def test_the_interval_covers_every_order_that_is_not_excluded(self, seed: int) -> None:
        found = _ladder("RR", seed)
        statement = parse("order d > c > b > a on RR with tau at least 0.5")
        tests = [compare(it, found) for it in statement.comparisons]
        tau, low, high = kendall(tests, 0.05)
        ours = [found[Value("RR", name)].mean for name in "abcd"]
        assert tau == pytest.approx(stats.kendalltau(range(4), ours).statistic)
        taus = [float(np.mean(signs)) for signs in _orders_left(tests, _holm([it.p for it in tests]))]
        assert len(taus) in range(1, 24)  # some orders are excluded
        assert low <= min(taus) <= tau <= max(taus) <= high

    @pytest.mark.parametrize("seed", range(5))
    def test_the_interval_covers_every_two_orders_that_are_not_excluded(self, seed: int) -> None:
        found = _ladder("RR", seed) | _ladder("AP", seed + 5)
        statement = parse("order of d, c, b, a on RR as on AP with tau below 1")
        one, other = ([compare(it, found) for it in side] for side in (statement.comparisons, statement.against))
        tau, low, high = kendall(one, 0.05, other)
        means = [[found[Value(measure, name)].mean for name in "abcd"] for measure in ("RR", "AP")]
        assert tau == pytest.approx(stats.kendalltau(*means).statistic)
        adjusted = _holm([it.p for it in (*one, *other)])
        left = [_orders_left(one, adjusted[:6]), _orders_left(other, adjusted[6:])]
        taus = [float(np.mean(signs * others)) for signs, others in itertools.product(*left)]
        assert low <= min(taus) <= tau <= max(taus) <= high

    @pytest.mark.parametrize(
        ("step", "of_agreement", "of_difference"),
        [(1.0, "held", "not held"), (0.0, "undecided", "undecided"), (-1.0, "not held", "held")],
    )
    def test_verdicts_by_another_measure(self, step: float, of_agreement: str, of_difference: str) -> None:
        found = _steps("RR", 1.0, 1.0) | _steps("AP", step, step)
        for ending, verdict in (("at least 1", of_agreement), ("below 1", of_difference)):
            finding = _decide(f"order of a, b, c on RR as on AP with tau {ending}", found)
            assert finding.verdict == verdict
            assert finding.why.startswith("tau ")

    @pytest.mark.parametrize(
        ("steps", "verdict"), [((1.0, 1.0), "held"), ((1.0, 0.0), "undecided"), ((-1.0, -1.0), "not held")]
    )
    def test_verdicts(self, steps: tuple[float, float], verdict: str) -> None:
        finding = _decide("order a > b > c on RR with tau at least 0.5", _steps("RR", *steps))
        assert finding.verdict == verdict
        assert finding.why.startswith("tau ")
