"""The fusion of cosine and BM25: its sum against the retrievers' own scores, its weights, and who sees what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_ranked import planted
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from sentence_transformers import SentenceTransformer

from negbench.collections.beir import Beir
from negbench.retrieval import pool as pools
from negbench.retrieval.bm25 import BM25, terms
from negbench.teachers.score_fusion import ScoreFusion
from negbench.training.teacher import fold_of, train_fold, training_pairs
from negbench.types import CandidatePool, Collection


def tiny(folder: Path, **changed: Any) -> ScoreFusion:
    return ScoreFusion.model_validate({"model": str(folder), "max_length": 48, "depth": 20, "negatives": 2, **changed})


@pytest.fixture(scope="module")
def garden(tiny_collection: Path) -> tuple[Collection, CandidatePool]:
    """Return the garden with the BM25 pool of its training queries."""
    collection = Beir(path=str(tiny_collection)).load()
    return collection, pools.build(BM25(depth=20), collection, collection.split_queries("train"), "train", 0)


def scaled(collection: Collection, queries: list[str], encoder: Path) -> np.ndarray:
    """Return cosine and BM25 [Q, D, 2] of all documents by other code, less the query's mean and over its deviation."""
    model, bm25 = SentenceTransformer(str(encoder), device="cpu"), BM25()
    model.max_seq_length = 48
    texts = collection.passages()
    words = bm25.tokenizer(texts)
    index = bm25.index(terms(words, texts, learn=True), words.get_vocab_dict())
    both = (model.encode(queries) @ model.encode(texts).T, index(terms(words, queries)))
    return np.stack([(of - of.mean(1, keepdims=True)) / of.std(1, keepdims=True) for of in both], axis=2)


def test_it_is_the_likeliest_weighted_sum_of_both_retrievers(garden: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    collection, pool = garden
    teacher = tiny(tiny_encoder)
    cost = train_fold(teacher, pool, collection, 1, 0, "float32", tmp_path / "m", tmp_path / "scratch")
    texts = [collection.queries[row] for row in pool.queries]
    members = np.flatnonzero(fold_of(texts, 2) == 0)
    pairs = training_pairs(teacher, pool, members, 0)
    features = scaled(collection, texts, tiny_encoder)

    def unlikely(weights: np.ndarray) -> float:
        """Each positive against its query's negatives, with half of the squared weights per standard deviation."""
        each = np.array([features[query, row] for query, row, _ in pairs])
        total = float((weights * each.std(axis=0)) @ (weights * each.std(axis=0))) / 2
        for query, row, label in pairs:
            if label:
                others = [features[query, other] for one, other, said in pairs if one == query and not said]
                sums = np.array([features[query, row], *others]) @ weights
                total += logsumexp(sums) - sums[0]
        return total

    wanted = minimize(unlikely, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-8}).x
    intercept, *found = json.loads((tmp_path / "m" / "weights.json").read_text())
    assert found[0] / found[1] == pytest.approx(wanted[0] / wanted[1], rel=0.02)
    asked = [(query, row) for query in np.flatnonzero(fold_of(texts, 2) == 1)[:3] for row in range(40)]
    scores = teacher.score([(texts[q], collection.passages()[row]) for q, row in asked], tmp_path / "m", "float32")
    sums = np.array([features[query, row] for query, row in asked]) @ found
    np.testing.assert_allclose(scores, expit(intercept + sums), atol=1e-4)
    read = {row for _, row, _ in pairs}
    assert cost["documents_encoded"] == len(collection.document_ids) + len(read)
    assert cost["queries_encoded"] == len({query for query, _, _ in pairs})


def test_the_labels_of_the_fold_that_it_scores_change_nothing(garden: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    collection, pool = garden
    fold = fold_of([collection.queries[row] for row in pool.queries], 2)
    kept: list[bytes] = []
    for name, moved in (("as they are", fold < 0), ("its own", fold == 1), ("the others'", fold == 0)):
        positives = pool.positives.copy()
        positives[moved] = np.where(positives[moved] >= 0, (positives[moved] + 7) % 60, -1)
        changed = replace(pool, positives=positives)
        train_fold(tiny(tiny_encoder), changed, collection, 1, 0, "float32", tmp_path / name, tmp_path / "scratch")
        kept.append((tmp_path / name / "weights.json").read_bytes())
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]


def test_a_prior_lowers_probabilities_and_keeps_their_order(tiny_encoder: Path, tmp_path: Path) -> None:
    collection, pool = planted()
    train_fold(tiny(tiny_encoder), pool, collection, 0, 0, "float32", tmp_path / "m", tmp_path / "scratch")
    pairs = [(collection.queries[0], text) for text in ("sun", "frost", "sun frost")]
    plain = tiny(tiny_encoder).score(pairs, tmp_path / "m", "float32")
    rare = tiny(tiny_encoder, prior=0.01).score(pairs, tmp_path / "m", "float32")
    np.testing.assert_allclose(rare / (1 - rare), plain / (1 - plain) * (0.01 / 0.99) / (0.5), rtol=1e-3)
    assert (rare < plain).all()
