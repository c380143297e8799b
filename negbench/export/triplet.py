"""Triplets of sentence-transformers: a query, a positive and a negative in a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from negbench.export.mined_rows import MinedRows
from negbench.export.tables import Record, TableFormat, scorer_of


class Triplet(TableFormat):
    """Columns anchor, positive, negative: a row per positive and negative of a query."""

    name: ClassVar[str] = "triplet"
    loaded_by: ClassVar[str] = "sentence-transformers, PyLate"
    row: ClassVar[str] = "one negative; the negatives of a query are repeated for each of its positives"

    scores: bool = Field(
        default=False,
        description="Whether to add the column scores: that of the positive and that of the negative, by the teacher "
        "where all documents have one, else by the retriever.",
    )

    def columns(self, rows: MinedRows) -> dict[str, str]:
        texts = dict.fromkeys(("anchor", "positive", "negative"), "string")
        return texts | ({"scores": "list<double>"} if self.scores else {})

    def records(self, rows: MinedRows) -> Iterator[Record]:
        by = scorer_of(rows, self.name) if self.scores else None
        for row in rows:
            for positive in row.positives:
                for negative in row.negatives:
                    texts = {"anchor": row.query, "positive": positive.passage, "negative": negative.passage}
                    yield texts | ({"scores": [positive.scored(by), negative.scored(by)]} if by else {})
