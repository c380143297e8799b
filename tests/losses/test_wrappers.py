"""Losses around other losses: shortened vectors, spread vectors, and vectors that imitate a teacher's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from made_batches import DOCUMENTS, ROWS, made, slope, spelled
from pydantic import ValidationError
from torch.nn.functional import normalize

from negbench.errors import PartError
from negbench.losses import ScoredBatch
from negbench.losses.embedding_distillation import EmbeddingDistillation
from negbench.losses.infonce import InfoNCE
from negbench.losses.matryoshka import Matryoshka
from negbench.losses.spread_out import SpreadOut
from negbench.requirements import TeacherMatch


def raw(seed: int = 0) -> list[torch.Tensor]:
    """Raw vectors of five queries, their positives and a mined negative each."""
    vectors = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(seed))
    return [column.clone().requires_grad_() for column in vectors]


def batch_of(queries: torch.Tensor, documents: torch.Tensor, cosine: bool = True) -> ScoredBatch:
    """The first documents are the positives, the others mined negatives."""
    rows = len(queries)
    sides = [normalize(it, dim=1) if cosine else it for it in (queries, documents)]
    known = torch.eye(rows, len(documents), dtype=torch.bool)
    return ScoredBatch.of_vectors(
        *sides,
        cosine=cosine,
        positive_column=torch.arange(rows),
        known_mask=known,
        mined_mask=known.roll(rows, 1) & ~known,
        targets={},
    )


class Columns(torch.nn.Module):
    """As much of a model as MatryoshkaLoss reads: it hands back the vectors that it is given."""

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["vectors"]}

    def get_embedding_dimension(self) -> int:
        return 16


class TestMatryoshka:
    @pytest.mark.parametrize("weights", [(), (0.5, 2.0)])
    def test_sentence_transformers_has_the_same_loss_and_gradients(self, weights: tuple[float, ...]) -> None:
        from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

        columns, model = raw(), Columns()
        inner: Any = MultipleNegativesRankingLoss(model, scale=20.0)  # type: ignore[arg-type]
        peer = MatryoshkaLoss(model, inner, [16, 8, 3], [1, *(weights or (1, 1))])  # type: ignore[arg-type]
        theirs = peer([{"vectors": column} for column in columns], None)  # type: ignore[arg-type]
        loss = Matryoshka(dimensions=(8, 3), weights=weights)
        ours = loss.mean(batch_of(columns[0], torch.cat(columns[1:])), torch.ones(5))
        assert ours.item() == pytest.approx(theirs.item(), abs=1e-5)
        found, wanted = (torch.stack(torch.autograd.grad(it, columns)) for it in (ours, theirs))
        assert wanted.abs().max() > 0.01
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)

    def test_without_dimensions_these_are_a_half_a_quarter_and_an_eighth(self) -> None:
        batch = made(0)
        torch.testing.assert_close(Matryoshka().rows(batch), Matryoshka(dimensions=(8, 4, 2)).rows(batch))

    def test_a_loss_keeps_its_own_mean(self) -> None:
        """STAR's is over all pairs of a batch, not over rows."""
        batch, weights = made(0), torch.tensor([1.0, 1, 0.25, 0, 1, 1])
        star = spelled("star")
        wanted = star.mean(batch, weights) + 3 * star.mean(batch.leading(4), weights)
        found = spelled("matryoshka(loss=star, dimensions=[4], weights=[3.0])").mean(batch, weights)
        torch.testing.assert_close(found, wanted)

    def test_dot_products_are_cut_as_they_are(self) -> None:
        queries, documents = raw()[0], torch.cat(raw()[1:])
        cut = batch_of(queries, documents, cosine=False).leading(4)
        torch.testing.assert_close(cut.scores, queries[:, :4] @ documents[:, :4].T)
        cosines = batch_of(queries, documents).leading(4)
        torch.testing.assert_close(cosines.scores, normalize(queries[:, :4]) @ normalize(documents[:, :4]).T)
        assert cosines.query_similarity is not None
        torch.testing.assert_close(cosines.query_similarity.diagonal(), torch.ones(5))

    def test_more_dimensions_than_there_are(self) -> None:
        with pytest.raises(PartError, match="takes 16 leading dimensions of vectors that have 16"):
            Matryoshka(dimensions=(4, 16)).rows(made(0))

    @pytest.mark.parametrize(
        ("spelling", "message"),
        [
            ("matryoshka(loss=npc)", "loss npc compares whole vectors, and cannot"),
            ("matryoshka(loss=embedding-distillation)", "write it around matryoshka, not inside"),
            ("matryoshka(dimensions=[8, 8])", "counts once"),
            ("matryoshka(dimensions=[8, 0])", "1 or more"),
            ("matryoshka(dimensions=[8], weights=[1.0, 2.0])", "2 weights for 1 dimensions"),
            ("matryoshka(dimensions=[8], weights=[-1.0])", "expected weights of 0 or more"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, spelling: str, message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            spelled(spelling)


class TestSpreadOut:
    @pytest.mark.parametrize("seed", range(5))
    def test_the_term_is_the_mean_of_squares_over_other_rows(self, seed: int) -> None:
        batch, target = made(seed), made(seed).positive_column.tolist()
        assert batch.query_similarity is not None
        assert batch.positive_similarity is not None
        for row, found in enumerate(SpreadOut().term(batch).tolist()):
            others = [
                other
                for other in range(ROWS)
                if not batch.known_mask[row, target[other]] and not batch.known_mask[other, target[row]]
            ]
            squares = [
                batch.query_similarity[row, other].item() ** 2
                + batch.positive_similarity[row, target[other]].item() ** 2
                for other in others
            ]
            assert found == pytest.approx(sum(squares) / max(len(squares), 1), rel=1e-5)

    def test_sentence_transformers_has_the_same_second_moments(self) -> None:
        """Where they lie above its floor of 1 / dimension."""
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.losses import GlobalOrthogonalRegularizationLoss

        shell = SentenceTransformer(modules=[torch.nn.Identity()])
        peer: Any = GlobalOrthogonalRegularizationLoss(shell, mean_weight=0.0, aggregation="sum")
        columns = [(column.detach() + 1).requires_grad_() for column in raw()[:2]]
        theirs = peer.compute_loss_from_embeddings(columns)["gor_second_moment"]
        ours = SpreadOut().term(batch_of(*columns)).mean()
        assert theirs.item() > 0.3
        assert ours.item() == pytest.approx(theirs.item() + 2 / 16, rel=1e-5)
        found, wanted = (torch.stack(torch.autograd.grad(it, columns)) for it in (ours, theirs))
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)

    def test_it_is_added_with_its_weight(self) -> None:
        batch, weights = made(0), torch.tensor([1.0, 1, 0.25, 0, 1, 1])
        term = (SpreadOut().term(batch) * weights).sum() / weights.sum()
        found = spelled("spread-out(loss=star, weight=0.5)").mean(batch, weights)
        torch.testing.assert_close(found, spelled("star").mean(batch, weights) + 0.5 * term)


class TestEmbeddingDistillation:
    @pytest.mark.parametrize("seed", range(5))
    def test_distances_of_the_query_and_of_its_own_documents(self, seed: int) -> None:
        batch, loss = made(seed), EmbeddingDistillation(weight=2.0)
        queries, documents = torch.rand(ROWS), torch.rand(DOCUMENTS)
        batch = replace(batch, targets={TeacherMatch: queries[:, None] + documents})
        plain = InfoNCE().rows(batch)
        for row, found in enumerate(loss.rows(batch).tolist()):
            own = [d for d in range(DOCUMENTS) if batch.mined_mask[row, d] and not batch.known_mask[row, d]]
            own.append(int(batch.positive_column[row]))
            term = (1 - queries[row]) + sum(1 - documents[d] for d in own) / len(own)
            assert found == pytest.approx((plain[row] + 2 * term).item(), rel=1e-5)

    def test_a_loss_keeps_its_targets(self) -> None:
        batch = made(0)
        names = [type(it).__name__ for it in spelled("embedding-distillation(loss=margin-mse)").requires]
        assert names == ["TeacherTargets", "TeacherMatch"]
        without = spelled("embedding-distillation(loss=margin-mse, weight=0.0)")
        torch.testing.assert_close(without.rows(batch), spelled("margin-mse").rows(batch))
        torch.testing.assert_close(slope(without, batch), slope(spelled("margin-mse"), batch))

    def test_a_teacher_without_vectors_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="trained-cross-encoder has no vectors; give a bi-encoder"):
            spelled("embedding-distillation(teacher=trained-cross-encoder)")


def test_a_loss_of_mined_negatives_stays_one() -> None:
    assert spelled("matryoshka(loss=margin-hinge)").mined_only
    assert spelled("embedding-distillation(loss=spread-out(loss=margin-mse))").mined_only
    assert not spelled("matryoshka(loss=star)").mined_only
