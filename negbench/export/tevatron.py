"""Training data of Tevatron 2: ids, and the corpus beside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from negbench.export import Format
from negbench.export.corpus import named_documents
from negbench.export.mined_rows import MinedRows
from negbench.export.tables import Record, write_lines


class Tevatron(Format):
    """A folder with ``train.jsonl``, queries and ids of documents, and ``corpus.jsonl``, the documents named there."""

    name: ClassVar[str] = "tevatron"
    loaded_by: ClassVar[str] = "Tevatron 2"
    row: ClassVar[str] = "one query with the ids of all of its positives and negatives"

    def write(self, rows: MinedRows, out: Path) -> list[str]:
        out.mkdir()
        write_lines(self._records(rows), out / "train.jsonl")
        corpus = ({"docid": it.id, "title": it.title, "text": it.text} for it in named_documents(rows))
        count = write_lines(corpus, out / "corpus.jsonl")
        return [f"corpus.jsonl holds the {count:,} documents that train.jsonl names"]

    def _records(self, rows: MinedRows) -> Iterator[Record]:
        for row in rows:
            yield {
                "query_id": row.query_id,
                "query_text": row.query,
                "positive_document_ids": [it.id for it in row.positives],
                "negative_document_ids": [it.id for it in row.negatives],
            }
