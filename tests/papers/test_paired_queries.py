"""Which queries of two grids are the same: those of equal judgments on equal documents, whatever they are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from negbench.collections import Source
from negbench.collections.resolve import source_of
from negbench.papers.measured import _ids
from negbench.stages.inputs import LoadCollection
from negbench.store import Store

PLAIN = "helpdesk(articles=100, queries=24, dev=6, test=12)"
OTHER = "helpdesk(articles=100, queries=24, dev=6, test=12, seed=1)"


def ids(written: str, split: str, folder: Path) -> tuple[str, ...]:
    source: Source = source_of(written)
    return _ids(LoadCollection(source, source.fingerprint()), split, Store(folder))


@pytest.mark.parametrize(
    "made", [f"mismatched(collection={PLAIN})", f"hidden(collection=mismatched(collection={PLAIN}))"]
)
def test_a_changed_training_split_leaves_the_test_queries_the_same(made: str, tmp_path: Path) -> None:
    plain = ids(PLAIN, "test", tmp_path)
    assert len(plain) == 12
    assert ids(made, "test", tmp_path) == plain
    assert not set(ids(made, "train", tmp_path)) & set(ids(PLAIN, "train", tmp_path))


@pytest.mark.parametrize("made", [OTHER, f"cut(collection={PLAIN}, words=8, overlap=0)"])
def test_other_documents_make_other_queries(made: str, tmp_path: Path) -> None:
    assert not set(ids(made, "test", tmp_path)) & set(ids(PLAIN, "test", tmp_path))
