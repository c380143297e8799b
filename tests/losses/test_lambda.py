"""LambdaLosses against their sums, pair by pair in float64."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp, log1p

import pytest
import torch
from made_batches import DOCUMENTS, ROWS, made, slope, spelled

from negbench.losses.lambda_graded import LambdaGraded
from negbench.requirements import TeacherTargets

SEEDS = range(5)


def softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


@pytest.mark.parametrize("seed", SEEDS)
class TestOwnList:
    """lambda-mrr among a row's positives and its mined negatives."""

    @pytest.mark.parametrize("cut", [200, 2])
    def test_the_mean_over_pairs(self, seed: int, cut: int) -> None:
        batch, several = made(seed), 0
        found = spelled(f"lambda-mrr(among=own, cut={cut}, temperature=0.5)").rows(batch).tolist()
        for row in range(ROWS):
            s, good = batch.scores[row].double().tolist(), batch.known_mask[row].tolist()
            bad = [d for d in range(DOCUMENTS) if batch.mined_mask[row][d] and not good[d]]
            ranked = [d for d in range(DOCUMENTS) if good[d] or d in bad]
            rank = {d: 1 + sum(s[other] > s[d] for other in ranked) for d in ranked}
            worth = {d: 1 / rank[d] if rank[d] <= cut else 0.0 for d in ranked}
            pairs = [(i, j) for i in ranked for j in bad if good[i]]
            several += len(pairs) > 1
            wanted = mean([abs(worth[i] - worth[j]) * softplus((s[j] - s[i]) / 0.5) for i, j in pairs])
            assert found[row] == pytest.approx(wanted, rel=1e-4, abs=1e-7)
        assert several > 2

    def test_who_is_outside_neither_ranks_nor_pairs(self, seed: int) -> None:
        batch, loss = made(seed), spelled("lambda-mrr(among=own)")
        outside = ~batch.mined_mask & ~batch.known_mask
        assert outside.any()
        moved = replace(batch, scores=torch.where(outside, 5.0, batch.scores))
        assert loss.rows(moved).tolist() == loss.rows(batch).tolist()
        assert (slope(loss, batch)[outside] == 0).all()
        assert (slope(loss, batch) != 0).any()
        whole = spelled("lambda-mrr")
        assert whole.rows(moved).tolist() != whole.rows(batch).tolist()


def graded(places: int, top: int, hard: int) -> list[float]:
    return [1 / n if n <= top else -0.25 if n <= top + hard else -0.5 for n in range(1, places + 1)]


@pytest.mark.parametrize("seed", SEEDS)
class TestGraded:
    @pytest.mark.parametrize(("top", "hard"), [(1, 1), (2, 0), (1, 2), (9, 0)])
    def test_the_mean_over_pairs(self, seed: int, top: int, hard: int) -> None:
        batch, several = made(seed), 0
        batch = replace(batch, mined_mask=batch.mined_mask | batch.mined_mask.roll(1, 1) | batch.mined_mask.roll(2, 1))
        found = spelled(f"lambda-graded(top={top}, hard={hard}, temperature=0.5)").rows(batch).tolist()
        for row in range(ROWS):
            s, told = batch.scores[row].double().tolist(), batch.targets[TeacherTargets][row].tolist()
            own = [d for d in range(DOCUMENTS) if batch.mined_mask[row][d] and not batch.known_mask[row][d]]
            ranked = [d for d in (int(batch.positive_column[row]), *own) if told[d] == told[d]]
            by_teacher = sorted(ranked, key=lambda d: -told[d])
            label = dict(zip(by_teacher, graded(len(ranked), top, hard), strict=True))
            rank = {d: 1 + sum(s[other] > s[d] for other in ranked) for d in ranked}
            values = [
                abs(1 / rank[i] - 1 / rank[j]) * softplus((s[j] - s[i]) / 0.5)
                for i in ranked
                for j in ranked
                if label[i] > label[j]
            ]
            several += len(values) > 1
            assert found[row] == pytest.approx(mean(values), rel=1e-4, abs=1e-7)
        assert several > 3

    def test_what_has_no_score_and_what_is_not_the_row_s_own_has_no_gradient(self, seed: int) -> None:
        batch, loss = made(seed), spelled("lambda-graded(top=1, hard=1)")
        mine = (batch.mined_mask & ~batch.known_mask).scatter(1, batch.positive_column[:, None], value=True)
        left_out = ~mine | batch.targets[TeacherTargets].isnan()
        assert (slope(loss, batch)[left_out] == 0).all()
        assert (slope(loss, batch) != 0).any()


class TestStages:
    """CL-DRD: the order of stages changes how fine the labels are, and nothing else."""

    def test_with_all_at_the_top_every_place_has_a_label_of_its_own(self) -> None:
        labels = LambdaGraded(top=30, hard=0).labels(30).tolist()
        assert labels == pytest.approx([1 / place for place in range(1, 31)])
        assert all(high > low for high, low in pairwise(labels))

    def test_with_one_at_the_top_there_are_three_levels(self) -> None:
        labels = LambdaGraded(top=1, hard=12).labels(30).tolist()
        assert labels == [1.0] + [-0.25] * 12 + [-0.5] * 17

    def test_no_stage_turns_a_pair_around_and_the_last_has_them_all(self) -> None:
        counts = []
        for top, hard in ((5, 12), (10, 10), (30, 0)):
            labels = LambdaGraded(top=top, hard=hard).labels(30)
            assert labels.tolist() == pytest.approx(graded(30, top, hard))
            above = labels[:, None] > labels
            assert not above.tril().any()
            counts.append(int(above.sum()))
        assert counts == [10 + 5 * 25 + 12 * 13, 45 + 10 * 20 + 10 * 10, 30 * 29 // 2]

    def test_a_teacher_may_put_a_negative_above_the_labelled_positive(self) -> None:
        batch = made(0, masked=0, missing=0)
        told = batch.targets[TeacherTargets].scatter(1, batch.positive_column[:, None], 0.0)
        grad = slope(spelled("lambda-graded"), replace(batch, targets={TeacherTargets: told})).gather(
            1, batch.positive_column[:, None]
        )
        assert (grad[batch.mined_mask.any(1)] > 0).all()
