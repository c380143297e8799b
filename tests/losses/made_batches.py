"""Batches and gradients for tests of losses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from negbench.losses import Loss, Scored

ROWS, DOCUMENTS = 6, 9


def made(seed: int, masked: float = 0.2, missing: float = 0.2) -> Scored:
    """A batch with further positives, one to three mined negatives a row, and targets of which some are missing."""
    random = np.random.default_rng(seed)
    target = random.integers(0, DOCUMENTS, ROWS)
    relevant = random.random((ROWS, DOCUMENTS)) < masked
    relevant[np.arange(ROWS), target] = True
    own = random.random((ROWS, DOCUMENTS)) < 0.3  # some of which may be known positives by now
    own[np.arange(ROWS), target] = False
    scores, beside = random.uniform(-1, 1, (2, ROWS, DOCUMENTS)).astype(np.float32)
    targets = random.uniform(0.02, 0.98, (ROWS, DOCUMENTS)).astype(np.float32)
    targets[random.random(targets.shape) < missing] = np.nan
    guide = random.uniform(-1, 1, targets.shape).astype(np.float32)
    return Scored(*map(torch.from_numpy, (scores, target, relevant, own, beside, targets, guide)))


def spelled(name: str) -> Loss:
    return Loss.model_validate(name)


def slope(loss: Loss, batch: Scored, weights: torch.Tensor | None = None) -> torch.Tensor:
    """The gradient [B, D] of the sum of the rows, or of the weighted mean, by the scores."""
    leaf = batch.scores.clone().requires_grad_()
    scored = replace(batch, scores=leaf)
    value = loss.rows(scored).sum() if weights is None else loss.mean(scored, weights)
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return leaf.grad
