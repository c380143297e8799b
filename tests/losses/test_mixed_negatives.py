"""A mixture of a row's negatives, summed one by one in float64."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch
from made_batches import made, spelled

from negbench.losses.infonce import InfoNCE


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("t", [0.05, 1.0])
@pytest.mark.parametrize("cosine", [True, False])
def test_the_mixture_is_one_more_negative(seed: int, t: float, cosine: bool) -> None:
    batch = replace(made(seed), cosine=cosine)
    assert batch.query_vectors is not None
    assert batch.document_vectors is not None
    queries, documents = batch.query_vectors.double().numpy(), batch.document_vectors.double().numpy()
    scores, mined, counted = batch.scores.double().numpy(), batch.mined().numpy(), batch.counted().numpy()
    expected = []
    for row, query in enumerate(queries):
        terms = [exp(score / t) for score in scores[row][counted[row]]]
        own = np.flatnonzero(mined[row])
        if len(own) > 1:
            weights = np.array([exp(scores[row][d] / t) for d in own])
            mixture = (weights / weights.sum()) @ documents[own]
            mixture = mixture / np.linalg.norm(mixture) if cosine else mixture
            terms.append(exp(float(query @ mixture) / t))
        expected.append(log(sum(terms)) - float(batch.positive()[row]) / t)
    found = spelled(f"mixed-negatives(temperature={t})").rows(batch)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)
    assert (mined.sum(1) > 1).any()


def test_without_two_mined_negatives_it_is_infonce() -> None:
    batch = made(0)
    batch = replace(batch, mined_mask=torch.zeros_like(batch.mined_mask))
    torch.testing.assert_close(spelled("mixed-negatives").rows(batch), InfoNCE().rows(batch))


def test_weights_have_no_gradient() -> None:
    """The gradient by a mined document's vector is its weight's share of the mixture's, beside its own."""
    batch = replace(made(1), cosine=False)
    assert batch.document_vectors is not None
    vectors = batch.document_vectors.clone().requires_grad_()
    scores = batch.scores.clone().requires_grad_()
    loss = spelled("mixed-negatives(temperature=1.0)").rows(replace(batch, document_vectors=vectors, scores=scores))
    loss.sum().backward()
    total = 0.0
    plain = replace(batch, scores=batch.scores.clone().requires_grad_())
    spelled("infonce(temperature=1.0)").rows(plain).sum().backward()
    assert scores.grad is not None
    assert vectors.grad is not None
    total = float(scores.grad.abs().sum())
    assert total < float(plain.scores.grad.abs().sum())  # type: ignore[union-attr]
    assert float(vectors.grad.abs().sum()) > 0
