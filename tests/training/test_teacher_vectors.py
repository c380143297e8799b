"""Vectors that imitate a teacher's: what the loss is told of them, and the matrix between two dimensions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pools import mined
from scipy.linalg import polar
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.encoders.encode import encode
from negbench.losses import ScoredBatch
from negbench.losses.embedding_distillation import EmbeddingDistillation
from negbench.requirements import TeacherMatch
from negbench.training.data import Collator, Instances, instances
from negbench.training.job import TrainingJob
from negbench.training.loop import set_dropout, train
from negbench.training.objective import Objective
from negbench.training.projection import projection
from negbench.training.recipe import Recipe
from negbench.training.targets import VectorTargets
from negbench.types import Collection, Float32

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=3e-3, max_length=16, precision="float32")
WIDTHS = ["the encoder's", 7]


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


@pytest.fixture
def model(tiny_encoder: Path) -> SentenceTransformer:
    model = SentenceTransformer(str(tiny_encoder))
    model.max_seq_length = 16
    set_dropout(model, 0.0)
    return model


def unit(seed: int, rows: int, width: int) -> Float32:
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def rows_of(garden: Collection, width: int) -> Instances:
    """Rows with two negatives, and a teacher's vectors of all texts, of ``width`` dimensions."""
    positives, queries = garden.qrels["train"].by_query(), garden.split_queries("train")
    chosen = [[row for row in range(60) if row not in positives[query]][query % 50 :][:2] for query in queries.tolist()]
    data = instances(garden, "train", mined(np.array(chosen, np.int32), queries=queries), RECIPE)
    documents = np.arange(len(garden.document_ids), dtype=np.int32)
    targets = VectorTargets(queries, unit(0, len(queries), width), documents, unit(1, len(documents), width))
    return replace(data, targets={TeacherMatch: targets})


class Watched(EmbeddingDistillation):
    """Notes what it is told."""

    def mean(self, batch: ScoredBatch, weights: torch.Tensor) -> torch.Tensor:
        SEEN.append(batch)
        return super().mean(batch, weights)


SEEN: list[ScoredBatch] = []


def step(model: SentenceTransformer, garden: Collection, data: Instances, tokens: int, cached: bool) -> Any:
    """Return the gradients of the first 16 rows by parameter, and their documents."""
    collator = Collator(data, garden, model, tokens)
    batch = collator([{"row": row} for row in range(16)])
    names = [name.removesuffix("input_ids") for name in batch if name.endswith("_input_ids")]
    chunks = [{key.removeprefix(name): batch[key] for key in batch if key.startswith(name)} for name in names]
    model.zero_grad()
    loss = Watched(weight=2.0)
    objective = Objective(model, loss, cached, projection=projection(model, collator))
    objective(chunks, batch["label"]).backward()
    documents = batch["label"]["document_rows"].numpy()
    return {name: it.grad.clone() for name, it in model.named_parameters() if it.grad is not None}, documents


@pytest.mark.parametrize("width", WIDTHS)
def test_cosines_of_query_and_document_are_added(width: Any, garden: Collection, model: SentenceTransformer) -> None:
    """After a matrix, where dimensions differ: the orthogonal factor of what the texts' vectors have in common."""
    own = model.get_embedding_dimension()
    data = rows_of(garden, own if width not in (7,) else width)
    targets = data.targets[TeacherMatch]
    assert isinstance(targets, VectorTargets)
    _, documents = step(model, garden, data, 10**9, cached=False)
    passages, used = garden.passages(), np.unique(np.concatenate([data.positives, data.negatives.ravel()]))
    texts = [garden.queries[row] for row in targets.queries.tolist()]
    q = encode(model, texts, "query", "float32").astype(np.float64)
    d = encode(model, [passages[row] for row in used.tolist()], "document", "float32").astype(np.float64)
    matrix = np.eye(own)
    if width == 7:
        x, y = np.vstack([q, d]), np.vstack([targets.query_vectors, targets.document_vectors[used]])
        matrix = polar(x.T @ y)[0]
    cosine = [
        (vectors @ matrix * teacher).sum(1) / np.linalg.norm(vectors @ matrix, axis=1)
        for vectors, teacher in ((q, targets.query_vectors), (d, targets.document_vectors[used]))
    ]
    asked = np.searchsorted(targets.queries, data.queries[:16])
    wanted = cosine[0][asked][:, None] + cosine[1][np.searchsorted(used, documents)]
    np.testing.assert_allclose(SEEN[-1].targets[TeacherMatch].detach().numpy(), wanted, atol=1e-4)


@pytest.mark.parametrize("width", WIDTHS)
def test_gradient_caching_gives_the_same_gradients(width: Any, garden: Collection, model: SentenceTransformer) -> None:
    data = rows_of(garden, model.get_embedding_dimension() if width not in (7,) else width)
    (wanted, _), (found, _) = (step(model, garden, data, *how) for how in ((10**9, False), (64, True)))
    assert found.keys() == wanted.keys()
    assert max(value.abs().max() for value in wanted.values()) > 1e-3
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4, msg=name)


def test_training_brings_the_vectors_nearer(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    model = SentenceTransformer(str(tiny_encoder))
    data = rows_of(garden, 7)
    job = TrainingJob(data=data, collection=garden, loss=Watched(weight=20.0), recipe=RECIPE, seed=0)
    before = len(SEEN)
    train(model, job, tmp_path)
    means = [batch.targets[TeacherMatch].mean().item() for batch in SEEN[before:]]
    assert len(means) == len(job.batches)
    assert means[-1] > means[0] + 0.2
