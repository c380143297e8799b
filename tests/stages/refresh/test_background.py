"""Lists that a second process makes while training goes on."""

from __future__ import annotations

import copy
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_grids import TRAIN, curves, plan, weights
from sentence_transformers import SentenceTransformer

from negbench.stages.inputs import read_collection
from negbench.stages.refresh import modes
from negbench.stages.refresh.rounds import read_rounds
from negbench.stages.refresh.worker import WorkerProcess
from negbench.store import Store


class TestASecondProcess:
    """``lag``: another process searches while training goes on."""

    @pytest.fixture(autouse=True)
    def no_pickle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever is sent to another process as an object goes through this pickler."""

        def refuse(*_: object) -> None:
            raise AssertionError("an object is pickled")

        monkeypatch.setattr(ForkingPickler, "__init__", refuse)
        monkeypatch.setattr(ForkingPickler, "loads", refuse)

    @pytest.mark.slow
    def test_without_a_lag_it_finds_what_is_found_here(
        self, tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rounds, weights and curves, to the bit."""
        (trial,) = plan(tmp_path, tiny_encoder, ["ance(refresh=every(steps=3))"])
        here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
        same = weights(here, trial), curves(here, trial)
        monkeypatch.setitem(modes.HOOKS, "full", WorkerProcess)  # type: ignore[arg-type]
        assert (weights(there, trial), curves(there, trial)) == same
        assert trial.training is not None
        found, wanted = (read_rounds(store.path(trial.training) / "rounds") for store in (there, here))
        assert len(found) == len(wanted) == 1
        for name in ("documents", "ranks", "scores", "effective_size"):
            np.testing.assert_array_equal(getattr(found[0].negatives, name), getattr(wanted[0].negatives, name))
        assert there.cost(trial.training)["documents_encoded"] == here.cost(trial.training)["documents_encoded"]

    def test_a_list_is_that_of_the_encoder_before_the_lag(
        self, tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Lists asked for after 2, 4, ... steps are used from 5, 7, ... on; so two are under way at once."""
        states: dict[int, dict[str, Any]] = {}
        real = WorkerProcess.request

        def watched(self: WorkerProcess, model: SentenceTransformer, number: int, upcoming: Any) -> None:
            states[number] = copy.deepcopy(model.state_dict())
            real(self, model, number, upcoming)

        monkeypatch.setattr(WorkerProcess, "request", watched)
        train = {**TRAIN, "batch_size": 8}
        (trial,) = plan(tmp_path, tiny_encoder, ["naive(refresh=every(steps=2, lag=3))"], train=train)
        store = Store(tmp_path / "store")
        weights(store, trial)
        assert trial.training is not None
        collection = read_collection(store.path(trial.training.collection))
        data, batches = trial.training.replay(store.path, collection)
        labels, passages = collection.qrels["train"].by_query(), collection.passages()
        used = 0
        for step, batch in enumerate(batches):
            number = sum(step >= due for due in range(5, len(batches), 2))
            used = max(used, number)
            model = SentenceTransformer(str(tiny_encoder))
            model.max_seq_length = 32
            if number:
                model.load_state_dict(states[number])
            texts = [collection.queries[row] for row in data.queries[batch]]
            scores = (
                model.encode(texts, normalize_embeddings=True) @ model.encode(passages, normalize_embeddings=True).T
            )
            for query, mine, row in zip(data.queries[batch].tolist(), data.negatives[batch], scores, strict=True):
                row[labels[query]] = -np.inf
                np.testing.assert_allclose(row[mine], np.sort(row)[::-1][:3], atol=1e-6)
        assert used == len(states) > 2
        told = curves(store, trial)["refresh_in_top"]
        assert [step for step, _ in told] == list(range(5, len(batches), 2))
        assert store.cost(trial.training)["refresh_wait_seconds"] > 0

    @pytest.mark.slow
    def test_with_a_lag_the_weights_are_the_same_again(self, tmp_path: Path, tiny_encoder: Path) -> None:
        train = {**TRAIN, "batch_size": 8}
        (trial,) = plan(tmp_path, tiny_encoder, ["naive(refresh=every(steps=2, lag=3))"], train=train)
        assert weights(Store(tmp_path / "store"), trial) == weights(Store(tmp_path / "again"), trial)
