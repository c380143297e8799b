"""Labelled pairs of sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from negbench.export.mined_rows import MinedRows
from negbench.export.tables import Record, TableFormat


class LabeledPair(TableFormat):
    """Columns anchor, document, label: a row per document of a query, label 1 for positives and 0 for negatives."""

    name: ClassVar[str] = "labeled-pair"
    loaded_by: ClassVar[str] = "sentence-transformers (cross-encoders, contrastive losses)"
    row: ClassVar[str] = "one document; the positives of a query come first, then each negative once"

    def columns(self, rows: MinedRows) -> dict[str, str]:
        return {"anchor": "string", "document": "string", "label": "int64"}

    def records(self, rows: MinedRows) -> Iterator[Record]:
        for row in rows:
            for label, documents in ((1, row.positives), (0, row.negatives)):
                for document in documents:
                    yield {"anchor": row.query, "document": document.passage, "label": label}
