"""LambdaLosses against their sums, pair by pair in float64."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log1p

import pytest
import torch
from made_batches import DOCUMENTS, ROWS, made, slope, spelled

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
            s, good = batch.scores[row].double().tolist(), batch.relevant[row].tolist()
            bad = [d for d in range(DOCUMENTS) if batch.own[row][d] and not good[d]]
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
        outside = ~batch.own & ~batch.relevant
        assert outside.any()
        moved = replace(batch, scores=torch.where(outside, 5.0, batch.scores))
        assert loss.rows(moved).tolist() == loss.rows(batch).tolist()
        assert (slope(loss, batch)[outside] == 0).all()
        assert (slope(loss, batch) != 0).any()
        whole = spelled("lambda-mrr")
        assert whole.rows(moved).tolist() != whole.rows(batch).tolist()
