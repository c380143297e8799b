"""Estimates from answers against the rate that is known, agreement against the closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_frame import frame, relevant

from negbench.audit import draw, sheet
from negbench.audit.answers import Answer
from negbench.audit.estimate import agreement, estimate
from negbench.audit.frame import Frame
from negbench.types import Bool


def made(folder: Path, whole: Frame, labels: int = 120, seed: int = 0) -> sheet.Sheet:
    return sheet.write(folder / str(seed), whole, draw.draw(whole, labels, None, seed), seed)


def honest(made: sheet.Sheet, truth: Bool) -> dict[int, Answer]:
    return {item: "yes" if truth[pair] else "no" for item, pair in enumerate(made.items.tolist(), 1)}


def rate(whole: Frame, truth: Bool, method: int) -> float:
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
            half = {item: answer for item, answer in whole_answers.items() if item <= 40}
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
        found = estimate(asked, dict.fromkeys(range(1, 25), "no"))
        assert found is not None
        assert found.merged > 0
        assert found.rates["m2"].rate == 0

    def test_unsure_is_left_out_and_bounded(self, tmp_path: Path) -> None:
        whole = frame()
        asked = made(tmp_path, whole)
        said = honest(asked, relevant(whole))
        pairs = set(asked.items[:12].tolist())
        said |= {item: "unsure" for item, pair in enumerate(asked.items.tolist(), 1) if pair in pairs}
        found = estimate(asked, said)
        assert found is not None
        assert (found.unsure, found.labels, found.unanswered) == (12, 108, 0)
        low, high = found.unsure_as["m0"]
        assert low < found.rates["m0"].rate < high

    def test_too_few(self, tmp_path: Path) -> None:
        asked = made(tmp_path, frame())
        assert estimate(asked, {}) is None
        assert estimate(asked, {1: "yes", 2: "unsure"}) is None


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
        found = agreement(asked, said)
        assert found is not None
        assert found.pairs == 24
        assert found.equal == 0.5
        chance = 0.25 * 0.5 + 0.5 * 0.5 + 0.25 * 0  # yes, no, unsure
        assert found.kappa == pytest.approx((0.5 - chance) / (1 - chance))

    def test_without_both_answers_or_with_one_answer_alone(self, tmp_path: Path) -> None:
        asked = made(tmp_path, frame())
        assert agreement(asked, dict.fromkeys(range(1, 20), "no")) is None
        found = agreement(asked, dict.fromkeys(range(1, len(asked.items) + 1), "no"))
        assert found is not None
        assert found.equal == 1
        assert np.isnan(found.kappa)


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
