"""Training queries alone, over documents that stay, and searching as it goes."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import moving_grids
import numpy as np
import pytest
from pools import mined
from sentence_transformers import SentenceTransformer

from negbench.errors import InputError
from negbench.evaluation.ranking import tie_keys
from negbench.report import results
from negbench.stages.inputs import Embed, read_collection, read_vectors
from negbench.stages.refresh.batch_search import BatchSearch, check_memory
from negbench.stages.training.curve import dev_sample
from negbench.store import Store
from negbench.training import loop

TRAIN = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "max_length": 32, "precision": "float32"}
plan = partial(moving_grids.plan, negatives=1, train=TRAIN)
ADORE = "adore(negatives=20, candidates.depth=40)"


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the weights were at each search."""
    found: list[dict[str, Any]] = []
    real = BatchSearch.replacement

    def watched(self: BatchSearch, model: SentenceTransformer, *rest: Any) -> Any:
        found.append(copy.deepcopy(model.state_dict()))
        return real(self, model, *rest)

    monkeypatch.setattr(BatchSearch, "replacement", watched)
    return found


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The negatives of each batch as training saw them."""
    found: list[np.ndarray] = []
    real = loop.Collator.__call__

    def watched(self: loop.Collator, features: Any) -> dict[str, Any]:
        found.append(self.data.negatives[[feature["row"] for feature in features]])
        return real(self, features)

    monkeypatch.setattr(loop.Collator, "__call__", watched)
    return found


def test_negatives_are_the_current_top_at_each_step(
    tmp_path: Path, tiny_encoder: Path, states: list[dict[str, Any]], handed: list[np.ndarray]
) -> None:
    """By brute force with the weights of each step, over the start's documents; and replayed as they were handed."""
    (trial,) = plan(tmp_path, tiny_encoder, [ADORE])
    store = Store(tmp_path / "store")
    training = trial.training
    assert training is not None
    store.ensure(training)
    collection = read_collection(store.path(training.collection))
    assert training.documents is not None
    documents = np.asarray(read_vectors(store.path(training.documents)), np.float32)
    data, batches = training.replay(store.path, collection)
    labels = collection.qrels["train"].at_least(1).by_query()
    assert len(batches) == len(states) + 1 > 4
    for step, batch in enumerate(batches):
        model = SentenceTransformer(str(tiny_encoder))
        if step:
            model.load_state_dict(states[step - 1])
        model.max_seq_length = 32
        texts = [collection.queries[row] for row in data.queries[batch]]
        scores = model.encode(texts, normalize_embeddings=True) @ documents.T
        for query, mine, row in zip(data.queries[batch].tolist(), data.negatives[batch], scores, strict=True):
            row[labels[query]] = -np.inf
            np.testing.assert_allclose(row[mine], np.sort(row)[::-1][:20], atol=1e-6)
        np.testing.assert_array_equal(data.negatives[batch], handed[step])
    assert any(not np.array_equal(states[0][name], states[-1][name]) for name in states[0])


def test_documents_stay_to_the_bit_and_queries_do_not(tmp_path: Path, tiny_encoder: Path) -> None:
    names = [ADORE, 'star-adore(stages=["star(work=0.5)", "adore(work=0.5, negatives=20)"])']
    alone, after = plan(tmp_path, tiny_encoder, names, curve_points=2)
    store = Store(tmp_path / "store")
    for trial, first in ((alone, alone.sequence.trainings[0].encoder), (after, after.sequence.trainings[0])):  # type: ignore[union-attr]
        for stage in trial.stages:
            store.ensure(stage)
        documents, queries = trial.evaluation.documents, trial.evaluation.queries  # type: ignore[union-attr]
        assert documents.encoder == first
        assert queries.encoder == trial.training
        assert trial.training is not None
        assert trial.training.documents == documents
        collection = read_collection(store.path(trial.evaluation.collection))
        model = SentenceTransformer(str(store.path(first) / "model"))
        model.max_seq_length = 32
        made = model.encode(collection.passages(), normalize_embeddings=True)
        np.testing.assert_allclose(read_vectors(store.path(documents)), made, atol=1e-6)
        trained = SentenceTransformer(str(store.path(trial.training) / "model"))
        assert not np.allclose(trained.encode(collection.queries[:3]), model.encode(collection.queries[:3]), atol=1e-3)
        row = results.record(trial, [trial], store, None)
        assert store.cost(trial.training)["documents_read"] == 0
        assert row["false_negatives"]["exact"]["rate"] > 0

        # the curve ends at the encoder's own quality on dev, over the same documents
        asked, rows = dev_sample(collection, "dev")
        scores = trained.encode([collection.queries[at] for at in asked], normalize_embeddings=True) @ made[rows].T
        relevant = collection.qrels["dev"].at_least(1).by_query()
        gains = []
        keys = tie_keys(collection, asked, np.tile(rows, (len(asked), 1)))  # texts cut at 32 tokens are alike
        for query, mine, key in zip(asked.tolist(), scores, keys, strict=True):
            hits = np.isin(rows[np.lexsort((key, -mine.round(6)))[:10]], relevant[query])
            discounts = 1 / np.log2(np.arange(2, 12))
            gains.append((hits * discounts).sum() / discounts[: min(10, len(relevant[query]))].sum())
        assert trial.sequence is not None
        assert trial.sequence.curves(store)["dev_nDCG@10"][-1][1] == pytest.approx(np.mean(gains), abs=1e-6)


def test_a_whole_refresh_searches_the_documents_as_they_stay(tmp_path: Path, tiny_encoder: Path) -> None:
    (trial,) = plan(tmp_path, tiny_encoder, ['naive(trains=queries, refresh="every(steps=2)")'])
    store = Store(tmp_path / "store")
    assert trial.training is not None
    store.ensure(trial.training)
    cost = store.cost(trial.training)
    assert cost["refreshes"] > 1
    assert "documents_encoded" not in cost
    assert cost["queries_encoded"] == cost["refreshes"] * 32


def test_a_training_of_both_sides_embeds_documents_anew(tmp_path: Path, tiny_encoder: Path) -> None:
    (trial,) = plan(tmp_path, tiny_encoder, ["naive"])
    assert trial.training is not None
    assert trial.training.documents is None
    assert isinstance(trial.evaluation.documents, Embed)  # type: ignore[union-attr]


@pytest.mark.parametrize("changed", ["trains=both", "labels=[promote-duplicates]"])
def test_what_cannot_be_searched_at_each_step(changed: str) -> None:
    from negbench.methods import resolve

    with pytest.raises(ValueError, match="searches over documents that stay; give trains=queries, no labels"):
        resolve(f"adore({changed})")


def test_a_query_asked_too_often_to_keep_what_is_found_is_told(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial,) = plan(tmp_path, tiny_encoder, ["adore"])
    assert trial.training is not None
    store = Store(tmp_path / "store")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=10_000))
    with pytest.raises(InputError, match=r"^train: a query is asked up to \d+ times .* give positives: one, or fewer"):
        store.ensure(trial.training)
    assert not store.has(trial.training)


@pytest.mark.parametrize(("there", "enough"), [(912, True), (911, False)])
def test_what_rounds_take_is_what_their_arrays_hold(monkeypatch: pytest.MonkeyPatch, there: int, enough: bool) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=there))
    none = mined(np.zeros((4, 3)), queries=[0] * 4)
    with nullcontext() if enough else pytest.raises(InputError):
        # two rounds of three negatives: for four queries five numbers of 4 bytes and one of 8, for ten rows one of 4
        check_memory([np.array([0, 1, 2])], 10, none)
