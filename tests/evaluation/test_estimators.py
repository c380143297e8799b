"""Estimators: one suite over the registry, and each against a closed form."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from made_pairs import audited, held_out, labelled, population
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture

from negbench.evaluation.false_negatives import Estimator, HeldOut, Labelled, Pairs, Rate, TrainingNegatives
from negbench.evaluation.false_negatives.calibration import cross_fitted, folds
from negbench.evaluation.false_negatives.held_out import HeldOutPositives
from negbench.evaluation.false_negatives.judge import Judge
from negbench.evaluation.false_negatives.mixture import Mixture
from negbench.evaluation.false_negatives.ppi import PPI
from negbench.evaluation.false_negatives.propensity import Propensity
from negbench.evaluation.false_negatives.rank_bins import BIN_COUNT, rank_bin
from negbench.registry import registered
from negbench.types import Float64, Int32, Qrels

ESTIMATORS: list[Any] = [kind() for kind in registered("estimator").values()]


def _handed(pairs: Pairs, truth: Qrels | None = None) -> TrainingNegatives:
    return TrainingNegatives(
        queries=pairs.queries,
        documents=pairs.documents[:, None],
        weights=pairs.weights[:, None],
        truth=truth,
        truth_kind="none" if truth is None else "complete",
        pairs=pairs,
        labelled=labelled(),
        held_out=held_out(),
        copies=None if truth is None else Qrels(truth.queries[::3], truth.documents[::3], truth.grades[::3]),
    )


def _full() -> TrainingNegatives:
    pairs, relevant = population()
    truth = Qrels.of(
        [(int(q), int(d), 1) for q, d, y in zip(pairs.queries, pairs.documents, relevant, strict=True) if y]
    )
    copies = Qrels(
        truth.queries[::3], truth.documents[::3], truth.grades[::3]
    )  # what has a positive's text is relevant
    return replace(_handed(audited(pairs, relevant, 150), truth), copies=copies)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda it: it.name)
def test_rates_are_shares_with_a_note_and_an_interval_around_them(estimator: Estimator) -> None:
    found = estimator.estimate(_full())
    assert estimator.name in {name.partition("/")[0].removesuffix("-proxy") for name in found}
    for rate in found.values():
        assert np.isnan(rate.rate) or -1 <= rate.rate <= 1
        assert not rate.rate < rate.low
        assert not rate.rate > rate.high
        assert rate.note
        assert rate.unit in ("negative", "query", "instance")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda it: it.name)
def test_nothing_known_gives_nothing(estimator: Estimator) -> None:
    pairs, _ = population()
    bare = TrainingNegatives(
        queries=pairs.queries,
        documents=pairs.documents[:, None],
        weights=pairs.weights[:, None],
        truth=None,
        truth_kind="none",
    )
    assert estimator.estimate(bare) == {}


def test_every_rank_has_a_bin_and_the_last_is_below_the_pool() -> None:
    ranks = np.array([0, 3, 4, 15, 16, 63, 64, 255, 256, 10_000, -1], np.int32)
    assert rank_bin(ranks).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert BIN_COUNT == 6


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda it: it.name)
def test_the_order_of_pairs_does_not_matter(estimator: Estimator) -> None:
    handed = _full()
    assert handed.pairs is not None
    shuffled = np.random.default_rng(5).permutation(len(handed.queries))
    columns = {field.name: getattr(handed.pairs, field.name) for field in fields(Pairs)}
    pairs = Pairs(**{name: None if values is None else values[shuffled] for name, values in columns.items()})
    first, second = estimator.estimate(handed), estimator.estimate(replace(_handed(pairs, handed.truth)))
    for name, rate in first.items():
        ends = [getattr(second[name], key) for key in ("rate", "low", "high")]
        assert ends == pytest.approx([rate.rate, rate.low, rate.high], nan_ok=True, rel=1e-6, abs=1e-9)


def test_calibration_is_logistic_regression_that_never_sees_its_own_fold() -> None:
    pairs, relevant = population(queries=2000)
    assert pairs.judge is not None
    fold, asked = folds(pairs.queries), np.ones(len(relevant), bool)
    found = cross_fitted(pairs.judge, relevant, asked, fold)
    for part in range(5):
        peer = LogisticRegression(C=1e6).fit(pairs.judge[fold != part, None], relevant[fold != part])
        wanted = peer.predict_proba(pairs.judge[fold == part, None])[:, 1]
        assert found[fold == part] == pytest.approx(wanted, abs=0.005)
    flipped = np.where(fold == 0, 1 - relevant, relevant)
    assert (cross_fitted(pairs.judge, flipped, asked, fold)[fold == 0] == found[fold == 0]).all()


def test_an_unaudited_judge_is_an_index_and_the_teacher_is_refused() -> None:
    pairs, relevant = population()
    assert pairs.judge is not None
    alone = Judge().estimate(_handed(pairs))
    assert list(alone) == ["judge/index"]
    assert alone["judge/index"].rate == pytest.approx(pairs.judge.mean())
    assert np.isnan(alone["judge/index"].low)
    same = Judge().of(audited(replace(pairs, teacher=pairs.judge.copy()), relevant, 100))
    assert np.isnan(same.rate)
    assert "teacher" in same.note


def test_a_judge_is_not_calibrated_on_labels_from_elsewhere() -> None:
    pairs, relevant = population()
    one = audited(pairs, relevant, 150)
    assert one.labels is not None
    assert one.strata is not None
    head = replace(one, labels=np.where(one.strata == 0, one.labels, np.nan))
    assert "strata without a label" in Judge().of(head).note
    assert np.isnan(Judge().of(head).low)
    assert list(Judge().estimate(_handed(head))) == ["judge/index"]


def test_an_index_says_that_it_is_one_whatever_its_note() -> None:
    pairs, relevant = population()
    one = audited(pairs, relevant, 150)
    few = Judge(few=1000).of(one)  # calibrated, with too few labels for an interval
    nobody = replace(pairs, judge=np.full(len(relevant), np.nan))
    assert [it.index for it in (Judge().of(pairs), Judge().of(one), few, Judge().of(nobody))] == [True] + [False] * 3
    assert list(Judge().estimate(_handed(one))) == list(Judge().estimate(_handed(nobody))) == ["judge"]

    class Terse(Judge):
        def of(self, pairs: Pairs, fold: Int32 | None = None) -> Rate:
            return replace(super().of(pairs, fold), note="of few words")

    assert [list(Terse().estimate(_handed(it))) for it in (one, pairs)] == [["judge"], ["judge/index"]]


def test_the_judges_errors_are_correlated_with_the_teachers() -> None:
    pairs, relevant = population(queries=1000)
    assert pairs.judge is not None
    rng = np.random.default_rng(2).normal(size=len(relevant))
    akin = Judge().of(audited(replace(pairs, teacher=pairs.judge + 0.1 * rng), relevant, 600))
    other = Judge().of(audited(replace(pairs, teacher=8 * relevant + rng), relevant, 600))
    assert float(akin.note.split("correlate ")[1].split()[0]) > 0.9
    assert float(other.note.split("correlate ")[1].split()[0]) < 0.6


def _scored(seed: int) -> tuple[Pairs, Float64]:
    """Return 800 pairs of 80 queries and their relevance, which the judge's score decides but for chance.

    Queries differ in their mean score by a standard deviation of 0.8, the pairs of one by 1.
    """
    draw = np.random.default_rng(seed)
    query = np.repeat(np.arange(80), 10).astype(np.int32)
    score = 0.8 * draw.normal(size=80)[query] + draw.normal(size=800)
    relevant = (draw.random(800) < 1 / (1 + np.exp(2 - 1.2 * score))).astype(np.float64)
    ranks, nothing = draw.integers(0, 100, 800).astype(np.int32), np.zeros(800)
    return Pairs(
        queries=query,
        documents=np.arange(800, dtype=np.int32),
        weights=np.ones(800),
        ranks=ranks,
        scores=nothing,
        positive_scores=nothing,
        judge=score,
    ), relevant


def test_the_judge_s_interval_holds_the_rate_of_queries_like_these_as_often_as_it_says() -> None:
    """120 runs: a share of 0.95 has a standard error of 0.02. A variance four times too small holds it in 0.73."""
    places = np.linspace(-8, 8, 4001)  # the rate over all queries, by quadrature over the scores
    density = np.exp(-(places**2) / (2 * 1.64)) / np.sqrt(2 * np.pi * 1.64)
    truth = float((density / (1 + np.exp(2 - 1.2 * places))).sum() * (places[1] - places[0]))
    found = [Judge().of(audited(*_scored(seed), 200, seed)) for seed in range(120)]
    assert np.mean([rate.rate for rate in found]) == pytest.approx(truth, abs=0.01)
    assert 0.9 <= np.mean([rate.low <= truth <= rate.high for rate in found]) <= 0.985
    assert all("queries like these" in rate.note for rate in found)


@pytest.mark.parametrize("estimator", [Judge(), PPI()], ids=lambda it: it.name)
def test_a_calibrated_judge_finds_the_rate(estimator: Any) -> None:
    pairs, relevant = population(queries=500)
    found = [estimator.of(audited(pairs, relevant, 300, seed)) for seed in range(20)]
    assert np.mean([rate.rate for rate in found]) == pytest.approx(relevant.mean(), abs=0.015)


def test_propensity_finds_a_planted_rate_and_its_interval_is_of_the_right_width() -> None:
    """Labels missing at random at 0.4: what is unlabelled and relevant is known."""
    share, rates, covered, times = 0.4, [], 0, 120
    for seed in range(times):
        draw = np.random.default_rng(seed)
        relevant = draw.random((150, 100)) < draw.gamma(2, 0.5, 150)[:, None] * 0.3 * np.exp(-np.arange(100) / 30)
        shown = relevant & (draw.random(relevant.shape) < share)
        bins = rank_bin(np.arange(100, dtype=np.int32))
        found = [np.stack([mark[:, bins == b].sum(axis=1) for b in range(BIN_COUNT)], 1) for mark in (shown, ~shown)]
        query, rank = np.nonzero(~shown)
        n = len(query)
        pairs = Pairs(
            queries=query.astype(np.int32),
            documents=rank.astype(np.int32),
            weights=np.ones(n),
            ranks=rank.astype(np.int32),
            scores=np.zeros(n),
            positive_scores=np.zeros(n),
        )
        rate = Propensity(frequency=share).of(pairs, Labelled(*[it.astype(float) for it in found]))
        truth = 0.6 * np.mean(np.clip(draw.gamma(2, 0.5, 20000)[:, None] * 0.3 * np.exp(-np.arange(100) / 30), 0, 1))
        truth /= 1 - truth / 0.6 * 0.4
        rates.append(rate.rate - truth)
        covered += rate.low <= truth <= rate.high
    assert np.mean(rates) == pytest.approx(0, abs=0.003)
    assert 0.89 <= covered / times <= 0.99


def test_without_a_propensity_nothing_is_identified_but_bounds() -> None:
    pairs, _ = population()
    found = Propensity().of(pairs, labelled())
    assert np.isnan(found.rate)
    assert found.low == 0
    assert "not identified" in found.note
    assert found.high >= Propensity(frequency=0.5).of(pairs, labelled()).rate
    assert Propensity(curve=(0.5,) * BIN_COUNT).of(pairs, labelled()).rate == pytest.approx(
        Propensity(frequency=0.5).of(pairs, labelled()).rate
    )


def test_a_propensity_curve_fitted_on_an_audit_gives_back_the_audit() -> None:
    pairs, relevant = population(queries=300)
    one = audited(pairs, relevant, 1200)
    assert Propensity().of(one, labelled()).rate == pytest.approx(relevant.mean(), rel=1e-6)


def test_held_out_at_a_known_label_frequency_is_the_natural_rate() -> None:
    """Of 100 relevant pairs in 1,000 that are drawn alike, 60 are labelled, half of these are hidden."""
    found = HeldOut(np.array([30.0, 0.0]), np.array([485.0, 485.0]), 0.5)
    natural = HeldOutPositives(frequency=0.6).natural(found)
    assert natural.rate == pytest.approx(40 / 940)
    band = HeldOutPositives().natural(found)
    assert np.isnan(band.rate)
    assert band.low < 40 / 940 < band.high
    assert "not identified" in band.note


@pytest.mark.parametrize(("hidden", "known"), [(0.0, False), (0.004, False), (0.06, True)])
def test_held_out_gives_no_number_where_nearly_all_queries_have_one_positive(hidden: float, known: bool) -> None:
    counts = HeldOut(np.zeros(50), np.ones(50), hidden)
    nothing = np.zeros((0, 1))
    handed = TrainingNegatives(
        queries=np.zeros(0, np.int32),
        documents=nothing.astype(np.int32),
        weights=nothing,
        truth=None,
        truth_kind="none",
        held_out=counts,
    )
    rates = HeldOutPositives().estimate(handed)
    assert np.isfinite(rates["held-out"].rate) == known
    assert ("cannot be estimated" in rates["held-out"].note) != known
    assert ("held-out/natural" in rates) == known


def test_the_mixture_is_that_of_scikit_learn_and_fails_in_words() -> None:
    draw = np.random.default_rng(0)
    scores = np.concatenate([draw.normal(-3, 1, 900), draw.normal(2, 0.7, 100)])
    pairs, _ = population(queries=250)
    found = Mixture().of(replace(pairs, judge=scores))
    peer = GaussianMixture(2, random_state=0, tol=1e-8, max_iter=1000).fit(scores[:, None])
    assert found.rate == pytest.approx(peer.weights_[peer.means_[:, 0].argmax()], abs=1e-3)
    single = Mixture().of(replace(pairs, judge=draw.normal(size=1000)))
    assert np.isnan(single.rate)
    assert "not estimable" in single.note


@pytest.mark.parametrize("upper", [(2.5, 0.4), (4.0, 1.5)])
def test_the_mixture_fails_where_its_components_are_nearer_than_asked(upper: tuple[float, float]) -> None:
    """The distance of the centres in pooled standard deviations, by scikit-learn's fit."""
    draw = np.random.default_rng(1)
    scores = np.concatenate([draw.normal(0, 1, 1400), draw.normal(*upper, 600)])
    pairs = replace(population(queries=500)[0], judge=scores)
    peer = GaussianMixture(2, random_state=0, tol=1e-8, max_iter=2000).fit(scores[:, None])
    apart = float(np.ptp(peer.means_) / np.sqrt(peer.covariances_.mean()))
    assert np.isfinite(Mixture(apart=apart - 0.02).of(pairs).rate)
    failed = Mixture(apart=apart + 0.02).of(pairs)
    assert np.isnan([failed.rate, failed.low, failed.high]).all()
    assert f"components of the judge's scores are {apart:.1f} standard deviations apart" in failed.note
