"""PPI against closed forms, enumeration and simulation."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from made_pairs import audited, population

from negbench.evaluation import intervals
from negbench.evaluation.false_negatives import Pairs
from negbench.evaluation.false_negatives.ppi import PPI, of_design

NOTHING = np.zeros(0)


def _pairs(queries: list[int], strata: list[int], probability: list[float], labels: list[float]) -> Pairs:
    n = len(queries)
    return Pairs(
        queries=np.array(queries, np.int32),
        documents=np.arange(n, dtype=np.int32),
        weights=np.ones(n),
        ranks=np.zeros(n, np.int32),
        scores=np.zeros(n),
        positive_scores=np.zeros(n),
        strata=np.array(strata, np.int32),
        probability=np.array(probability),
        labels=np.array(labels),
    )


def test_it_is_unbiased_over_all_samples() -> None:
    relevant, strata = [1, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1]
    found = []
    for first in itertools.combinations(range(5), 2):
        for second in itertools.combinations(range(5, 8), 2):
            drawn = {*first, *second}
            probability = [(0.4 if at < 5 else 2 / 3) if at in drawn else 0.0 for at in range(8)]
            labels = [float(relevant[at]) if at in drawn else np.nan for at in range(8)]
            found.append(PPI().of(_pairs(list(range(8)), strata, probability, labels)).rate)
    assert len(found) == 30
    assert np.mean(found) == pytest.approx(3 / 8)


def test_without_a_judge_and_strata_it_is_the_clustered_proportion() -> None:
    pairs, relevant = population()
    one = replace(audited(replace(pairs, judge=None), relevant, len(relevant)), strata=np.zeros(400, np.int32))
    asked = np.random.default_rng(3).random(400) < 0.25
    one = replace(one, probability=np.where(asked, 0.25, 0), labels=np.where(asked, relevant, np.nan))
    found = PPI(few=1000).of(one)
    hits = np.bincount(pairs.queries, asked * relevant, minlength=100)
    totals = np.bincount(pairs.queries, asked.astype(float), minlength=100)
    assert (found.rate, found.low, found.high) == pytest.approx(intervals.proportion(hits, totals))


def test_for_these_queries_it_is_the_textbook_stratified_variance() -> None:
    """A simple random sample of a tenth, a fifth, ... of each stratum."""
    pairs, relevant = population(queries=200)
    strata = audited(pairs, relevant, 10).strata
    assert strata is not None
    probability, luck = np.zeros(len(strata)), np.random.default_rng(1).random(len(strata))
    variance, n = 0.0, 0
    for stratum in np.unique(strata):
        mine = np.flatnonzero(strata == stratum)
        drawn = mine[np.argsort(luck[mine])][: len(mine) * (stratum + 1) // 10 + 2]
        probability[drawn] = len(drawn) / len(mine)
        values, n = relevant[drawn], n + len(drawn)
        variance += (len(mine) / 800) ** 2 * values.var(ddof=1) / len(values) * (1 - len(values) / len(mine))
    labels = np.where(probability > 0, relevant, np.nan)
    one = replace(pairs, judge=None, strata=strata, probability=probability, labels=labels)
    found = PPI(inference="these-queries", few=0).of(one)
    degrees = n - len(np.unique(strata))
    assert (found.low, found.high) == pytest.approx(intervals.of_sample(found.rate, variance, degrees, 800.0))


def test_drawn_by_weight_the_estimate_and_its_variance_are_right_on_average() -> None:
    """Over 3,000 samples: the rate is unbiased, and the variance that each of them shows is the one between them."""
    pairs, relevant = population(queries=60)
    draw = np.random.default_rng(0)
    heavy = replace(pairs, judge=None, weights=np.repeat(1 / (1 + np.arange(60)), 4) * draw.uniform(0.5, 2, 240))
    rates, shown = [], []
    for seed in range(3000):
        one = audited(heavy, relevant, 60, seed)
        assert one.probability is not None
        assert one.strata is not None
        drawn = one.probability > 0
        found = PPI(inference="these-queries").of(one)
        rates.append(found.rate)
        each = np.where(drawn, heavy.weights / np.where(drawn, one.probability, 1.0), 0.0)
        values = (each / each.sum() * (relevant - found.rate))[drawn]
        shown.append(of_design(values, one.probability[drawn], one.strata[drawn]))
    truth = float(heavy.weights @ relevant) / float(heavy.weights.sum())
    assert np.mean(rates) == pytest.approx(truth, abs=4 * np.std(rates) / np.sqrt(3000))
    assert np.mean(shown) == pytest.approx(np.var(rates), rel=0.12)


def test_pairs_of_other_samplers_do_not_count() -> None:
    pairs, relevant = population()
    one = audited(pairs, relevant, 120)
    mine = pairs.queries % 2 == 0
    assert one.labels is not None
    share = replace(one, weights=np.where(mine, 1.0, 0.0), judge=None)
    turned = replace(share, labels=np.where(mine, one.labels, 1 - one.labels))
    first, second = PPI().of(share), PPI().of(turned)
    assert (first.rate, first.low, first.high) == (second.rate, second.low, second.high)


def test_a_useless_judge_costs_little_and_a_good_one_helps() -> None:
    pairs, relevant = population(queries=400)
    noise = np.random.default_rng(9).normal(size=len(relevant))
    width = {
        name: np.mean(
            [
                found.high - found.low
                for seed in range(30)
                for found in [PPI().of(audited(replace(pairs, judge=judge), relevant, 200, seed))]
            ]
        )
        for name, judge in (("none", None), ("noise", noise), ("good", 3 * relevant + noise))
    }
    assert width["noise"] < 1.03 * width["none"]
    assert width["good"] < 0.75 * width["none"]


@pytest.mark.parametrize("labels", [50, 300])
@pytest.mark.parametrize("rate", [0.03, 0.25])
def test_the_interval_covers(rate: float, labels: int) -> None:
    """Queries are drawn anew and audited anew; binomial error of 400 repetitions: 0.011."""
    pairs, relevant = population(queries=400, rate=rate)
    truth, draw, covered = relevant.mean(), np.random.default_rng(1), 0
    for seed in range(400):
        chosen = draw.integers(0, 400, 400)
        rows = (chosen[:, None] * 4 + np.arange(4)).ravel()
        again = Pairs(
            queries=np.repeat(np.arange(400), 4).astype(np.int32),
            documents=np.arange(1600, dtype=np.int32),
            weights=np.ones(1600),
            ranks=pairs.ranks[rows],
            scores=pairs.scores[rows],
            positive_scores=pairs.positive_scores[rows],
            judge=pairs.judge[rows] if pairs.judge is not None else None,
        )
        found = PPI().of(audited(again, relevant[rows], labels, seed))
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 400 <= (0.99 if rate * labels >= 10 else 1)


def test_no_hits_give_an_interval_from_zero_and_one_query_none_at_all() -> None:
    pairs, relevant = population()
    found = PPI().of(audited(pairs, np.zeros_like(relevant), 60))
    assert (found.rate, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 60))
    alone = PPI().of(_pairs([0, 0], [0, 0], [1.0, 1.0], [1.0, 0.0]))
    assert np.isnan(alone.rate)
    assert "labels of 1 queries" in alone.note


def test_an_unanswered_pair_counts_as_not_drawn() -> None:
    full = PPI().of(_pairs([0, 1, 2, 3], [0] * 4, [0.5, 0.5, 0, 0], [1, 0, np.nan, np.nan]))
    part = PPI().of(_pairs([0, 1, 2, 3], [0] * 4, [0.75, 0.75, 0.75, 0], [1, 0, np.nan, np.nan]))
    assert (part.rate, part.low, part.high) == (full.rate, full.low, full.high)
