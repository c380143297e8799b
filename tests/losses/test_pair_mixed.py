"""A mixture of two negatives, and rows weighted by how far they are from solved, summed one by one in float64."""

from __future__ import annotations

from dataclasses import replace
from math import exp, floor, log

import numpy as np
import pytest
import torch
from made_batches import made, slope, spelled, told
from scipy import stats

from negbench.losses.infonce import InfoNCE
from negbench.losses.pair_mixed_negatives import STEPS, _beta


def test_lambda_has_the_quantiles_of_beta_2_2() -> None:
    chances = np.linspace(0, 1, 101)
    found = _beta(torch.from_numpy(chances)).numpy()
    np.testing.assert_allclose(found, stats.beta.ppf(chances, 2, 2), atol=1e-7)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("t", [0.05, 1.0])
@pytest.mark.parametrize("cosine", [True, False])
def test_the_mixture_of_two_is_one_more_negative(seed: int, t: float, cosine: bool) -> None:
    batch = replace(made(seed), cosine=cosine)
    assert batch.query_vectors is not None
    assert batch.document_vectors is not None
    queries, documents = batch.query_vectors.double().numpy(), batch.document_vectors.double().numpy()
    scores, mined, counted = batch.scores.double().numpy(), batch.mined().numpy(), batch.counted().numpy()
    noise = told(batch).numpy()
    expected, mixed = [], 0
    for row, query in enumerate(queries):
        terms = [exp(score / t) for score in scores[row][counted[row]]]
        own = sorted(
            (d for d in np.flatnonzero(mined[row]) if not np.isnan(noise[row, d])), key=lambda d: -noise[row, d]
        )
        if len(own) > 1:
            both = float(np.float32(noise[row, own[0]] + noise[row, own[1]]) * np.float32(STEPS))
            share = stats.beta.ppf(both - floor(both), 2, 2)
            mixture = share * documents[own[0]] + (1 - share) * documents[own[1]]
            mixture = mixture / np.linalg.norm(mixture) if cosine else mixture
            terms.append(exp(float(query @ mixture) / t))
            mixed += 1
        expected.append(log(sum(terms)) - float(batch.positive()[row]) / t)
    found = spelled(f"pair-mixed-negatives(temperature={t})").rows(batch)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)
    assert mixed


def test_without_two_mined_negatives_it_is_infonce() -> None:
    batch = made(0)
    batch = replace(batch, mined_mask=torch.zeros_like(batch.mined_mask))
    torch.testing.assert_close(spelled("pair-mixed-negatives").rows(batch), InfoNCE().rows(batch))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_weighs_rows_by_what_is_left(gamma: float) -> None:
    batch = made(3)
    plain = InfoNCE(temperature=0.5).rows(batch).double().numpy()
    found = spelled(f"focal(gamma={gamma}, loss=infonce(temperature=0.5))").rows(batch).numpy()
    np.testing.assert_allclose(found, [(1 - exp(-loss)) ** gamma * loss for loss in plain], rtol=1e-4)


def test_the_gradient_of_focal_is_that_of_its_formula() -> None:
    """By the chain rule over p = exp(-loss), from the gradient of the loss itself."""
    batch, gamma = made(4), 2.0
    plain, loss = slope(InfoNCE(temperature=0.5), batch), InfoNCE(temperature=0.5).rows(batch)
    left = 1 - (-loss).exp()
    wanted = (left**gamma + gamma * loss * left ** (gamma - 1) * (-loss).exp())[:, None] * plain
    torch.testing.assert_close(slope(spelled(f"focal(gamma={gamma}, loss=infonce(temperature=0.5))"), batch), wanted)


def test_a_row_that_is_solved_has_a_finite_gradient() -> None:
    batch = made(5)
    scores = torch.full_like(batch.scores, -1.0).scatter(1, batch.positive_column[:, None], 1.0)
    assert (
        slope(spelled("focal(gamma=0.5, loss=infonce(temperature=0.01))"), replace(batch, scores=scores))
        .isfinite()
        .all()
    )
