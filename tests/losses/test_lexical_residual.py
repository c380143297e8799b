"""The softmax over both scores."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest
import torch
from made_batches import DOCUMENTS, as_targets, made, slope, told

from negbench.losses import ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.losses.lexical_residual import LexicalResidual


@pytest.mark.parametrize("seed", range(5))
class TestFormula:
    @pytest.mark.parametrize("weight", [0.05, 1.0])
    def test_both_scores_are_added(self, seed: int, weight: float) -> None:
        batch, t = made(seed), 0.2
        batch = replace(batch, targets=as_targets(20 * told(batch)))
        assert told(batch).isnan().any()
        for row, found in enumerate(LexicalResidual(weight=weight, temperature=t).rows(batch).tolist()):
            lexical = [0.0 if x != x else x for x in told(batch)[row].double().tolist()]
            logits = [s / t + weight * x for s, x in zip(batch.scores[row].double().tolist(), lexical, strict=True)]
            target = int(batch.positive_column[row])
            counted = [d for d in range(DOCUMENTS) if d == target or not batch.known_mask[row, d]]
            highest = max(logits)
            total = highest + log(sum(exp(logits[d] - highest) for d in counted))
            assert found == pytest.approx(total - logits[target], rel=1e-4, abs=1e-5)

    def test_without_weight_and_without_scores_it_is_infonce(self, seed: int) -> None:
        batch = made(seed)
        untold = replace(batch, targets=as_targets(torch.full_like(batch.scores, float("nan"))))
        for loss, seen in ((LexicalResidual(weight=0.0), batch), (LexicalResidual(weight=1.0), untold)):
            torch.testing.assert_close(loss.rows(seen), InfoNCE().rows(batch))
            torch.testing.assert_close(slope(loss, seen), slope(InfoNCE(), batch))


def test_what_bm25_tells_apart_is_pushed_less() -> None:
    """The push falls as BM25's margin grows, from more than InfoNCE's where BM25 errs to less."""

    def push(margin: float) -> float:
        one = ScoredBatch(
            scores=torch.tensor([[0.5, 0.5]]),
            positive_column=torch.tensor([0]),
            known_mask=torch.tensor([[True, False]]),
            mined_mask=torch.tensor([[False, True]]),
            targets=as_targets(torch.tensor([[7.0 + margin, 7.0]])),
        )
        found = slope(LexicalResidual(temperature=1.0), one)[0, 1].item()
        assert found == pytest.approx(1 / (1 + exp(0.1 * margin)))  # the sigmoid of what is left
        return found

    pushes = [push(margin) for margin in (-6.0, 0.0, 3.0, 12.0)]
    assert pushes == sorted(pushes, reverse=True)
    assert pushes[0] > 0.5 == pytest.approx(pushes[1])
