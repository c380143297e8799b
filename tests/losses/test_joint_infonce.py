"""InfoNCE over several kinds of pairs, masked by the encoder, against numbers, and sentence-transformers."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from made_batches import DOCUMENTS, ROWS, made, slope, spelled

from negbench.losses import Loss, ScoredBatch
from negbench.losses.hardness_weighted import HardnessWeighted
from negbench.losses.infonce import InfoNCE
from negbench.losses.joint_infonce import JointInfoNCE

KINDS = ("query-query", "document-document", "document-query")
CHOICES = [chosen for count in range(4) for chosen in combinations(KINDS, count)]


def denominator(batch: ScoredBatch, row: int, t: float, kinds: tuple[str, ...], margin: float | None) -> list[float]:
    """The terms of the denominator, one by one in float64."""
    s, known = batch.scores.double().numpy(), batch.known_mask.numpy()
    assert batch.query_similarity is not None
    assert batch.positive_similarity is not None
    queries, beside = batch.query_similarity.double().numpy(), batch.positive_similarity.double().numpy()
    targets, own = batch.positive_column.tolist(), batch.mined_mask.numpy()
    limit = np.inf if margin is None else s[row, targets[row]] + margin
    documents = [d for d in range(DOCUMENTS) if not known[row, d] and s[row, d] <= limit]
    values = [s[row, targets[row]], *[s[row, d] for d in documents]]
    if "query-query" in kinds:
        values += [
            queries[row, other]
            for other in range(ROWS)
            if not known[row, targets[other]] and not known[other, targets[row]] and queries[row, other] <= limit
        ]
    if "document-document" in kinds:
        values += [beside[row, d] for d in documents if not own[row, d]]
    if "document-query" in kinds:
        values += [
            s[other, targets[row]]
            for other in range(ROWS)
            if other == row or (not known[other, targets[row]] and s[other, targets[row]] <= limit)
        ]
    return [exp(value / t) for value in values]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kinds", CHOICES)
@pytest.mark.parametrize("margin", [None, 0.0, 0.1])
def test_the_denominator_is_summed_one_by_one(seed: int, kinds: tuple[str, ...], margin: float | None) -> None:
    batch, t = made(seed), 0.2
    loss = JointInfoNCE.model_validate({"temperature": t, "directions": kinds, "mask_margin": margin})
    positive = batch.positive().squeeze(1).double().tolist()
    wanted = [log(sum(denominator(batch, row, t, kinds, margin))) - positive[row] / t for row in range(ROWS)]
    assert loss.rows(batch).tolist() == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    if not kinds and margin is None:
        torch.testing.assert_close(loss.rows(batch), InfoNCE(temperature=t).rows(batch))


def test_what_the_encoder_takes_for_relevant_gets_no_gradient() -> None:
    """Only what scores above s+ + 0.1: not what lies at the margin itself."""
    scores = torch.tensor([[0.5, 0.59, 0.625, 0.7, 0.1], [0.3, 0.5, 0.1, 0.2, 0.0]])
    eye = torch.eye(2, 5, dtype=torch.bool)
    batch = ScoredBatch(scores=scores, positive_column=torch.tensor([0, 1]), known_mask=eye, mined_mask=eye & False)
    loss = JointInfoNCE(directions=(), mask_margin=0.125)
    assert (slope(loss, batch)[0] != 0).tolist() == [True, True, True, False, True]
    assert (slope(JointInfoNCE(directions=()), batch) != 0).all()


def test_queries_that_share_a_positive_are_no_negatives() -> None:
    batch = made(0, masked=0.0)
    assert batch.query_similarity is not None
    known = batch.known_mask.clone()
    known[3, batch.positive_column[1]] = True  # the fourth query knows the second's positive
    batch = replace(batch, known_mask=known)
    leaf = batch.query_similarity.clone().requires_grad_()
    loss = JointInfoNCE(directions=("query-query",))
    loss.rows(replace(batch, query_similarity=leaf)).sum().backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    target = batch.positive_column
    same = [[bool(known[i, target[j]] or known[j, target[i]]) for j in range(ROWS)] for i in range(ROWS)]
    assert same[1][3]
    assert same[3][1]
    assert ((leaf.grad == 0) == torch.tensor(same)).all()


class Peer:
    """Five queries with a positive and two mined negatives each, for both libraries."""

    def __init__(self, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        vectors = torch.nn.functional.normalize(torch.randn(4, 5, 8, generator=generator), dim=-1)
        self.columns = [column.clone().requires_grad_() for column in vectors]

    def theirs(self, **options: Any) -> torch.Tensor:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

        shell = SentenceTransformer(modules=[torch.nn.Identity()])
        loss: torch.Tensor = MultipleNegativesRankingLoss(shell, **options).compute_loss_from_embeddings(
            self.columns,
            labels=None,  # type: ignore[arg-type]
        )
        return loss

    def ours(self, loss: Loss) -> torch.Tensor:
        eye, nothing = torch.eye(5, dtype=torch.bool), torch.zeros(5, 5, dtype=torch.bool)
        batch = ScoredBatch.of_vectors(
            self.columns[0],
            torch.cat(self.columns[1:]),
            cosine=True,
            positive_column=torch.arange(5),
            known_mask=torch.cat([eye, nothing, nothing], 1),
            mined_mask=torch.cat([nothing, eye, eye], 1),
            targets={},
        )
        return loss.mean(batch, torch.ones(5))

    def agrees(self, loss: Loss, cut_off: bool = False, **options: Any) -> None:
        """Check value and gradients by vectors; theirs are by cosine, so along the sphere alone."""
        values, slopes = [], []
        for value in (self.ours(loss), self.theirs(**options)):
            values.append(value.item())
            grads = torch.autograd.grad(value, self.columns)
            along, vectors = torch.stack(grads), torch.stack(self.columns)
            slopes.append((along - (along * vectors).sum(-1, keepdim=True) * vectors).detach())
        assert values[0] == pytest.approx(values[1], abs=1e-5)
        assert slopes[1].abs().max() > 0.01
        torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kinds", CHOICES)
def test_sentence_transformers_has_the_same_directions(kinds: tuple[str, ...]) -> None:
    names = {"query-query": "query_to_query", "document-document": "doc_to_doc", "document-query": "doc_to_query"}
    directions = ("query_to_doc", *[names[kind] for kind in kinds])
    Peer().agrees(JointInfoNCE.model_validate({"directions": kinds}), directions=directions, scale=20.0)


@pytest.mark.parametrize(
    ("loss", "mode", "strength"),
    [
        ("hardness-weighted(in_batch=9.0, mined=0.0)", "in_batch_negatives", 9.0),
        ("hardness-weighted", "hard_negatives", 5.0),
        ("hardness-weighted(in_batch=3.0, mined=3.0)", "all_negatives", 3.0),
    ],
)
def test_sentence_transformers_has_the_same_hardness(loss: str, mode: str, strength: float) -> None:
    Peer().agrees(spelled(loss), hardness_mode=mode, hardness_strength=strength, scale=20.0)


@pytest.mark.parametrize("seed", range(5))
def test_hardness_is_a_weight_in_the_denominator(seed: int) -> None:
    batch, t = made(seed), 0.3
    loss = HardnessWeighted(temperature=t, in_batch=2.0, mined=4.0)
    s = batch.scores.double().tolist()
    grad = slope(loss, batch)
    for row, found in enumerate(loss.rows(batch).tolist()):
        positive = int(batch.positive_column[row])
        terms = {positive: exp(s[row][positive] / t)}
        for d in range(DOCUMENTS):
            if not batch.known_mask[row, d]:
                alpha = 4.0 if batch.mined_mask[row, d] else 2.0
                terms[d] = exp(alpha * s[row][d]) * exp(s[row][d] / t)
        total = sum(terms.values())
        assert found == pytest.approx(log(total) - s[row][positive] / t, rel=1e-5, abs=1e-5)
        for d in range(DOCUMENTS):  # the weight is a constant to the gradient
            share = terms.get(d, 0.0) / total
            assert grad[row, d].item() == pytest.approx((share - (d == positive)) / t, rel=1e-4, abs=1e-5)


def test_without_weights_it_is_infonce() -> None:
    batch = made(1)
    torch.testing.assert_close(spelled("hardness-weighted(mined=0.0)").rows(batch), InfoNCE().rows(batch))
