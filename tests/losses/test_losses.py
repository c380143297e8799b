"""What every registered loss owes the loop, and InfoNCE against its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from negbench.losses import Loss
from negbench.losses.infonce import InfoNCE
from negbench.parts import registered

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Floats = NDArray[np.float64]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Scores [B, D] of cosines, a target in each row, and a mask that never hides the target."""
    rows, documents = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = random.uniform(-1, 1, (rows, documents)).astype(np.float32)
    target = random.integers(0, documents, rows)
    counted = random.random((rows, documents)) < draw(st.sampled_from([0.1, 0.5, 0.9, 1.0]))
    counted[np.arange(rows), target] = True
    return torch.from_numpy(scores), torch.from_numpy(target), torch.from_numpy(counted)


def losses() -> list[Loss]:
    """Return every registered loss with its defaults."""
    return [kind() for kind in registered("loss").values()]


def gradient(loss: Loss, batch: Batch) -> tuple[float, Floats]:
    """Return the loss and its gradient [B, D] by the scores."""
    scores, target, counted = batch
    leaf = scores.clone().requires_grad_()
    value = loss.compute(leaf, target, counted)
    value.backward()
    assert leaf.grad is not None
    return value.item(), leaf.grad.numpy().astype(np.float64)


@pytest.mark.parametrize("loss", losses(), ids=str)
class TestEveryLoss:
    @given(batch=batches())
    @settings(max_examples=50, deadline=None)
    def test_a_finite_scalar_with_a_finite_gradient(self, loss: Loss, batch: Batch) -> None:
        value = loss.compute(*batch)
        assert (value.shape, value.dtype) == ((), torch.float32)
        number, slope = gradient(loss, batch)
        assert np.isfinite(number)
        assert np.isfinite(slope).all()

    @given(batch=batches())
    @settings(max_examples=50, deadline=None)
    def test_a_masked_document_has_no_say(self, loss: Loss, batch: Batch) -> None:
        scores, target, counted = batch
        value, slope = gradient(loss, batch)
        assert not slope[~counted.numpy()].any()
        elsewhere = torch.where(counted, scores, scores + 3.0)
        assert loss.compute(elsewhere, target, counted).item() == pytest.approx(value, abs=1e-6)

    @given(batch=batches(), seed=st.integers(0, 99))
    @settings(max_examples=50, deadline=None)
    def test_the_order_of_documents_has_no_say(self, loss: Loss, batch: Batch, seed: int) -> None:
        scores, target, counted = batch
        order = np.random.default_rng(seed).permutation(scores.shape[1])
        place = torch.from_numpy(np.argsort(order))
        moved = loss.compute(scores[:, order], place[target], counted[:, order])
        assert moved.item() == pytest.approx(loss.compute(*batch).item(), rel=1e-5, abs=1e-6)

    def test_a_better_ranking_costs_less(self, loss: Loss) -> None:
        """The gradient pulls the positive up and pushes a negative above it down."""
        scores = torch.tensor([[0.2, 0.5, -0.3]])
        _, slope = gradient(loss, (scores, torch.tensor([0]), torch.ones(1, 3, dtype=torch.bool)))
        assert slope[0, 0] < 0 < slope[0, 1]


def infonce_by_hand(scores: Floats, target: list[int], counted: NDArray[np.bool_], temperature: float) -> float:
    """Return the mean over rows of -log(exp(s+/t) / sum of exp(s/t) over what counts), in float64."""
    total = 0.0
    for row, positive, counts in zip(scores, target, counted, strict=True):
        logits = np.array([score / temperature for score, yes in zip(row, counts, strict=True) if yes])
        highest = logits.max()
        total += highest + np.log(np.exp(logits - highest).sum()) - row[positive] / temperature
    return total / len(target)


class TestInfoNCE:
    @given(batch=batches(), temperature=st.sampled_from([0.01, 0.05, 0.2, 1.0, 7.5]))
    @settings(max_examples=200, deadline=None)
    def test_the_formula(self, batch: Batch, temperature: float) -> None:
        scores, target, counted = batch
        wanted = infonce_by_hand(scores.numpy().astype(np.float64), target.tolist(), counted.numpy(), temperature)
        found = InfoNCE(temperature=temperature).compute(*batch).item()
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4)

    def test_known_numbers(self) -> None:
        """Equal scores of n documents cost log n; a positive alone costs nothing."""
        target = torch.tensor([1])
        everything = torch.ones(1, 4, dtype=torch.bool)
        assert InfoNCE().compute(torch.full((1, 4), 0.3), target, everything).item() == pytest.approx(np.log(4))
        alone = torch.tensor([[False, True, False, False]])
        assert InfoNCE().compute(torch.rand(1, 4), target, alone).item() == 0

    def test_sentence_transformers_agrees_where_nothing_is_masked(self) -> None:
        """Its MultipleNegativesRankingLoss at scale 20 is temperature 0.05: [query, positive, negative] columns."""
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

        vectors = torch.nn.functional.normalize(
            torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0)), dim=-1
        )
        queries, positives, negatives = vectors
        peer: Any = MultipleNegativesRankingLoss(SentenceTransformer(modules=[torch.nn.Identity()]), scale=20.0)
        wanted = peer.compute_loss_from_embeddings([queries, positives, negatives], labels=None)
        scores = queries @ torch.cat([positives, negatives]).T
        found = InfoNCE().compute(scores, torch.arange(5), torch.ones(5, 10, dtype=torch.bool))
        assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
