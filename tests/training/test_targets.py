"""What a loss is told, from a table of pairs or of vectors to the batch that the loss sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pools import mined
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.losses import Loss, ScoredBatch
from negbench.losses.infonce import InfoNCE
from negbench.requirements import PairTarget, TeacherTargets
from negbench.training.batches import all_batches
from negbench.training.data import Instances, instances
from negbench.training.job import TrainingJob
from negbench.training.loop import train
from negbench.training.recipe import Recipe
from negbench.training.targets import PairTargets, Targets, VectorTargets
from negbench.types import Collection

RECIPE = Recipe(epochs=2, batch_size=16, learning_rate=1e-4, max_length=16, precision="float32")


@given(st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 7)), st.floats(0, 1, width=32) | st.none()))
def test_pairs_are_looked_up(known: dict[tuple[int, int], float | None]) -> None:
    queries = np.arange(6, dtype=np.int32)
    rows = [[document for asked, document in known if asked == query] for query in range(6)]
    documents = np.array([row + [-1] * (8 - len(row)) for row in rows], np.int32)
    value = {pair: np.nan if score is None else score for pair, score in known.items()}
    scores = np.array([[value.get((q, d), 0.5) for d in row] for q, row in enumerate(documents.tolist())], np.float32)
    table = PairTargets.of_table(queries, documents, scores)
    found = table.of(np.array([3, 0, 3], np.int32), np.arange(8, dtype=np.int32))
    wanted = [[value.get((q, d), np.nan) for d in range(8)] for q in (3, 0, 3)]
    np.testing.assert_array_equal(found, np.array(wanted, np.float32))
    assert found.dtype == np.float32
    assert np.isnan(table.one_by_one(queries, np.full(6, -1, np.int32))).all()


def test_vectors_are_multiplied() -> None:
    random = np.random.default_rng(0)
    queries, documents = np.array([1, 4, 9], np.int32), np.array([0, 2, 3, 8], np.int32)
    left, right = (random.standard_normal((count, 5)).astype(np.float32) for count in (3, 4))
    found = VectorTargets(queries, left, documents, right).of(np.array([9, 1]), np.array([8, 0, 3]))
    np.testing.assert_allclose(found, left[[2, 0]] @ right[[3, 0, 2]].T, rtol=1e-6)


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> Collection:
    return Beir(path=str(tiny_collection)).load()


def rows_of(garden: Collection) -> Instances:
    """Training rows with two negatives, and a target for each pair that they bring."""
    queries, positives = garden.split_queries("train"), garden.qrels["train"].by_query()
    chosen = [[d for d in range(7 * q % 40, 60) if d not in positives[q]][:2] for q in queries.tolist()]
    table = np.array(chosen, np.int32)
    drawn = mined(table, queries=queries)
    return instances(garden, "train", drawn, RECIPE)


def watched() -> tuple[list[ScoredBatch], Loss]:
    """A list, and a loss that puts into it what it sees."""

    class Watched(InfoNCE):
        """InfoNCE that notes its batches."""

        def rows(self, batch: ScoredBatch) -> torch.Tensor:
            seen.append(batch)
            return super().rows(batch)

    seen: list[ScoredBatch] = []
    return seen, Watched()


def target(query: int, document: int) -> float:
    return (7 * query + 3 * document) % 11 / 11


def test_the_loss_is_told_of_the_pairs_of_its_batch(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    data = rows_of(garden)
    pairs = {*zip(data.queries.tolist(), data.positives.tolist(), strict=True)}
    pairs |= {(q, d) for q, row in zip(data.queries.tolist(), data.negatives.tolist(), strict=True) for d in row}
    q, d = (np.array(side, np.int32) for side in zip(*sorted(pairs), strict=True))
    told = PairTargets.of_table(q, d[:, None], np.array([[target(*pair)] for pair in sorted(pairs)], np.float32))
    seen, loss = watched()

    cases: list[dict[type[PairTarget], Targets]] = [{TeacherTargets: told}, {}]
    for targets in cases:
        model = SentenceTransformer(str(tiny_encoder))
        train(
            model,
            TrainingJob(data=replace(data, targets=targets), collection=garden, loss=loss, recipe=RECIPE, seed=0),
            tmp_path,
        )
    batches = [batch for epoch in all_batches(data, RECIPE, 0) for batch in epoch]
    assert len(seen) == 2 * len(batches)
    for batch, scored in zip(batches, seen[: len(batches)], strict=True):
        given = scored.targets[TeacherTargets]
        for row, at in enumerate(batch.tolist()):
            query = int(data.queries[at])
            column = int(scored.positive_column[row])
            assert given[row, column].item() == pytest.approx(target(query, int(data.positives[at])))
            own = sorted(given[row, scored.mined_mask[row]].tolist())
            assert own == pytest.approx(sorted(target(query, int(it)) for it in data.negatives[at]))
        known = scored.mined_mask | scored.known_mask
        assert given[~known].isnan().all()  # nobody asked about the other rows' documents
    assert all(not batch.targets for batch in seen[len(batches) :])


def test_positives_are_compared_with_all_documents(garden: Collection, tiny_encoder: Path, tmp_path: Path) -> None:
    seen, loss = watched()

    train(
        SentenceTransformer(str(tiny_encoder)),
        TrainingJob(data=rows_of(garden), collection=garden, loss=loss, recipe=RECIPE, seed=0),
        tmp_path,
    )
    for batch in seen:
        assert batch.positive_similarity is not None
        rows = torch.arange(len(batch.positive_column))
        assert batch.positive_similarity[rows, batch.positive_column].tolist() == pytest.approx(
            [1.0] * len(rows), abs=1e-5
        )
        mutual = batch.positive_similarity[:, batch.positive_column]
        torch.testing.assert_close(mutual, mutual.T)
