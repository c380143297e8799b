"""The spread of generated negatives, summed one by one in float64."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch
from made_batches import made, spelled

from negbench.losses import ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.requirements import GeneratedPairs


def _with_generated(batch: ScoredBatch, which: torch.Tensor) -> ScoredBatch:
    return replace(batch, targets={**batch.targets, GeneratedPairs: which})


@pytest.mark.parametrize("seed", range(5))
def test_the_term_is_the_excess_squared_less_the_entropy(seed: int) -> None:
    batch = made(seed, masked=0.05)
    assert batch.query_vectors is not None
    assert batch.document_vectors is not None
    queries, documents = batch.query_vectors.double().numpy(), batch.document_vectors.double().numpy()
    wanted = []
    for row, query in enumerate(queries):
        own = np.flatnonzero(batch.mined()[row].numpy())
        told = batch.targets[GeneratedPairs][row]
        generated = [d for d in own if told[d] > 0]
        if not generated:
            wanted.append(0.0)
            continue
        weight = {d: exp(float(query @ documents[d]) / 0.1) for d in own}
        mass = sum(weight[d] for d in generated)
        entropy = -sum(weight[d] / mass * log(weight[d] / mass) for d in generated)
        wanted.append((mass / sum(weight.values()) - len(generated) / len(own)) ** 2 - entropy)
    found = spelled("query-view-entropy(weight=1.0)").rows(batch) - InfoNCE().rows(batch)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-4)
    assert any(value for value in wanted)


def test_only_generated_negatives_are_moved_by_it() -> None:
    batch = made(2, masked=0.05)
    assert batch.query_vectors is not None
    assert batch.document_vectors is not None
    queries, documents = (it.clone().requires_grad_() for it in (batch.query_vectors, batch.document_vectors))
    told = torch.zeros(batch.scores.shape)
    told[:, :4] = 1
    batch = _with_generated(replace(batch, query_vectors=queries, document_vectors=documents), told)
    spelled("query-view-entropy").term(batch).sum().backward()  # type: ignore[attr-defined]
    assert queries.grad is None
    assert documents.grad is not None
    moved = documents.grad.abs().sum(1) > 0
    generated = (batch.mined() & (told > 0)).any(0)
    assert moved.any()
    assert not (moved & ~generated).any()


@pytest.mark.parametrize("told", [0.0, float("nan")])
def test_without_generated_negatives_it_is_infonce(told: float) -> None:
    batch = made(0)
    plain = _with_generated(batch, torch.full(batch.scores.shape, told))
    torch.testing.assert_close(spelled("query-view-entropy").rows(plain), InfoNCE().rows(plain))


def test_negatives_that_are_all_generated_and_alike_have_the_largest_entropy() -> None:
    batch = made(0, masked=0.0)
    assert batch.document_vectors is not None
    alike = batch.document_vectors[:1].expand_as(batch.document_vectors)
    batch = _with_generated(replace(batch, document_vectors=alike), torch.ones(batch.scores.shape))
    counts = batch.mined().sum(1)
    term = spelled("query-view-entropy").term(batch)  # type: ignore[attr-defined]
    torch.testing.assert_close(term[counts > 0], -counts[counts > 0].log())
