"""Batches and gradients for tests of losses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from negbench.losses import Loss, ScoredBatch
from negbench.requirements import (
    AverageTargets,
    CacheTargets,
    GeneratedPairs,
    GuideTargets,
    LexicalTargets,
    PairNoise,
    PairTarget,
    TeacherMatch,
    TeacherTargets,
)

ROWS, DOCUMENTS = 6, 9


def made(seed: int, masked: float = 0.2, missing: float = 0.2) -> ScoredBatch:
    """A batch with further positives, one to three mined negatives a row, and targets of which some are missing."""
    random = np.random.default_rng(seed)
    target = random.integers(0, DOCUMENTS, ROWS)
    relevant = random.random((ROWS, DOCUMENTS)) < masked
    relevant[np.arange(ROWS), target] = True
    own = random.random((ROWS, DOCUMENTS)) < 0.3  # some of which may be known positives by now
    own[np.arange(ROWS), target] = False
    scores, beside = random.uniform(-1, 1, (2, ROWS, DOCUMENTS)).astype(np.float32)
    extra = np.random.default_rng((seed, 1))  # what some losses alone read
    targets = random.uniform(0.02, 0.98, (ROWS, DOCUMENTS)).astype(np.float32)
    targets[random.random(targets.shape) < missing] = np.nan
    guide = random.uniform(-1, 1, targets.shape).astype(np.float32)
    return ScoredBatch(
        scores=torch.from_numpy(scores),
        positive_column=torch.from_numpy(target),
        known_mask=torch.from_numpy(relevant),
        mined_mask=torch.from_numpy(own),
        positive_similarity=torch.from_numpy(beside),
        targets=as_targets(torch.from_numpy(targets), torch.from_numpy(guide)),
        **among_queries_and_vectors(extra, ROWS, DOCUMENTS),
    )


def among_queries_and_vectors(random: np.random.Generator, rows: int, documents: int) -> dict[str, Any]:
    """Similarities among queries, and vectors of 16 dimensions, all apart from the scores."""
    mutual = random.uniform(-1, 1, (rows, rows)).astype(np.float32)
    vectors = torch.from_numpy(random.standard_normal((rows + documents, 16)).astype(np.float32))
    unit = torch.nn.functional.normalize(vectors, dim=1)
    return {
        "query_similarity": torch.from_numpy((mutual + mutual.T) / 2),
        "query_vectors": unit[:rows],
        "document_vectors": unit[rows:],
    }


def as_targets(values: torch.Tensor, guide: torch.Tensor | None = None) -> dict[type[PairTarget], torch.Tensor]:
    """The same targets for whichever a loss requires; a guide may have its own."""
    kinds = (TeacherTargets, LexicalTargets, AverageTargets, CacheTargets, TeacherMatch, PairNoise)
    others = {GuideTargets: values if guide is None else guide, GeneratedPairs: (values > 0.5).float()}
    return {**dict.fromkeys(kinds, values), **others}


def told(batch: ScoredBatch) -> torch.Tensor:
    """The targets that are not a guide's."""
    return batch.targets[TeacherTargets]


def spelled(name: str) -> Loss:
    return Loss.model_validate(name)


def slope(loss: Loss, batch: ScoredBatch, weights: torch.Tensor | None = None) -> torch.Tensor:
    """The gradient [B, D] of the sum of the rows, or of the weighted mean, by the scores."""
    leaf = batch.scores.clone().requires_grad_()
    scored = replace(batch, scores=leaf)
    value = loss.rows(scored).sum() if weights is None else loss.mean(scored, weights)
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return leaf.grad
