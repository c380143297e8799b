"""Tuples with several negatives of sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from negbench.export.mined_rows import MinedRows
from negbench.export.tables import Record, TableFormat, scorer_of


class NTuple(TableFormat):
    """Columns anchor, positive, negative_1, negative_2, ...: a row per positive of a query.

    A query with fewer negatives than others is left out, as a row must have all columns.
    """

    name: ClassVar[str] = "n-tuple"
    loaded_by: ClassVar[str] = "sentence-transformers, PyLate"
    row: ClassVar[str] = "one positive with all negatives of its query; these are repeated for each of its positives"

    scores: bool = Field(
        default=False,
        description="Whether to add the column scores: that of the positive, then those of the negatives, by the "
        "teacher where all documents have one, else by the retriever.",
    )

    def columns(self, rows: MinedRows) -> dict[str, str]:
        names = ("anchor", "positive", *(f"negative_{number}" for number in range(1, rows.width + 1)))
        return dict.fromkeys(names, "string") | ({"scores": "list<double>"} if self.scores else {})

    def records(self, rows: MinedRows) -> Iterator[Record]:
        by, width = scorer_of(rows, self.name) if self.scores else None, rows.width
        for row in rows:
            if len(row.negatives) < width:
                continue
            negatives = {f"negative_{number}": it.passage for number, it in enumerate(row.negatives, 1)}
            for positive in row.positives:
                scores = {"scores": [it.scored(by) for it in (positive, *row.negatives)]} if by else {}
                yield {"anchor": row.query, "positive": positive.passage, **negatives, **scores}

    def write(self, rows: MinedRows, out: Path) -> list[str]:
        super().write(rows, out)
        short = sum(int((of_query >= 0).sum()) < rows.width for of_query in rows.negatives.documents[rows.kept])
        return [f"{short:,} queries have fewer than {rows.width} negatives and are left out"] if short else []
