from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from negbench.evaluation.false_negatives import Estimator, TrainingNegatives
from negbench.evaluation.false_negatives.exact import Exact
from negbench.types import Qrels


def handed(rows, truth, weights=None, kind="complete") -> TrainingNegatives:
    """Build from (query, [documents]) rows and {(query, document): grade}."""
    documents = np.array([documents for _, documents in rows] or np.zeros((0, 1)), np.int32)
    return TrainingNegatives(
        queries=np.array([query for query, _ in rows], np.int32),
        documents=documents,
        weights=np.ones(documents.shape) if weights is None else np.array(weights, np.float64),
        truth=None if truth is None else Qrels.of([(q, d, g) for (q, d), g in truth.items()]),
        truth_kind=kind,
    )


def brute(rows, truth, weights, grade) -> tuple[float, float, float] | None:
    """Return the three shares, counted one negative at a time."""
    sums = defaultdict(lambda: [0.0, 0.0])
    instances = []
    for (query, documents), line in zip(rows, weights, strict=True):
        struck = []
        for document, weight in zip(documents, line, strict=True):
            if document >= 0 and weight > 0:
                false = truth.get((query, document), 0) >= grade
                sums[query][0] += weight * false
                sums[query][1] += weight
                struck.append(false)
        if struck:
            instances.append(any(struck))
    if not sums:
        return None
    totals = np.array(list(sums.values()))
    return totals[:, 0].sum() / totals[:, 1].sum(), np.mean(totals[:, 0] / totals[:, 1]), np.mean(instances)


def test_a_case_counted_by_hand():
    """Query 0: 1 of 3 and 0 of 1; query 1: 2 of 2."""
    rows = [(0, [5, 6, 7]), (0, [6, -1, -1]), (1, [5, 8, -1])]
    rates = Exact().estimate(handed(rows, {(0, 5): 1, (1, 5): 2, (1, 8): 1, (1, 7): 1, (0, 8): 1}))
    assert {name: (rate.rate, rate.unit) for name, rate in rates.items()} == {
        "exact": (pytest.approx(3 / 6), "negative"),
        "exact/query": (pytest.approx((1 / 4 + 2 / 2) / 2), "query"),
        "exact/instance": (pytest.approx(2 / 3), "instance"),
    }
    assert all("complete judgments" in rate.note and "queries like these" in rate.note for rate in rates.values())


@st.composite
def cases(draw):
    k = draw(st.integers(0, 4))
    documents = st.lists(st.integers(-1, 6), min_size=k, max_size=k)
    rows = draw(st.lists(st.tuples(st.integers(0, 5), documents), max_size=12))
    weight = st.sampled_from([0.0, 0.25, 1.0, 3.0])
    weights = [draw(st.lists(weight, min_size=k, max_size=k)) for _ in rows]
    truth = draw(st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 6)), st.integers(0, 3), max_size=25))
    return rows, truth, weights, draw(st.integers(1, 3))


@given(cases())
def test_against_a_count_one_by_one(case):
    rows, truth, weights, grade = case
    rates = Exact(grade=grade).estimate(handed(rows, truth, weights or np.zeros((0, 1))))
    expected = brute(rows, truth, weights, grade)
    if expected is None:
        assert rates == {}
        return
    assert list(rates) == ["exact", "exact/query", "exact/instance"]
    assert [rate.rate for rate in rates.values()] == pytest.approx(expected)
    for rate in rates.values():
        assert 0 <= rate.low <= rate.rate + 1e-9
        assert rate.rate - 1e-9 <= rate.high <= 1


def test_a_planted_rate_is_found():
    """4 % of the negatives of 500 queries are relevant, each by its own coin."""
    random = np.random.default_rng(11)
    documents = random.permuted(np.tile(np.arange(100), (500, 1)), axis=1)[:, :8]
    planted = random.random((500, 100)) < 0.04
    truth = {(int(query), int(document)): 1 for query, document in np.argwhere(planted)}
    rates = Exact().estimate(handed(list(enumerate(documents.tolist())), truth))
    actual = planted[np.arange(500)[:, None], documents]
    assert rates["exact"].rate == actual.mean()
    assert rates["exact/query"].rate == pytest.approx(actual.mean())
    assert rates["exact/instance"].rate == actual.any(axis=1).mean()
    assert rates["exact"].low < 0.04 < rates["exact"].high
    assert rates["exact/instance"].low < 1 - 0.96**8 < rates["exact/instance"].high
    # Coins that know nothing of queries: the interval is about the binomial one of 4000 trials.
    exact = stats.binomtest(int(actual.sum()), 4000).proportion_ci(0.95, "exact")
    assert (rates["exact"].low, rates["exact"].high) == pytest.approx((exact.low, exact.high), rel=0.1)


def test_weights_count_by_their_ratio():
    rows, truth = [(0, [1, 2]), (1, [1, 2]), (2, [1, 2])], {(0, 1): 1, (1, 2): 1}
    weights = np.array([[3.0, 1.0], [2.0, 2.0], [1.0, 1.0]])
    rates = Exact().estimate(handed(rows, truth, weights))
    assert rates["exact"].rate == pytest.approx((3 + 2) / 10)
    assert rates["exact/query"].rate == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert rates["exact/instance"].rate == pytest.approx(2 / 3)
    for name, rate in Exact().estimate(handed(rows, truth, 0.01 * weights)).items():
        assert (rate.rate, rate.low, rate.high) == pytest.approx((rates[name].rate, rates[name].low, rates[name].high))


def test_a_repeated_row_weighs_but_is_no_further_evidence():
    rows = [(query, [10 * query + column for column in range(4)]) for query in range(30)]
    truth = {(query, 10 * query): 1 for query in range(12)}
    once = Exact().estimate(handed(rows, truth))["exact"]
    first = Exact().estimate(handed(rows + rows[:1], truth))["exact"]
    assert (once.rate, first.rate) == (pytest.approx(12 / 120), pytest.approx(13 / 124))
    thrice = Exact().estimate(handed(rows * 3, truth))["exact"]
    assert (thrice.rate, thrice.low, thrice.high) == pytest.approx((once.rate, once.low, once.high))


def test_no_false_negative_still_gives_an_interval():
    rates = Exact().estimate(handed([(query, [0, 1]) for query in range(40)], {(0, 5): 1}))
    expected = stats.binomtest(0, 40).proportion_ci(0.95, "exact").high
    for rate in rates.values():
        assert (rate.rate, rate.low, rate.high) == (0, 0, pytest.approx(expected))


def test_a_proxy_is_named_so():
    rates = Exact(grade=2).estimate(handed([(0, [1, 2]), (1, [1, 2])], {(0, 1): 2, (0, 2): 1}, kind="proxy"))
    assert list(rates) == ["exact-proxy", "exact-proxy/query", "exact-proxy/instance"]
    assert rates["exact-proxy"].rate == 0.25
    assert all("incomplete" in rate.note and "grade 2" in rate.note for rate in rates.values())


def test_nothing_to_say_without_truth_or_negatives():
    assert Exact().estimate(handed([(0, [1])], None, kind="none")) == {}
    assert Exact().estimate(handed([(0, []), (1, [])], {(0, 1): 1})) == {}
    assert Exact().estimate(handed([(0, [-1, -1])], {(0, 1): 1})) == {}
    assert Exact().estimate(handed([(0, [1, 2])], {(0, 1): 1}, weights=[[0, 0]])) == {}
    assert Exact().estimate(handed([], {(0, 1): 1})) == {}


def test_it_is_found_by_name_and_bounds_its_grade():
    assert Estimator.model_validate("exact(grade=2)") == Exact(grade=2)
    assert Exact(grade=2).spelling == "exact(grade=2)"
    with pytest.raises(ValidationError, match="grade"):
        Exact(grade=0)


def test_inputs_are_left_as_they_were():
    record = handed([(0, [1, -1]), (1, [2, 3])], {(0, 1): 1}, weights=[[2, 5], [1, 1]])
    Exact().estimate(record)
    assert record.weights.tolist() == [[2, 5], [1, 1]]
