"""What every registered loss owes the loop, and InfoNCE against its formula."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_batches import among_queries_and_vectors, as_targets
from numpy.typing import NDArray

from negbench.errors import PartError
from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.losses.star import Star
from negbench.registry import registered

Floats = NDArray[np.float64]


@st.composite
def batches(draw: st.DrawFn) -> ScoredBatch:
    """Scores [B, D] of cosines, a target in each row, more positives, negatives of its own, and some targets."""
    rows, documents = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = random.uniform(-1, 1, (rows, documents)).astype(np.float32)
    target = random.integers(0, documents, rows)
    relevant = random.random((rows, documents)) < draw(st.sampled_from([0.0, 0.1, 0.5, 0.9]))
    relevant[np.arange(rows), target] = True
    own = ~relevant & (random.random((rows, documents)) < 0.4)
    beside = random.uniform(-1, 1, (rows, documents)).astype(np.float32)
    targets = random.uniform(0, 1, (rows, documents)).astype(np.float32)
    targets[random.random((rows, documents)) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = np.nan
    guide = random.uniform(-1, 1, (rows, documents)).astype(np.float32)
    return ScoredBatch(
        scores=torch.from_numpy(scores),
        positive_column=torch.from_numpy(target),
        known_mask=torch.from_numpy(relevant),
        mined_mask=torch.from_numpy(own),
        positive_similarity=torch.from_numpy(beside),
        targets=as_targets(torch.from_numpy(targets), torch.from_numpy(guide)),
        **among_queries_and_vectors(random, rows, documents),
    )


OF_PAIRS = ("scores", "known_mask", "mined_mask", "positive_similarity")


def row_alone(batch: ScoredBatch, row: int) -> ScoredBatch:
    """The batch of one row, which keeps all documents."""
    own = slice(row, row + 1)
    assert batch.query_similarity is not None
    assert batch.query_vectors is not None
    return replace(
        batch,
        **{name: getattr(batch, name)[own] for name in OF_PAIRS},
        positive_column=batch.positive_column[own],
        query_similarity=batch.query_similarity[own, own],
        query_vectors=batch.query_vectors[own],
        targets={kind: scores[own] for kind, scores in batch.targets.items()},
    )


def reordered(batch: ScoredBatch, order: NDArray[np.int64]) -> ScoredBatch:
    """The batch with its documents in another order."""
    assert batch.document_vectors is not None
    return replace(
        batch,
        **{name: getattr(batch, name)[:, order] for name in OF_PAIRS},
        positive_column=torch.from_numpy(np.argsort(order))[batch.positive_column],
        document_vectors=batch.document_vectors[order],
        targets={kind: scores[:, order] for kind, scores in batch.targets.items()},
    )


def losses() -> list[Loss]:
    """Return every registered loss with its defaults, and some whose further terms are off by default."""
    more = ["margin-hinge(lexical=0.1)", "listwise-kl(contrastive=0.2)", "reweighted(tau=0.2, beta=1.0)"]
    more += ["lambda-mrr(among=own)", "uniform(of=orthogonal)", "multi-positive(objective=sum-marginal)"]
    more += ["joint-infonce(mask_margin=0.5)", "hardness-weighted(in_batch=9.0, mined=0.0)"]
    more += [
        "matryoshka(loss=margin-mse, dimensions=[8, 3])",
        "embedding-distillation(loss=matryoshka(loss=spread-out))",
    ]
    return [*[kind() for kind in registered("loss").values()], *map(Loss.model_validate, more)]


def gradient(loss: Loss, batch: ScoredBatch) -> tuple[Floats, Floats]:
    """Return the loss of each row [B] and the gradient of their sum [B, D] by the scores."""
    leaf = batch.scores.clone().requires_grad_()
    value = loss.rows(replace(batch, scores=leaf))
    value.sum().backward()
    assert leaf.grad is not None
    return value.detach().numpy().astype(np.float64), leaf.grad.numpy().astype(np.float64)


@pytest.mark.parametrize("loss", losses(), ids=str)
class TestEveryLoss:
    @given(batch=batches())
    def test_a_finite_number_a_row_with_a_finite_gradient(self, loss: Loss, batch: ScoredBatch) -> None:
        value = loss.rows(batch)
        assert (value.shape, value.dtype) == ((len(batch.scores),), torch.float32)
        numbers, slope = gradient(loss, batch)
        assert np.isfinite(numbers).all()
        assert np.isfinite(slope).all()

    @given(batch=batches())
    def test_another_positive_is_never_pushed_away(self, loss: Loss, batch: ScoredBatch) -> None:
        """Nor has it a say in how far negatives are, unless the loss pulls it up as a positive too."""
        others = batch.known_mask.clone()
        others[torch.arange(len(others)), batch.positive_column] = False
        _, slope = gradient(loss, batch)
        assert (slope[others.numpy()] <= 0).all()

    @given(batch=batches())
    def test_rows_do_not_depend_on_one_another(self, loss: Loss, batch: ScoredBatch) -> None:
        if loss.couples_rows:
            return
        everyone = loss.rows(batch)
        for row in range(len(everyone)):
            one = loss.rows(row_alone(batch, row))
            assert one.item() == pytest.approx(everyone[row].item(), rel=1e-5, abs=1e-6)

    @given(batch=batches(), seed=st.integers(0, 99))
    def test_the_order_of_documents_has_no_say(self, loss: Loss, batch: ScoredBatch, seed: int) -> None:
        moved = reordered(batch, np.random.default_rng(seed).permutation(batch.scores.shape[1]))
        assert loss.rows(moved).tolist() == pytest.approx(loss.rows(batch).tolist(), rel=1e-5, abs=1e-6)

    def test_a_better_ranking_costs_less(self, loss: Loss) -> None:
        """The gradient pulls the positive up and pushes a mined negative above it down."""
        scores, target = torch.tensor([[0.2, 0.5, -0.3]]), torch.tensor([0])
        relevant, own = torch.tensor([[True, False, False]]), torch.tensor([[False, True, False]])
        targets = as_targets(torch.tensor([[0.9, 0.2, 0.1]]))
        _, slope = gradient(
            loss,
            ScoredBatch(
                scores=scores,
                positive_column=target,
                known_mask=relevant,
                mined_mask=own,
                positive_similarity=scores,
                targets=targets,
                **among_queries_and_vectors(np.random.default_rng(0), 1, 3),
            ),
        )
        assert slope[0, 0] < 0 < slope[0, 1]

    @given(batch=batches(), seed=st.integers(0, 99))
    def test_trust_scales_a_row(self, loss: Loss, batch: ScoredBatch, seed: int) -> None:
        """Twice the weight is as the row twice; a row without weight has no loss of its own."""
        random = np.random.default_rng(seed)
        weights = torch.from_numpy(random.choice([0.0, 0.25, 1.0], len(batch.scores)).astype(np.float32))
        found = loss.mean(batch, weights)
        values = loss.rows(batch)
        if type(loss).mean is Loss.mean:  # one that takes another mean has its own test
            wanted = (values * weights).sum() / weights.sum().clamp(min=1e-9)
            assert found.item() == pytest.approx(wanted.item(), rel=1e-5, abs=1e-6)
        assert found.isfinite()
        if loss.unweighted_term or loss.couples_rows:
            return
        leaf = batch.scores.clone().requires_grad_()
        loss.mean(replace(batch, scores=leaf), weights).backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        assert (leaf.grad[weights == 0] == 0).all()

    @given(batch=batches())
    def test_a_loss_of_mined_negatives_looks_at_no_other(self, loss: Loss, batch: ScoredBatch) -> None:
        _, slope = gradient(loss, batch)
        elsewhere = ~batch.mined_mask.scatter(1, batch.positive_column[:, None], value=True).numpy()
        pure = loss.mined_only and not loss.parameters.get("contrastive")
        assert not pure or (slope[elsewhere] == 0).all()

    def test_it_says_what_it_asks_for(self, loss: Loss) -> None:
        batch = ScoredBatch(
            scores=torch.rand(2, 3),
            positive_column=torch.tensor([0, 1]),
            known_mask=torch.eye(2, 3, dtype=torch.bool),
            mined_mask=torch.ones(2, 3) > 0,
        )
        more = among_queries_and_vectors(np.random.default_rng(0), 2, 3)
        batch = replace(batch, positive_similarity=torch.rand(2, 3), **more)
        if not loss.requires:
            assert loss.rows(batch).isfinite().all()
        for requirement in loss.requires:
            kind = type(requirement)
            rest = {other: scores for other, scores in as_targets(torch.rand(2, 3)).items() if other is not kind}
            with pytest.raises(PartError, match=f"requires {kind.__name__}, and the batch has none"):
                loss.rows(replace(batch, targets=rest))

    def test_it_reads_no_target_that_it_does_not_require(self, loss: Loss) -> None:
        batch = ScoredBatch(
            scores=torch.rand(1, 2),
            positive_column=torch.tensor([0]),
            known_mask=torch.eye(1, 2) > 0,
            mined_mask=torch.zeros(1, 2) > 0,
            targets=as_targets(torch.rand(1, 2)),
        )
        required = {type(requirement) for requirement in loss.requires}
        for kind in batch.targets.keys() - required:
            with pytest.raises(PartError, match=f"^loss {loss.name}.*: reads {kind.__name__}, which"):
                loss.target_scores(batch, kind)


@given(batch=batches(), seed=st.integers(0, 99))
def test_star_is_a_mean_over_pairs(batch: ScoredBatch, seed: int) -> None:
    """Each weighs what its row does, so that a row with more negatives counts for more."""
    random = np.random.default_rng(seed)
    weights = torch.from_numpy(random.choice([0.0, 0.25, 1.0], len(batch.scores)).astype(np.float32))
    pairs = batch.negative().sum(1) * weights
    wanted = (Star().rows(batch) * pairs).sum() / pairs.sum().clamp(min=1e-9)
    assert Star().mean(batch, weights).item() == pytest.approx(wanted.item(), rel=1e-5, abs=1e-6)


def infonce_by_hand(scores: Floats, target: list[int], counted: NDArray[np.bool_], temperature: float) -> float:
    """Return the mean over rows of -log(exp(s+/t) / sum of exp(s/t) over what counts), in float64."""
    total = 0.0
    for row, positive, counts in zip(scores, target, counted, strict=True):
        logits = np.array([score / temperature for score, yes in zip(row, counts, strict=True) if yes])
        highest = logits.max()
        total += highest + np.log(np.exp(logits - highest).sum()) - row[positive] / temperature
    return total / len(target)


def counted(batch: ScoredBatch) -> NDArray[np.bool_]:
    """What InfoNCE's sum runs over: the target and all that is no positive."""
    found = (~batch.known_mask).numpy().copy()
    found[np.arange(len(found)), batch.positive_column.numpy()] = True
    return found


class TestInfoNCE:
    @given(batch=batches(), temperature=st.sampled_from([0.01, 0.05, 0.2, 1.0, 7.5]))
    def test_the_formula(self, batch: ScoredBatch, temperature: float) -> None:
        scores = batch.scores.numpy().astype(np.float64)
        wanted = infonce_by_hand(scores, batch.positive_column.tolist(), counted(batch), temperature)
        found = InfoNCE(temperature=temperature).rows(batch).mean().item()
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4)

    def test_known_numbers(self) -> None:
        """Equal scores of n documents cost log n; a positive alone costs nothing."""
        target, nothing = torch.tensor([1]), torch.zeros(1, 4, dtype=torch.bool)
        one = torch.tensor([[False, True, False, False]])
        equal = ScoredBatch(scores=torch.full((1, 4), 0.3), positive_column=target, known_mask=one, mined_mask=nothing)
        assert InfoNCE().rows(equal).item() == pytest.approx(np.log(4))
        assert (
            InfoNCE()
            .rows(ScoredBatch(scores=torch.rand(1, 4), positive_column=target, known_mask=~nothing, mined_mask=nothing))
            .item()
            == 0
        )

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
        eye, nothing = torch.eye(5, dtype=torch.bool), torch.zeros(5, 5, dtype=torch.bool)
        batch = ScoredBatch(
            scores=scores,
            positive_column=torch.arange(5),
            known_mask=torch.cat([eye, nothing], 1),
            mined_mask=torch.cat([nothing, eye], 1),
        )
        assert InfoNCE().rows(batch).mean().item() == pytest.approx(wanted.item(), rel=1e-5)
