"""Collections that several tests of this folder load."""

from __future__ import annotations

from pathlib import Path

import pytest
from beir_folders import DOCUMENTS, QUERIES, lines, write


@pytest.fixture
def turned_collection(tiny_collection: Path, tmp_path: Path) -> Path:
    """Return a copy of ``tiny_collection`` whose files have their lines in reverse order."""
    turned = tmp_path / "turned"
    (turned / "qrels").mkdir(parents=True)
    for path in sorted(tiny_collection.rglob("*.*")):
        lines = path.read_text().splitlines(keepends=True)
        head = lines[:1] if path.suffix == ".tsv" else []
        (turned / path.relative_to(tiny_collection)).write_text("".join([*head, *reversed(lines[len(head) :])]))
    return turned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "corpus.jsonl", lines(DOCUMENTS))
    write(tmp_path / "queries.jsonl", lines(QUERIES))
    write(tmp_path / "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td3\t1\nq2\td1\t0\nq2\td2\t-1\n")
    return tmp_path
