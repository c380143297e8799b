"""Labelled lists of sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from negbench.export.mined_rows import MinedRows
from negbench.export.tables import Record, TableFormat


class LabeledList(TableFormat):
    """Columns anchor, documents, labels: a row per query, with lists of its documents and of labels of 1 and 0."""

    name: ClassVar[str] = "labeled-list"
    loaded_by: ClassVar[str] = "sentence-transformers (listwise losses of cross-encoders)"
    row: ClassVar[str] = "one query: its positives, then its negatives"

    def columns(self, rows: MinedRows) -> dict[str, str]:
        return {"anchor": "string", "documents": "list<string>", "labels": "list<int64>"}

    def records(self, rows: MinedRows) -> Iterator[Record]:
        for row in rows:
            labels = [1] * len(row.positives) + [0] * len(row.negatives)
            yield {
                "anchor": row.query,
                "documents": [document.passage for document in (*row.positives, *row.negatives)],
                "labels": labels,
            }
