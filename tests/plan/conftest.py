from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder that a plan takes for an encoder: it is digested, never loaded."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "socks"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{at}", "title": "", "text": f"sock number {at}"} for at in range(9)]
    queries = [{"_id": f"q{at}", "text": f"where is sock {at}"} for at in range(6)]
    for stem, records in (("corpus", documents), ("queries", queries)):
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for split, rows in (("train", range(3)), ("dev", range(3, 4)), ("test", range(4, 6))):
        judged = "".join(f"q{row}\td{row}\t1\n" for row in rows)
        (folder / f"qrels/{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder
