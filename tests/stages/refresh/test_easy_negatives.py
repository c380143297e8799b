"""Replacement of negatives that have become easy, against brute force by a model with the weights of each check."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_grids import plan
from sentence_transformers import SentenceTransformer

from negbench.methods import resolve
from negbench.stages.inputs import read_collection
from negbench.stages.refresh.easy_negatives import EasyNegatives
from negbench.stages.refresh.rounds import read_rounds
from negbench.store import Store
from negbench.types import Negatives

WHEN = "when-easy(steps=2, factor=1.001, ceiling=0.999)"


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The weights at each check."""
    weights: list[dict[str, Any]] = []
    real = EasyNegatives.replacement

    def watched(self: EasyNegatives, model: SentenceTransformer, *rest: Any) -> Any:
        weights.append(copy.deepcopy(model.state_dict()))
        return real(self, model, *rest)

    monkeypatch.setattr(EasyNegatives, "replacement", watched)
    return weights


@pytest.mark.parametrize("draws", ["once", "each-epoch"])
def test_queries_whose_negatives_became_easy_get_the_next_ranks(
    tmp_path: Path, tiny_encoder: Path, states: list[dict[str, Any]], draws: str
) -> None:
    (trial,) = plan(tmp_path, tiny_encoder, [{"naive": {"refresh": WHEN, "draws": draws}}], negatives=2)
    store = Store(tmp_path / "store")
    assert trial.training is not None
    rounds = read_rounds(store.ensure(trial.training) / "rounds")
    assert len(rounds) == len(states) >= 2
    collection, draw = read_collection(store.path(trial.training.collection)), trial.training.mined
    pool, drawn = draw.candidates(store.path), store.load(Negatives, draw)
    model = SentenceTransformer(str(tiny_encoder))
    model.max_seq_length = 32

    def means(negatives: Negatives) -> Any:
        queries = model.encode([collection.queries[row] for row in negatives.queries], normalize_embeddings=True)
        documents = model.encode(list(collection.passages()), normalize_embeddings=True)
        return np.einsum("qd,qkd->qk", queries, documents[negatives.documents]).mean(axis=1)

    used = [set(row.tolist()) for row in drawn.documents]
    first, before = means(drawn), drawn.documents
    replaced = 0
    for weights, made in zip(states, rounds, strict=True):
        model.load_state_dict(weights)
        now, documents = means(drawn), before.copy()
        for query in np.flatnonzero((1.001 * now < first) & (abs(now) < 0.999)).tolist():
            left = [
                row
                for row, known in zip(pool.documents[query].tolist(), pool.known[query], strict=True)
                if row >= 0 and not known and row not in used[query]
            ]
            if len(left) >= draw.k:
                documents[query] = np.tile(left[: draw.k], draw.epochs)
                used[query] |= set(left[: draw.k])
                replaced += 1
        np.testing.assert_array_equal(made.negatives.documents, documents)
        drawn = made.negatives
        changed = (documents != before).any(axis=1)
        first, before = np.where(changed, means(drawn), first), documents
    assert replaced
    assert len(np.unique(before == rounds[0].negatives.documents)) == 2


def test_a_mean_above_the_ceiling_keeps_its_negatives(
    tmp_path: Path, tiny_encoder: Path, states: list[dict[str, Any]]
) -> None:
    (trial,) = plan(tmp_path, tiny_encoder, ["naive(refresh=when-easy(steps=2, factor=100, ceiling=0.0001))"])
    store = Store(tmp_path / "store")
    assert trial.training is not None
    for made in read_rounds(store.ensure(trial.training) / "rounds"):
        np.testing.assert_array_equal(made.negatives.documents, store.load(Negatives, trial.training.mined).documents)
    assert states


def test_candidates_without_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="scores negatives with the encoder; give candidates dense"):
        resolve("bm25(refresh=when-easy)")
