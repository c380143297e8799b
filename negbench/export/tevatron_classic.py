"""Training data of Tevatron 1: passages within the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from negbench.export import Format
from negbench.export.mined_rows import Document, MinedRows
from negbench.export.tables import Record, write_lines


class TevatronClassic(Format):
    """JSON lines with query_id, query, positive_passages and negative_passages (docid, title, text)."""

    name: ClassVar[str] = "tevatron-classic"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)
    loaded_by: ClassVar[str] = "Tevatron 1 and 2"
    row: ClassVar[str] = "one query with all of its positives and negatives"

    def write(self, rows: MinedRows, out: Path) -> list[str]:
        write_lines(self._records(rows), out)
        return []

    def _records(self, rows: MinedRows) -> Iterator[Record]:
        for row in rows:
            yield {
                "query_id": row.query_id,
                "query": row.query,
                "positive_passages": [_passage(it) for it in row.positives],
                "negative_passages": [_passage(it) for it in row.negatives],
            }


def _passage(document: Document) -> Record:
    return {"docid": document.id, "title": document.title, "text": document.text}
