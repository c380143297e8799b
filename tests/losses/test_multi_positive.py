"""Losses over several positives, pair by pair and document by document."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from made_batches import DOCUMENTS, made, slope

from negbench.losses.infonce import InfoNCE
from negbench.losses.multi_positive import MultiPositive

OBJECTIVES = ["lse-pair", "joint", "sum-marginal"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_formula(seed: int, objective: str) -> None:
    batch, t = made(seed, masked=0.3), 0.2
    several = 0
    loss = MultiPositive.model_validate({"objective": objective, "temperature": t})
    for row, found in enumerate(loss.rows(batch).tolist()):
        e = [exp(value / t) for value in batch.scores[row].double().tolist()]
        positives = [d for d in range(DOCUMENTS) if batch.known_mask[row, d]]
        negatives = [d for d in range(DOCUMENTS) if d not in positives]
        several += len(positives) > 1
        wanted = {
            "lse-pair": log(1 + sum(e[n] / e[p] for n in negatives for p in positives)),
            "joint": -sum(log(e[p] / sum(e)) for p in positives) / len(positives),
            "sum-marginal": -log(sum(e[p] / sum(e) for p in positives)),
        }[objective]
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    assert several > 2


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_with_one_positive_all_are_infonce(objective: str) -> None:
    batch = made(0, masked=0.0)
    loss = MultiPositive.model_validate({"objective": objective})
    torch.testing.assert_close(loss.rows(batch), InfoNCE().rows(batch))


@pytest.mark.parametrize("seed", range(5))
def test_each_divides_its_pull_among_positives_in_its_way(seed: int) -> None:
    """In closed form: most to the lowest score, what each lacks of 1 / m, and most to the highest score."""
    batch, t = made(seed, masked=0.3), 0.2
    grads = [slope(MultiPositive.model_validate({"objective": it, "temperature": t}), batch) for it in OBJECTIVES]
    for row in range(len(batch.scores)):
        known, logits = batch.known_mask[row], batch.scores[row].double() / t
        p, count = logits.softmax(0), known.sum()
        pulled = [-grad[row][known].double() for grad in grads]
        torch.testing.assert_close(pulled[0] / pulled[0].sum(), (-logits[known]).softmax(0), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(pulled[1], (1 / count - p[known]) / t, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(pulled[2] / pulled[2].sum(), logits[known].softmax(0), rtol=1e-4, atol=1e-6)
