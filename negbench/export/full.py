"""All that is known of each negative."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from negbench.export.mined_rows import MinedRows
from negbench.export.tables import Record, TableFormat

PLACES = ("query_place", "document_place")
"""Columns of the file and line or row of query and document, where a collection has texts without ids."""


class Full(TableFormat):
    """All that is known: ids, texts, rank, retriever's and teacher's score, origin. A row per negative.

    Of texts without ids also where the file of pairs has them first.
    """

    name: ClassVar[str] = "full"
    loaded_by: ClassVar[str] = "pandas, datasets"
    row: ClassVar[str] = "one negative, with the ids and texts of all positives of its query"

    def columns(self, rows: MinedRows) -> dict[str, str]:
        places = {} if rows.collection.places is None else dict.fromkeys(PLACES, "string")
        return {
            "query_id": "string",
            "query": "string",
            "positive_ids": "list<string>",
            "positives": "list<string>",
            "document_id": "string",
            "document": "string",
            "rank": "int64",
            "score": "double",
            "teacher_score": "double",
            "origin": "string",
            **places,
        }

    def records(self, rows: MinedRows) -> Iterator[Record]:
        for row in rows:
            shared = {
                "query_id": row.query_id,
                "query": row.query,
                "positive_ids": [it.id for it in row.positives],
                "positives": [it.passage for it in row.positives],
            }
            for it in row.negatives:
                own = {"document_id": it.id, "document": it.passage, "rank": it.rank, "score": it.score}
                scored = {**shared, **own, "teacher_score": it.teacher_score, "origin": it.origin}
                if rows.collection.places is not None:
                    scored |= zip(PLACES, (row.query_place, it.place), strict=True)
                yield scored
