"""The regulariser against collapse."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from made_batches import DOCUMENTS, ROWS, made, slope

from negbench.losses import ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.losses.uniform import Uniform

KINDS = ["uniformity", "orthogonal"]


def batch_of(queries: torch.Tensor, documents: torch.Tensor) -> ScoredBatch:
    """The first documents are the queries' positives, the rest mined negatives of the first query."""
    q, d = (torch.nn.functional.normalize(it, dim=1) for it in (queries, documents))
    rows = len(q)
    relevant = torch.eye(rows, len(d), dtype=torch.bool)
    own = torch.zeros_like(relevant)
    own[0, rows:] = True
    return ScoredBatch(
        scores=q @ d.T,
        positive_column=torch.arange(rows),
        known_mask=relevant,
        mined_mask=own,
        positive_similarity=d[:rows] @ d.T,
    )


@pytest.mark.parametrize("seed", range(5))
class TestFormula:
    @pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
    def test_uniformity_is_that_of_distances(self, seed: int, weight: float) -> None:
        """Over vectors, whose distances are measured; a document that several queries know is left out for these."""
        generator = torch.Generator().manual_seed(seed)
        queries, documents = torch.randn(4, 6, generator=generator), torch.randn(9, 6, generator=generator)
        batch = batch_of(queries, documents)
        batch.known_mask[0, 2] = batch.known_mask[3, 8] = True
        unit = torch.nn.functional.normalize(documents.double(), dim=1).numpy()
        plain = InfoNCE().rows(batch)
        for row, found in enumerate(Uniform(weight=weight).rows(batch).tolist()):
            others = [d for d in range(9) if not batch.known_mask[row, d]]
            mass = [exp(-2 * float(np.sum((unit[row] - unit[d]) ** 2))) for d in others]
            assert found == pytest.approx(plain[row].item() + weight * log(sum(mass) / len(mass)), rel=1e-4)

    def test_orthogonality_is_the_mean_of_squares(self, seed: int) -> None:
        batch = made(seed)
        assert batch.positive_similarity is not None
        for row, found in enumerate(Uniform(of="orthogonal").spread(batch).tolist()):
            squares = [
                batch.positive_similarity[row, d].item() ** 2 for d in range(DOCUMENTS) if not batch.known_mask[row, d]
            ]
            assert found == pytest.approx(sum(squares) / len(squares), rel=1e-5)

    @pytest.mark.parametrize("of", KINDS)
    def test_known_positives_are_not_spread_from_one_another(self, seed: int, of: str) -> None:
        batch, loss = made(seed), Uniform.model_validate({"of": of})
        assert batch.positive_similarity is not None
        beside = batch.positive_similarity.clone().requires_grad_()
        loss.rows(replace(batch, positive_similarity=beside)).sum().backward()  # type: ignore[no-untyped-call]
        assert beside.grad is not None
        assert (beside.grad[batch.known_mask] == 0).all()
        assert (beside.grad[~batch.known_mask] != 0).all()
        torch.testing.assert_close(slope(loss, batch), slope(InfoNCE(), batch))


def test_known_vectors() -> None:
    """All in one point: 0 and 1. The ends of axes: log((2 e^-4 + e^-8) / 3) and 1 / 3."""
    point = torch.ones(4, 2)
    assert Uniform().spread(batch_of(point, point)).tolist() == pytest.approx([0.0] * 4, abs=1e-5)
    assert Uniform(of="orthogonal").spread(batch_of(point, point)).tolist() == pytest.approx([1.0] * 4)
    cross = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    wanted = log((2 * exp(-4) + exp(-8)) / 3)
    assert Uniform().spread(batch_of(cross, cross)).tolist() == pytest.approx([wanted] * 4)
    assert Uniform(of="orthogonal").spread(batch_of(cross, cross)).tolist() == pytest.approx([1 / 3] * 4)


def test_sentence_transformers_has_the_same_second_moment() -> None:
    """Where it lies above theirs' floor, for a batch of positives alone."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import GlobalOrthogonalRegularizationLoss

    documents = torch.randn(ROWS, 8, generator=torch.Generator().manual_seed(0)) + 0.5
    shell = SentenceTransformer(modules=[torch.nn.Identity()])
    peer: Any = GlobalOrthogonalRegularizationLoss(shell, mean_weight=0.0)
    theirs = peer.compute_loss_from_embeddings([documents])["gor_second_moment"].item()
    assert theirs > 0
    found = Uniform(of="orthogonal").spread(batch_of(documents, documents)).mean().item()
    assert found == pytest.approx(theirs + 1 / 8, rel=1e-5)


@pytest.mark.parametrize("of", KINDS)
def test_collapsed_documents_are_spread(of: str) -> None:
    """From nearly one point, steps along the regulariser's gradient end at a simplex, or at right angles."""
    generator = torch.Generator().manual_seed(0)
    documents = torch.randn(1, 6, generator=generator) + 0.05 * torch.randn(ROWS, 6, generator=generator)
    documents.requires_grad_()
    optimizer, seen = torch.optim.SGD([documents], lr=1.0), []
    for _ in range(400):
        batch = batch_of(documents, documents)
        assert batch.positive_similarity is not None
        seen.append(batch.positive_similarity[~batch.known_mask].mean().item())
        optimizer.zero_grad()
        Uniform.model_validate({"of": of}).spread(batch).mean().backward()
        optimizer.step()
    assert seen[0] > 0.99
    assert seen[20] < seen[10] < seen[0]
    assert seen[-1] == pytest.approx(-1 / (ROWS - 1) if of == "uniformity" else 0, abs=0.05)
