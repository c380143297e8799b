"""A stored collection comes back as it was, however many blocks it takes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from negbench.collections import storage
from negbench.types import Collection, Qrels

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def collection(documents: list[tuple[str, str]], queries: list[str]) -> Collection:
    count = len(documents)
    return Collection(
        name="smäll",
        document_ids=[f"d{row}" for row in range(count)],
        titles=[title for title, _ in documents],
        texts=[body for _, body in documents],
        query_ids=[f"q{row}" for row in range(len(queries))],
        queries=queries,
        qrels={"train": Qrels.of([(0, count - 1, 2), (0, 0, -1)]), "dev.small": Qrels.of([])},
        truth={"train": Qrels.of([(0, 0, 1)])},
        truth_kind="proxy",
        warnings=("one", "two"),
    )


def assert_equal(one: Collection, other: Collection) -> None:
    for field in fields(Collection):
        if field.name not in ("qrels", "truth"):
            assert getattr(one, field.name) == getattr(other, field.name)
    for mine, theirs in ((one.qrels, other.qrels), (one.truth, other.truth)):
        assert mine.keys() == theirs.keys()
        for split in mine:
            for name in ("queries", "documents", "grades"):
                found = getattr(mine[split], name)
                assert found.dtype == np.int32
                assert found.tolist() == getattr(theirs[split], name).tolist()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(st.tuples(text, text), min_size=1, max_size=9),
    queries=st.lists(text, min_size=1, max_size=3),
    block=st.integers(1, 5),
)
def test_load_gives_what_save_was_given(
    documents: list[tuple[str, str]],
    queries: list[str],
    block: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage, "_BLOCK", block)
    kept, folder = collection(documents, queries), tmp_path_factory.mktemp("stored")
    storage.save(kept, folder)
    assert_equal(storage.load(folder), kept)


def test_other_tools_read_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas

    monkeypatch.setattr(storage, "_BLOCK", 2)
    kept = collection([("", "a"), ("T", "ünï"), ("T", "")], ["?"])
    storage.save(kept, tmp_path)
    table = pandas.read_parquet(tmp_path / "documents.parquet")
    assert table.to_dict("list") == {"id": kept.document_ids, "title": kept.titles, "text": kept.texts}


def test_a_table_written_in_one_piece_is_read_too(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = collection([(f"title {row}", f"text {row}") for row in range(20_000)], ["?"])  # more than a block
    storage.save(kept, tmp_path)
    columns = {"id": kept.document_ids, "title": kept.titles, "text": kept.texts}
    pq.write_table(pa.table(columns), tmp_path / "documents.parquet")
    assert_equal(storage.load(tmp_path), kept)
