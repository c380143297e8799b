"""Estimates from answers against the rate that is known, agreement against the closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_answers import by
from made_population import frame, relevant
from sklearn.metrics import cohen_kappa_score

from negbench.auditing import draw, sheet
from negbench.auditing.answers import Answer, Answers
from negbench.auditing.estimate import agreement, between, by_pair, estimate
from negbench.auditing.population import Population
from negbench.types import Bool


def made(folder: Path, whole: Population, labels: int = 120, seed: int = 0) -> sheet.Sheet:
    return sheet.write(folder / str(seed), whole, draw.draw(whole, labels, None, seed), seed)


def honest(made: sheet.Sheet, truth: Bool) -> Answers:
    return by({item: "yes" if truth[pair] else "no" for item, pair in enumerate(made.items.tolist(), 1)})


def rate(whole: Population, truth: Bool, method: int) -> float:
    weights = whole.weights[method]
    return float(weights[truth].sum() / weights.sum())


class TestRate:
    def test_the_interval_covers_the_rate_and_is_not_idle(self, tmp_path: Path) -> None:
        whole = frame(methods=2)
        truth = relevant(whole)
        covered, widths, errors = [], [], []
        for seed in range(20):
            asked = made(tmp_path, whole, seed=seed)
            found = estimate(asked, honest(asked, truth))
            assert found is not None
            assert found.labels == found.drawn == 120
            for at, name in enumerate(whole.methods):
                one, true = found.rates[name], rate(whole, truth, at)
                covered.append(one.low <= true <= one.high)
                widths.append(one.high - one.low)
                errors.append(one.rate - true)
        assert np.mean(covered) >= 0.9
        assert np.mean(widths) < 0.25
        assert abs(np.mean(errors)) < 0.015

    def test_known_positives_count_in_full(self, tmp_path: Path) -> None:
        """Two of ten are known; were nobody else relevant, the rate would be 20 %, which no label can lower."""
        whole = frame(known=2)
        asked = made(tmp_path, whole)
        found = estimate(asked, honest(asked, np.zeros(len(whole), np.bool_)))
        assert found is not None
        assert found.rates["m0"].rate == pytest.approx(0.2)
        assert found.rates["m0"].low == pytest.approx(0.2)
        assert found.certain == 120
        truth = relevant(whole) | whole.labelled
        found = estimate(asked, honest(asked, truth))
        assert found is not None
        assert found.rates["m0"].low <= rate(whole, truth, 0) <= found.rates["m0"].high

    def test_a_census_is_exact(self, tmp_path: Path) -> None:
        whole = frame(queries=8, known=1)
        truth = relevant(whole) | whole.labelled
        asked = made(tmp_path, whole, labels=1000)
        found = estimate(asked, honest(asked, truth))
        assert found is not None
        true = pytest.approx(rate(whole, truth, 0))
        one = found.rates["m0"]
        assert (one.rate, one.low, one.high) == (true, true, true)


class TestMissing:
    def test_a_labeller_who_stops_halfway(self, tmp_path: Path) -> None:
        """Items come in a random order, so half of them tell the same, less sharply."""
        whole = frame()
        truth = relevant(whole)
        errors = []
        for seed in range(20):
            asked = made(tmp_path, whole, seed=seed)
            whole_answers = honest(asked, truth)
            half = {given: answer for given, answer in whole_answers.items() if given[0] <= 40}
            found, full = estimate(asked, half), estimate(asked, whole_answers)
            assert found is not None
            assert full is not None
            assert (found.labels, found.unanswered) == (40, 80)
            assert found.rates["m0"].high - found.rates["m0"].low > full.rates["m0"].high - full.rates["m0"].low
            errors.append(found.rates["m0"].rate - rate(whole, truth, 0))
        assert abs(np.mean(errors)) < 0.03

    def test_strata_without_answers_are_joined(self, tmp_path: Path) -> None:
        whole = frame(methods=3)
        asked = made(tmp_path, whole)
        found = estimate(asked, by(dict.fromkeys(range(1, 25), "no")))
        assert found is not None
        assert found.merged > 0
        assert found.rates["m2"].rate == 0

    def test_unsure_is_left_out_and_bounded(self, tmp_path: Path) -> None:
        whole = frame()
        asked = made(tmp_path, whole)
        said = honest(asked, relevant(whole))
        pairs = set(asked.items[:12].tolist())
        said |= by({item: "unsure" for item, pair in enumerate(asked.items.tolist(), 1) if pair in pairs})
        found = estimate(asked, said)
        assert found is not None
        assert (found.unsure, found.labels, found.unanswered) == (12, 108, 0)
        low, high = found.unsure_as["m0"]
        assert low < found.rates["m0"].rate < high

    def test_too_few(self, tmp_path: Path) -> None:
        asked = made(tmp_path, frame())
        assert estimate(asked, {}) is None
        assert estimate(asked, by({1: "yes", 2: "unsure"})) is None


class TestAgreement:
    def test_kappa_by_its_formula(self, tmp_path: Path) -> None:
        asked = made(tmp_path, frame())
        twice = [np.flatnonzero(asked.items == pair) + 1 for pair in np.unique(asked.items)]
        twice = [items for items in twice if len(items) == 2]
        first: list[Answer] = ["yes", "no", "no", "unsure"] * 6
        second: list[Answer] = ["yes", "no", "yes", "no"] * 6
        said: dict[int, Answer] = {}
        for (one, other), a, b in zip(twice, first, second, strict=True):
            said |= {int(one): a, int(other): b}
        found = agreement(by_pair(asked, by(said)))
        assert found is not None
        assert found.pairs == 24
        assert found.equal == 0.5
        chance = 0.25 * 0.5 + 0.5 * 0.5 + 0.25 * 0  # yes, no, unsure
        assert found.kappa == pytest.approx((0.5 - chance) / (1 - chance))

    def test_without_both_answers_or_with_one_answer_alone(self, tmp_path: Path) -> None:
        asked = made(tmp_path, frame())
        assert agreement(by_pair(asked, by(dict.fromkeys(range(1, 20), "no")))) is None
        found = agreement(by_pair(asked, by(dict.fromkeys(range(1, len(asked.items) + 1), "no"))))
        assert found is not None
        assert found.equal == 1
        assert np.isnan(found.kappa)


class TestAnnotators:
    def test_kappa_is_that_of_scikit_learn_over_what_both_answered(self, tmp_path: Path) -> None:
        """Each labels the sheet by chance and leaves out a part; what counts is found one pair at a time."""
        asked = made(tmp_path, frame())
        items = np.arange(1, len(asked.items) + 1)
        luck = np.random.default_rng(0)
        words: list[Answer] = ["yes", "no", "unsure"]
        said: Answers = {}
        for annotator in ("ann", "bo", "cy"):
            kept = luck.permutation(items)[:100].tolist()
            said |= by({item: words[luck.choice(3, p=[0.4, 0.5, 0.1])] for item in kept}, annotator)
        of_pair = {
            who: {
                int(pair): [
                    said[item, who]
                    for item in (np.flatnonzero(asked.items == pair) + 1).tolist()
                    if (item, who) in said
                ]
                for pair in np.unique(asked.items)
            }
            for who in ("ann", "bo", "cy")
        }
        own = {
            who: {pair: ([it for it in of if it != "unsure"] or of)[0] for pair, of in pairs.items() if of}
            for who, pairs in of_pair.items()
        }
        found = between(by_pair(asked, said))
        assert list(found) == [("ann", "bo"), ("ann", "cy"), ("bo", "cy")]
        for (one, other), how in found.items():
            shared = sorted(own[one].keys() & own[other].keys())
            both = [own[one][pair] for pair in shared], [own[other][pair] for pair in shared]
            assert 50 < how.pairs == len(shared) < 120
            assert how.kappa == pytest.approx(cohen_kappa_score(*both))
            assert how.equal == np.mean([a == b for a, b in zip(*both, strict=True)])
        again = agreement(by_pair(asked, said))
        twice = [of for pairs in of_pair.values() for of in pairs.values() if len(of) == 2]
        assert again is not None
        assert again.pairs == len(twice) > 20
        assert again.kappa == pytest.approx(cohen_kappa_score(*zip(*twice, strict=True)))

    @pytest.mark.parametrize(
        ("said", "label", "differing"),
        [
            ([("ann", "yes"), ("bo", "no"), ("cy", "no")], 0, True),
            ([("ann", "no"), ("bo", "yes"), ("cy", "yes")], 1, True),
            ([("ann", "no"), ("bo", "yes")], 0, True),
            ([("bo", "yes"), ("ann", "no")], 1, True),
            ([("ann", "unsure"), ("bo", "yes"), ("cy", "no")], 1, True),
            ([("ann", "unsure"), ("bo", "unsure")], None, False),
            ([("ann", "unsure"), ("bo", "no")], 0, False),
            ([("ann", "yes"), ("bo", "yes")], 1, False),
        ],
    )
    def test_the_majority_counts_and_a_tie_as_the_first_given(
        self, tmp_path: Path, said: list[tuple[str, Answer]], label: int | None, differing: bool
    ) -> None:
        """Everybody says no of every other pair."""
        asked = made(tmp_path, frame(queries=8), labels=1000)
        once = next(pair for pair in asked.items.tolist() if (asked.items == pair).sum() == 1)
        item = int(np.flatnonzero(asked.items == once)[0]) + 1
        others = [number for number in range(1, len(asked.items) + 1) if number != item]
        given: Answers = {(item, who): answer for who, answer in said}
        given |= {(number, who): "no" for number in others for who, _ in said}
        found = estimate(asked, given)
        assert found is not None
        assert found.differing == differing
        assert (found.unsure, found.labels) == ((1, 79) if label is None else (0, 80))
        if label is not None:
            assert found.rates["m0"].rate == pytest.approx(label / 80)

    def test_one_annotator_has_nobody_to_agree_with(self, tmp_path: Path) -> None:
        asked = made(tmp_path, frame())
        one = honest(asked, relevant(frame()))
        named: Answers = {(item, "ann"): answer for (item, _), answer in one.items()}
        first, second = estimate(asked, one), estimate(asked, named)
        assert first == second
        assert first is not None
        assert (first.between, first.differing) == ({}, 0)
        half: Answers = {
            (item, "ann" if item <= 20 else "bo"): answer for (item, _), answer in one.items() if item <= 40
        }
        apart = estimate(asked, half)
        assert apart is not None
        assert apart.between == {}


def test_a_judge_that_knows_narrows_the_interval_and_one_that_does_not_leaves_the_rate_right(tmp_path: Path) -> None:
    whole = frame(queries=200)
    truth = relevant(whole)
    noise = np.random.default_rng(0).normal(size=len(whole))
    widths = {}
    for name, judge in (("none", None), ("good", 4 * truth + noise), ("noise", noise)):
        drawn = draw.draw(whole, 200, None, 0, judge)
        asked = sheet.write(tmp_path / name, whole, drawn, 0, judge)
        found = estimate(sheet.load(tmp_path / name), honest(asked, truth))
        assert found is not None
        (one,) = found.rates.values()
        assert one.low <= rate(whole, truth, 0) <= one.high
        widths[name] = one.high - one.low
    assert widths["good"] < 0.75 * widths["none"]


def test_pairs_that_the_judge_left_out_are_drawn_and_counted_at_the_mean(tmp_path: Path) -> None:
    whole = frame(queries=200)
    truth = relevant(whole)
    judge = 4 * truth + np.random.default_rng(0).normal(size=len(whole))
    judge[::7] = np.nan
    mean = np.where(np.isnan(judge), np.nanmean(judge), judge)
    drawn, filled = (draw.draw(whole, 200, None, 0, scores) for scores in (judge, mean))
    assert np.array_equal(drawn.probability, filled.probability)
    sheet.write(tmp_path / "a", whole, drawn, 0, judge)
    asked = sheet.load(tmp_path / "a")
    assert asked.judge is not None
    assert np.array_equal(asked.judge, judge, equal_nan=True)
    found = estimate(asked, honest(asked, truth))
    assert found is not None
    (one,) = found.rates.values()
    assert one.low <= rate(whole, truth, 0) <= one.high
    assert f"; {np.isnan(judge).sum()} pairs without a score" in one.note
