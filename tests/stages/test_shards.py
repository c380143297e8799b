"""A corpus that is encoded in shards: the same vectors, wherever it was stopped and whoever made the shards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import negbench
from negbench import tracking
from negbench.collections.helpdesk import Helpdesk
from negbench.encoders import weights
from negbench.encoders.encode import encode, encode_tokens
from negbench.encoders.load import build
from negbench.encoders.spec import EncoderSpec
from negbench.executors import Job, worker
from negbench.plan.trials import trials
from negbench.stages import inputs
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder, read_vectors
from negbench.store import Store, upkeep, usage

SOURCE = Helpdesk(articles=150, queries=30, dev=5, test=5)
"""150 articles: four shards of 40, the last of 30."""


@pytest.fixture
def documents(tiny_encoder: Path) -> Embed:
    spec = EncoderSpec(model=str(tiny_encoder))
    return Embed(
        encoder=StartEncoder(spec, weights.fingerprint(str(tiny_encoder), None), None),
        collection=LoadCollection(SOURCE, SOURCE.fingerprint()),
        side="document",
        split=None,
        max_length=32,
        precision="float32",
    )


def _ready(store: Store, stage: Embed) -> Store:
    for one in stage.inputs:
        store.ensure(one)
    return store


def test_shards_hold_what_encoding_each_gives(
    documents: Embed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = np.load(Store(tmp_path / "whole").ensure(documents) / "vectors.npy")
    monkeypatch.setattr(inputs, "SHARD", 40)
    store = Store(tmp_path / "store")
    folder = store.ensure(documents)
    model, texts = build(EncoderSpec(model=documents.encoder.spec.model), 0), SOURCE.load().passages()  # type: ignore[attr-defined]
    wanted = [encode(model, texts[first : first + 40], "document", "float32", 32) for first in range(0, 150, 40)]
    np.testing.assert_array_equal(np.load(folder / "vectors.npy"), np.concatenate(wanted))
    np.testing.assert_allclose(np.load(folder / "vectors.npy"), whole, atol=1e-6)
    np.testing.assert_array_equal(documents.by(model, SOURCE.load())[0], np.concatenate(wanted))
    assert store.cost(documents)["documents_encoded"] == 150
    assert store.cost(documents).keys() == Store(tmp_path / "whole").cost(documents).keys()
    assert not list(store.root.glob("embeddings-shard/*")), "the shards stay beside what they make"


def test_a_corpus_of_one_shard_is_stored_as_before(
    documents: Embed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "SHARD", 150)
    store = _ready(Store(tmp_path), documents)
    assert documents.parts(store.path) == ()
    np.save(tmp_path / "wanted.npy", documents.by(documents.model(store.path), SOURCE.load())[0])
    assert (store.ensure(documents) / "vectors.npy").read_bytes() == (tmp_path / "wanted.npy").read_bytes()


def test_what_is_stopped_goes_on_at_the_shard(
    documents: Embed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "SHARD", 40)
    wanted = np.load(Store(tmp_path / "whole").ensure(documents) / "vectors.npy")
    encoded: list[int] = []

    def stopped(model: Any, tokens: Any, precision: Any) -> Any:
        if len(encoded) == 2:
            raise KeyboardInterrupt
        encoded.append(len(tokens))
        return encode_tokens(model, tokens, precision)

    monkeypatch.setattr(inputs, "encode_tokens", stopped)
    store = Store(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        store.ensure(documents)
    assert encoded == [40, 40]
    (tmp_path / "results").mkdir()
    with usage.recorded(store, "stopped", tmp_path / "results", [documents]):
        pass
    kept = [one for one in upkeep.artifacts(store) if one.kind == "embeddings-shard"]
    assert [one.grids for one in kept] == [("stopped",)] * 2, "a grid's shards could be removed as unused"
    left = documents.parts(store.path)[0]
    encoded[:] = [0, 0, 0]
    np.testing.assert_array_equal(np.load(Store(tmp_path / "store").ensure(documents) / "vectors.npy"), wanted)
    assert encoded == [0, 0, 0, 40, 30]
    store.ensure(left)
    kept = [one for one in upkeep.artifacts(store) if one.kind == "embeddings-shard"]
    assert [one.grids for one in kept] == [()], "a shard is of no use once its whole is stored"


@pytest.mark.parametrize("large", [0, 2])
def test_shards_of_bfloat16_are_float16_unless_one_is_too_large(
    large: int, documents: Embed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One shard that only float32 can hold makes the whole float32; no number is changed."""
    monkeypatch.setattr(inputs, "SHARD", 40)
    calls: list[np.ndarray] = []

    def made(model: Any, tokens: Any, precision: Any) -> Any:
        calls.append(np.full((len(tokens), 4), 1e5 if len(calls) + 1 == large else 0.5, np.float32))
        return calls[-1]

    monkeypatch.setattr(inputs, "encode_tokens", made)
    found = read_vectors(Store(tmp_path).ensure(replace(documents, precision="bfloat16")))
    assert found.dtype == (np.float32 if large else np.float16)
    np.testing.assert_array_equal(np.asarray(found), np.concatenate(calls))


def test_a_grid_shows_its_shards_and_workers_find_them(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "log_grid", lambda *_, **__: tracking.Outcome(0, 0, "MLflow: not asked"))
    monkeypatch.setattr(inputs, "SHARD", 40)
    grid = {
        "name": "shards",
        "collection": "helpdesk(articles=100, queries=24, dev=6, test=12)",
        "encoder": str(tiny_encoder),
        "methods": ["in-batch"],
        "train": {"epochs": 1, "batch_size": 8, "max_length": 32, "precision": "float32"},
        "estimators": ["exact"],
    }
    shown: list[str] = []
    results = negbench.run(
        grid, tmp_path / "out", store=tmp_path / "store", models="none", progress=lambda it: shown.append(it.label)
    )
    assert not results.failures
    ranges = [label.rpartition(", ")[2] for label in shown if " of 100" in label]
    assert ranges[:3] == ["1 to 40 of 100", "41 to 80 of 100", "81 to 100 of 100"]

    manifest = tmp_path / "manifest.json"
    text = json.dumps(grid)
    manifest.write_text(json.dumps({"grid": text, "assignments": [], "folder": str(tmp_path)}))
    job = Job(str(manifest), str(tmp_path / "other"), str(tmp_path))
    store = Store(tmp_path / "other")
    stages = [stage for trial in trials(negbench.load_grid(grid).config) for stage in trial.stages]
    stage = next(stage for stage in stages if isinstance(stage, Embed) and stage.side == "document")
    for shard in reversed(stage.parts(_ready(store, stage).path)):
        assert worker.carry_out(job, shard.key).failure is None
        assert store.has(shard)
    assert worker.carry_out(job, stage.key).failure is None
    np.testing.assert_array_equal(read_vectors(store.path(stage)), read_vectors(Store(tmp_path / "store").path(stage)))
