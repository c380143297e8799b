"""The stage that groups pairs: whose vectors it reads, and which group each training row gets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from planning import by, plan

from negbench.batching.pairs import PairBatching, Pairs
from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.spec import EncoderSpec
from negbench.runners import local
from negbench.stages.inputs import read_collection
from negbench.stages.mining.clusters import GroupPairs
from negbench.store import Store
from negbench.training.data import instances
from negbench.training.recipe import Recipe

BATCHINGS = ["neighbours(skip=1, width=4, community=4)", "pair-clusters(pairs=8)"]


def grouping(collection: Path, encoder: Path, batching: str) -> GroupPairs:
    training = by(plan(collection, encoder, [{"in-batch": {"batching": batching}}]), "in-batch").training
    assert training is not None
    assert isinstance(training.clusters, GroupPairs)
    assert training.clusters in training.inputs
    return training.clusters


@pytest.mark.parametrize("batching", BATCHINGS)
def test_groups_are_of_the_pairs_vectors(
    batching: str, tiny_collection: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    stage, store = grouping(tiny_collection, tiny_encoder, batching), Store(tmp_path / "store")
    local.make(stage, store, lambda label: None, lambda folder: folder)
    garden = read_collection(store.path(stage.queries.collection))
    labels, model = garden.qrels["train"].at_least(1), build(EncoderSpec(model=str(tiny_encoder)), 0)
    passages = garden.passages()
    pairs = Pairs(
        labels.queries,
        labels.documents,
        encode(model, [garden.queries[row] for row in labels.queries.tolist()], "query", "float32"),
        encode(model, [passages[row] for row in labels.documents.tolist()], "document", "float32"),
    )
    right = dict(
        zip(zip(*map(np.ndarray.tolist, (labels.queries, labels.documents)), strict=True),
            PairBatching.model_validate(batching).groups(pairs).tolist(), strict=True)
    )  # fmt: skip
    for recipe in (Recipe(epochs=2), Recipe(queries=7)):  # of all queries, and of some
        data = instances(garden, "train", None, recipe)
        found = stage.of(store.path(stage), data)
        rows = len(data.keys)
        asked = zip(data.queries[:rows].tolist(), data.positives[:rows].tolist(), found.tolist(), strict=True)
        assert all(right[query, document] == group for query, document, group in asked)
        assert len(found) == rows
    assert len({*right.values()}) > 3


def test_another_encoder_may_say_what_is_near(tiny_collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """Its vectors are read, and its folder's name is no part of the key."""
    keys = []
    for name in ("one", "two"):
        shutil.copytree(tiny_encoder, tmp_path / name)
        keys.append(grouping(tiny_collection, tiny_encoder, f'pair-clusters(teacher="{tmp_path / name}")').key)
    own = grouping(tiny_collection, tiny_encoder, "pair-clusters")
    assert keys == [own.key] * 2
    changed = tmp_path / "two" / "config_sentence_transformers.json"
    changed.write_text(changed.read_text() + "\n")
    other = grouping(tiny_collection, tiny_encoder, f'pair-clusters(teacher="{tmp_path / "two"}")')
    assert other.key != own.key
    assert other.queries.encoder.key != own.queries.encoder.key
