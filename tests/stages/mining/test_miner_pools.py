"""Pools by a model other than the encoder trained, against searches written out here with that model's vectors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench.config.grid import read
from negbench.features import PerCandidate
from negbench.mining import filtered
from negbench.plan.trials import Trial, trials
from negbench.requirements import PositiveSimilarity
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.pool import build
from negbench.stages.inputs import Embed, read_collection
from negbench.store import Store, load_arrays
from negbench.types import CandidatePool, Collection, Float64, Negatives


@pytest.fixture(scope="module")
def miner(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second model: the tiny one, its weights with noise."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_encoder), device="cpu")
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    folder = tmp_path_factory.mktemp("miner") / "miner"
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


@dataclass(frozen=True)
class Truth:
    """A miner's cosines of training queries and documents, float64 [Q, N], and those of documents [N, N]."""

    collection: Collection
    scores: Float64
    among: Float64

    def order(self, query: int) -> list[int]:
        return [int(row) for row in np.argsort(-self.scores[query], kind="stable")]

    def positives(self, query: int) -> set[int]:
        row = int(self.collection.split_queries("train")[query])
        return {int(it) for it in self.collection.qrels["train"].at_least(1).by_query()[row]}


def truth(folder: Path, collection: Collection) -> Truth:
    """Encode with sentence-transformers itself."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    passages = collection.passages()
    texts = [passages[row] for row in range(len(passages))]
    queries = [collection.queries[row] for row in collection.split_queries("train").tolist()]
    documents, asked = (
        model.encode(it, normalize_embeddings=True, show_progress_bar=False).astype(np.float64)
        for it in (texts, queries)
    )
    return Truth(collection, asked @ documents.T, documents @ documents.T)


def planned(folder: Path, collection: object, student: object, method: object, **keys: Any) -> Trial:
    grid = {
        "name": "g",
        "collection": collection,
        "encoder": student,
        "methods": [method],
        "train": {"precision": "float32", "max_length": 128, "epochs": 1},
        **keys,
    }
    (folder / "grid.yaml").write_text(json.dumps(grid))
    (trial,) = [it for it in trials(read(folder / "grid.yaml")) if it.negatives is not None]
    return trial


def pool_of(trial: Trial, store: Store) -> CandidatePool:
    assert trial.negatives is not None
    return load_arrays(CandidatePool, store.ensure(trial.negatives.pool))


@pytest.mark.parametrize("name", ["dense", "voyager"])
def test_lists_and_scores_are_those_of_a_search_with_the_miner_s_vectors(
    name: str, tmp_path: Path, tiny_collection: Path, tiny_encoder: Path, miner: Path
) -> None:
    store = Store(tmp_path / "store")
    method = {"naive": {"candidates": {name: {"encoder": str(miner), "depth": 20}}, "selection": "top"}}
    trial = planned(tmp_path, str(tiny_collection), str(tiny_encoder), method)
    pool = pool_of(trial, store)
    assert trial.negatives is not None
    collection = read_collection(store.path(trial.negatives.pool.collection))
    expected, students = truth(miner, collection), truth(tiny_encoder, collection)
    others = 0
    for query in range(len(pool.queries)):
        order = expected.order(query)[:20]
        assert pool.documents[query].tolist() == order
        np.testing.assert_allclose(pool.scores[query], expected.scores[query, order], atol=1e-5)
        of_query = pool.positives[query][pool.positives[query] >= 0]
        assert set(of_query.tolist()) == expected.positives(query)
        np.testing.assert_allclose(
            pool.positive_scores[query, : len(of_query)], expected.scores[query, of_query], atol=1e-5
        )
        others += order != students.order(query)[:20]
    assert others == len(pool.queries)  # the student would find other lists


def test_a_hybrid_fuses_bm25_with_the_miner_s_ranking(
    tmp_path: Path, tiny_collection: Path, tiny_encoder: Path, miner: Path
) -> None:
    store = Store(tmp_path / "store")
    trial = planned(tmp_path, str(tiny_collection), str(tiny_encoder), {"hybrid": {"encoder": str(miner)}})
    pool = pool_of(trial, store)
    assert trial.negatives is not None
    collection = read_collection(store.path(trial.negatives.pool.collection))
    expected = truth(miner, collection)
    lexical = build(BM25(depth=pool.depth), collection, pool.queries, "train", 0)
    for query in range(len(pool.queries)):
        fused: dict[int, float] = {}
        for ranking in (lexical.documents[query].tolist(), expected.order(query)[: pool.depth]):
            for rank, document in enumerate(ranking, start=1):
                if document >= 0:
                    fused[document] = fused.get(document, 0.0) + 1 / (60 + rank)
        order = sorted(fused, key=lambda document: (-fused[document], document))
        found = pool.documents[query][pool.documents[query] >= 0].tolist()
        assert found == order[: len(found)]
        assert len(found) == min(len(order), pool.depth)


def test_a_margin_takes_both_scores_from_the_miner(
    tmp_path: Path, tiny_collection: Path, tiny_encoder: Path, miner: Path
) -> None:
    """The highest three of the miner's scores that are at most 95 % of its lowest score of a positive."""
    store = Store(tmp_path / "store")
    method = {"nv-retriever": {"encoder": str(miner)}}
    trial = planned(tmp_path, str(tiny_collection), str(tiny_encoder), method, negatives=3)
    assert trial.negatives is not None
    drawn = load_arrays(Negatives, store.ensure(trial.negatives))
    collection = read_collection(store.path(trial.negatives.pool.collection))
    expected, students = truth(miner, collection), truth(tiny_encoder, collection)

    def rule(of_candidates: Truth, of_positives: Truth, query: int) -> list[int]:
        positives = expected.positives(query)
        limit = 0.95 * min(of_positives.scores[query, it] for it in positives)
        order = of_candidates.order(query)
        return [it for it in order if it not in positives and of_candidates.scores[query, it] <= limit][:3]

    wanted = [rule(expected, expected, query) for query in range(len(drawn.queries))]
    found = [row[origins == 0].tolist() for row, origins in zip(drawn.documents, drawn.origins, strict=True)]
    assert found == wanted
    assert sum(map(len, wanted)) > len(wanted)
    mixed = [rule(expected, students, query) for query in range(len(drawn.queries))]
    assert mixed != wanted  # s+ of the student would keep others


def test_similarities_to_the_positives_are_the_miner_s(
    tmp_path: Path, tiny_collection: Path, tiny_encoder: Path, miner: Path
) -> None:
    store = Store(tmp_path / "store")
    trial = planned(tmp_path, str(tiny_collection), str(tiny_encoder), {"trisampler": {"encoder": str(miner)}})
    assert trial.negatives is not None
    store.ensure(trial.negatives)
    pool = trial.negatives.candidates(store.path)
    collection = read_collection(store.path(trial.negatives.pool.collection))
    expected = truth(miner, collection)
    feature = pool.features[PositiveSimilarity]
    assert isinstance(feature, PerCandidate)
    for query in range(len(pool.queries)):
        filled = pool.documents[query] >= 0
        nearest = expected.among[sorted(expected.positives(query))].max(axis=0)
        np.testing.assert_allclose(feature.candidates[query, filled], nearest[pool.documents[query, filled]], atol=1e-5)


def test_students_and_methods_share_one_encoding_of_the_corpus(
    tmp_path: Path, tiny_collection: Path, tiny_encoder: Path, miner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, encoded = Store(tmp_path / "store"), []
    run = Embed.run

    def counted(stage: Embed, path_of: Any, out: Path) -> dict[str, float]:
        encoded.append(stage.side)
        return run(stage, path_of, out)

    monkeypatch.setattr(Embed, "run", counted)
    folders = []
    for name in ("naive", "nv-retriever"):
        for layers in (1, 3):
            student = {"model": str(tiny_encoder), "keep_layers": layers}
            trial = planned(tmp_path, str(tiny_collection), student, {name: {"encoder": str(miner)}})
            assert trial.negatives is not None
            folders.append(store.ensure(trial.negatives))
    assert sorted(encoded) == ["document", "query"]
    assert len(set(folders)) == 2  # a draw a method, whoever the student is


def test_the_faithful_band_is_ragatouille_s(tmp_path: Path, tiny_encoder: Path, miner: Path) -> None:
    """Ranks from 10 (counted from 0) to below min(110, N // 10) by the miner's cosines, without the positives."""
    store, size = Store(tmp_path / "store"), 300
    sizes = {"articles": size, "queries": 20, "dev": 5, "test": 5}
    method = {"rank-band": {"as": "faithful", "encoder": str(miner)}}
    trial = planned(tmp_path, {"helpdesk": sizes}, str(tiny_encoder), method)
    assert trial.negatives is not None
    drawn = load_arrays(Negatives, store.ensure(trial.negatives))
    pool = load_arrays(CandidatePool, store.path(trial.negatives.pool))
    collection = read_collection(store.path(trial.negatives.pool.collection))
    assert len(collection.document_ids) == size
    expected = truth(miner, collection)
    open_to_all = filtered(pool, trial.negatives.rules)
    copies = collection.known_copies()
    for query in range(len(pool.queries)):
        known = expected.positives(query)
        known |= {int(copy) for document in known for copy in copies.get(document, ())}
        band = set(expected.order(query)[10 : min(110, size // 10)]) - known
        assert set(pool.documents[query, open_to_all.available()[query]].tolist()) == band
        found = drawn.of_epoch(0).documents[query, drawn.of_epoch(0).origins[query] == 0].tolist()
        assert set(found) <= band
        assert len(set(found)) == min(10, len(band))
