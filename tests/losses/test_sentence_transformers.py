"""Losses against sentence-transformers' own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from made_batches import as_targets, spelled

from negbench.losses import ScoredBatch


class TestOnTheSameVectors:
    """Its losses on the same vectors, where nothing is masked: rows of one query, one positive, two negatives."""

    def vectors(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(0))
        queries, positives, *negatives = torch.nn.functional.normalize(found, dim=-1)
        return queries, positives, torch.stack(negatives)

    def batch(self, targets: torch.Tensor | None = None) -> ScoredBatch:
        """Documents are positives, then first negatives, then second ones."""
        queries, positives, negatives = self.vectors()
        documents = torch.cat([positives, *negatives])
        eye = torch.eye(5, dtype=torch.bool)
        nothing = torch.zeros_like(eye)
        relevant, own = torch.cat([eye, nothing, nothing], 1), torch.cat([nothing, eye, eye], 1)
        return ScoredBatch(
            scores=queries @ documents.T,
            positive_column=torch.arange(5),
            known_mask=relevant,
            mined_mask=own,
            positive_similarity=None,
            targets={} if targets is None else as_targets(targets),
        )

    def told(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a teacher's probabilities as our targets and its raw scores as [row, candidate] columns."""
        probabilities = torch.rand(5, 3, generator=torch.Generator().manual_seed(1)) * 0.9 + 0.05
        targets = torch.full((5, 15), float("nan"))
        for column in range(3):
            targets[torch.arange(5), torch.arange(5) + 5 * column] = probabilities[:, column]
        return targets, probabilities.logit()

    def peer(self, name: str, **options: Any) -> Any:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer import losses

        return getattr(losses, name)(SentenceTransformer(modules=[torch.nn.Identity()]), **options)

    def test_margin_mse(self) -> None:
        from sentence_transformers.util import pairwise_dot_score

        queries, positives, negatives = self.vectors()
        targets, raw = self.told()
        peer = self.peer("MarginMSELoss", similarity_fct=pairwise_dot_score)
        wanted = peer.compute_loss_from_embeddings([queries, positives, *negatives], raw)
        found = spelled("margin-mse(temperature=1.0)").rows(self.batch(targets)).mean()
        assert found.item() == pytest.approx(wanted.item(), rel=1e-4)

    def test_listwise_kl(self) -> None:
        """Theirs is multiplied by the square of the student's temperature."""
        queries, positives, negatives = self.vectors()
        targets, raw = self.told()
        peer = self.peer("DistillKLDivLoss", student_temperature=0.1, teacher_temperature=2.0)
        wanted = peer.compute_loss_from_embeddings([queries, positives, *negatives], raw)
        loss = spelled("listwise-kl(temperature=0.1, teacher_temperature=2.0)")
        assert loss.rows(self.batch(targets)).mean().item() * 0.01 == pytest.approx(wanted.item(), rel=1e-4)

    def test_triplets(self) -> None:
        from sentence_transformers.sentence_transformer.losses import TripletDistanceMetric

        queries, positives, negatives = self.vectors()
        peer = self.peer("TripletLoss", distance_metric=TripletDistanceMetric.COSINE, triplet_margin=0.2)
        each = [peer.compute_loss_from_embeddings([queries, positives, it], None).item() for it in negatives]
        assert spelled("margin-hinge").rows(self.batch()).mean().item() == pytest.approx(np.mean(each), rel=1e-5)

    def test_gist(self) -> None:
        """Its forward pass, over models that hand back what they are given."""
        from sentence_transformers.sentence_transformer.losses import GISTEmbedLoss

        queries, positives, negatives = self.vectors()
        random = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(2))
        guided = torch.nn.functional.normalize(random, dim=-1)

        class Shell:
            """As much of GISTEmbedLoss as its forward pass reads."""

            temperature, margin, margin_strategy = 0.05, 0.1, "absolute"
            contrast_anchors = contrast_positives = gather_across_devices = False
            must_retokenize = False
            cross_entropy_loss = torch.nn.CrossEntropyLoss()
            similarity_fct = torch.nn.CosineSimilarity(dim=-1)
            sim_matrix = GISTEmbedLoss.sim_matrix

            @staticmethod
            def model(feature: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
                return {"sentence_embedding": feature["model"]}

            @staticmethod
            def guide(feature: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
                return {"sentence_embedding": feature["guide"]}

        columns = (queries, positives, negatives[0])
        features = [{"model": mine, "guide": theirs} for mine, theirs in zip(columns, guided[:3], strict=True)]
        wanted = GISTEmbedLoss.forward(Shell(), features, None)  # type: ignore[arg-type]
        whole = self.batch()
        targets = guided[0] @ torch.cat([guided[1], guided[2]]).T
        ten = {name: getattr(whole, name)[:, :10] for name in ("scores", "known_mask", "mined_mask")}
        batch = ScoredBatch(
            scores=ten["scores"],
            positive_column=whole.positive_column,
            known_mask=ten["known_mask"],
            mined_mask=ten["mined_mask"],
            positive_similarity=None,
            targets=as_targets(targets),
        )
        masked = (targets > targets.gather(1, whole.positive_column[:, None]) - 0.1).sum() - 5
        assert 5 < masked < 40
        assert spelled("gist(margin=0.1)").rows(batch).mean().item() == pytest.approx(wanted.item(), rel=1e-4)
