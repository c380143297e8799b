"""A folder in BEIR's layout that tests change, and what is read from one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from negbench.collections.beir import Beir
from negbench.types import Collection, Qrels

DATA = Path(__file__).parents[2].parent / "shared/data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the real collections are not here")

DOCUMENTS = [
    {"_id": "d1", "title": "Socks", "text": "Wool keeps feet warm."},
    {"_id": "d2", "text": "Cotton dries slowly."},
    {"_id": "d3", "title": None, "text": "Linen is cool."},
]
QUERIES = [{"_id": "q1", "text": "warm feet"}, {"_id": "q2", "text": "cool cloth"}]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def lines(records: list[Any]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def pairs(collection: Collection, qrels: Qrels) -> dict[tuple[str, str], int]:
    triples = zip(qrels.queries.tolist(), qrels.documents.tolist(), qrels.grades.tolist(), strict=True)
    return {(collection.query_ids[q], collection.document_ids[d]): grade for q, d, grade in triples}


def load(folder: Path, **parameters: Any) -> Collection:
    return Beir(path=str(folder), **parameters).load()
