"""What everything rests on: inputs that change are not stored, embeddings are kept finely and searched while mapped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench.collections import storage
from negbench.collections.beir import Beir
from negbench.collections.helpdesk import Helpdesk
from negbench.config.grid import read
from negbench.encoders import weights
from negbench.encoders.encode import encode
from negbench.encoders.load import build, load
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import tokenised
from negbench.errors import InputError
from negbench.plan.trials import trials
from negbench.registry import registered
from negbench.retrieval import pool
from negbench.stages import inputs
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder, read_vectors
from negbench.store import Store


@pytest.mark.parametrize(("precision", "kept"), [("float32", np.float32), ("bfloat16", np.float16)])
def test_embeddings_are_kept_as_finely_as_they_were_made(
    tiny_encoder: Path, tmp_path: Path, precision: Any, kept: type
) -> None:
    source = Helpdesk(articles=150, queries=30, dev=5, test=5)
    loaded = LoadCollection(source, source.fingerprint())
    encoder = StartEncoder(EncoderSpec(model=str(tiny_encoder)), "tiny", None)
    folders = {loaded: tmp_path / "collection", encoder: tmp_path / "encoder"}
    for folder in folders.values():
        folder.mkdir()
    collection = source.load()
    storage.save(collection, folders[loaded])
    build(encoder.spec, 0).save_pretrained(str(folders[encoder] / "model"), create_model_card=False)
    model = load(folders[encoder] / "model")
    found = {}
    for split in (None, "train"):
        stage = Embed(
            encoder=encoder,
            collection=loaded,
            side="document" if split is None else "query",
            split=split,
            max_length=32,
            precision=precision,
        )
        out = tmp_path / f"{split}"
        out.mkdir()
        cost = stage.run(folders.__getitem__, out)
        found[split] = read_vectors(out)
        rows = collection.split_queries("train")
        texts = collection.passages() if split is None else [collection.queries[row] for row in rows]
        wanted = encode(model, texts, stage.side, precision, 32)
        assert found[split].dtype == kept
        np.testing.assert_array_equal(np.asarray(found[split]), wanted.astype(kept))
        assert sum(cost[name] for name in cost if name.endswith("s_encoded") and name != "tokens_encoded") == len(texts)
    assert isinstance(found[None], np.memmap)
    queries = collection.split_queries("train")
    for kind in registered("retriever").values():
        if not getattr(kind, "needs_vectors", False):
            continue
        retriever: Any = kind(depth=10)
        mapped = pool.build(retriever, collection, queries, "train", 0, found["train"], found[None])
        held = [np.array(found[split], np.float32) for split in ("train", None)]
        plain = pool.build(retriever, collection, queries, "train", 0, *held)
        np.testing.assert_array_equal(mapped.documents, plain.documents)
        np.testing.assert_array_equal(mapped.scores, plain.scores)


def _documents(encoder: Path, **chosen: Any) -> Embed:
    source = Helpdesk(articles=150, queries=30, dev=5, test=5)
    return Embed(
        encoder=StartEncoder(EncoderSpec(model=str(encoder)), weights.fingerprint(str(encoder), None), None),
        collection=LoadCollection(source, source.fingerprint()),
        side="document",
        split=None,
        max_length=32,
        **chosen,
    )


def test_float16_is_the_nearest_of_float32_and_another_artifact(tiny_encoder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    plain, half = (_documents(tiny_encoder, precision="float32", storage=it) for it in ("auto", "float16"))
    assert plain.key != half.key
    assert "storage" not in plain.identity()["parameters"], "vectors that are stored would not be found again"
    found = [read_vectors(store.ensure(stage)) for stage in (plain, half)]
    assert [one.dtype for one in found] == [np.float32, np.float16]
    assert [one.dtype.itemsize for one in found] == [plain.bytes_a_number, half.bytes_a_number]
    np.testing.assert_array_equal(found[1], found[0].astype(np.float16))


def test_what_bfloat16_computes_is_float16_already(tiny_encoder: Path) -> None:
    plain, half = (_documents(tiny_encoder, precision="bfloat16", storage=it) for it in ("auto", "float16"))
    assert plain.key == half.key


def test_a_grid_chooses_float16_for_all_of_its_vectors(tiny_encoder: Path) -> None:
    grid = {"name": "half", "collection": "helpdesk", "encoder": str(tiny_encoder), "methods": ["naive"]}
    config = read({**grid, "train": {"precision": "float32"}, "vectors": "float16"})
    stages = [stage for trial in trials(config) for stage in trial.stages if isinstance(stage, Embed)]
    assert stages
    assert {stage.storage for stage in stages} == {"float16"}


@pytest.mark.parametrize("layout", ["transformer", "static"])
def test_documents_are_tokenised_once_for_encoders_that_read_alike(
    layout: str, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trainings of one start differ in their weights alone; another limit of tokens is another reading."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from transformers import AutoTokenizer

    folder = tiny_encoder
    if layout == "static":
        folder = tmp_path / "static"
        module = StaticEmbedding(AutoTokenizer.from_pretrained(tiny_encoder), embedding_dim=8)
        SentenceTransformer(modules=[module]).save_pretrained(str(folder), create_model_card=False)
    source = Helpdesk(articles=150, queries=30, dev=5, test=5)
    collection, loaded = source.load(), LoadCollection(source, source.fingerprint())
    times: list[int] = []
    monkeypatch.setattr(inputs, "_TOKENS", {})
    monkeypatch.setattr(inputs, "tokenised", lambda *told: times.append(len(told[1])) or tokenised(*told))

    def vectors(length: int) -> Any:
        encoder = StartEncoder(EncoderSpec(model=str(folder)), "tiny", None)
        stage = Embed(
            encoder=encoder, collection=loaded, side="document", split=None, max_length=length, precision="float32"
        )
        return stage.by(build(encoder.spec, 0), collection)[0]

    first, again, shorter = vectors(32), vectors(32), vectors(4)
    assert times == [150, 150]
    np.testing.assert_array_equal(first, again)
    assert (first != shorter).any()


@pytest.mark.parametrize("when", ["before it is read", "while it is read"])
def test_a_collection_that_changes_is_not_stored(
    when: str, tiny_collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key says what its digest was taken of: whoever has those files would get other documents."""
    folder = shutil.copytree(tiny_collection, tmp_path / "garden")
    whole = (folder / "corpus.jsonl").read_text()
    source, store = Beir(path=str(folder)), Store(tmp_path / "store")
    stage = LoadCollection(source, source.fingerprint())

    def edit() -> None:
        (folder / "corpus.jsonl").write_text(whole.replace("window", "door"))

    if when == "before it is read":
        edit()
    else:
        read = Beir.load
        monkeypatch.setattr(Beir, "load", lambda self: (read(self), edit())[0])
    with pytest.raises(InputError, match=r"^collection beir\(.*garden\): its files changed"):
        store.ensure(stage)
    assert not store.has(stage)
    monkeypatch.undo()
    (folder / "corpus.jsonl").write_text(whole)
    kept = storage.load(store.ensure(stage))
    assert kept.texts == source.load().texts


def test_an_encoder_that_changes_is_not_stored(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    store = Store(tmp_path / "store")
    stage = StartEncoder(EncoderSpec(model=str(folder)), weights.fingerprint(str(folder), None), None)
    whole = (folder / "config.json").read_text()
    (folder / "config.json").write_text(whole + "\n")
    with pytest.raises(InputError, match=r"^encoder .*/encoder: its files changed"):
        store.ensure(stage)
    assert not store.has(stage)
    (folder / "config.json").write_text(whole)
    assert (store.ensure(stage) / "model").is_dir()
