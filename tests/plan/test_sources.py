"""Stored embeddings: what is kept of them, and that every retriever can search what is only mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negbench.collections import storage
from negbench.collections.helpdesk import Helpdesk
from negbench.encoders.encode import encode
from negbench.encoders.load import build, load
from negbench.encoders.spec import EncoderSpec
from negbench.parts import registered
from negbench.plan.sources import Embed, LoadCollection, StartEncoder, read_vectors
from negbench.retrieval import pool


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
        stage = Embed(encoder, loaded, "document" if split is None else "query", split, 32, precision)
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
