"""FlagEmbedding's JSON lines: a query with lists of its positives and negatives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from negbench.export import Format
from negbench.export.mined_rows import MinedRows
from negbench.export.tables import Record, write_lines


class FlagEmbedding(Format):
    """JSON lines with query, pos, neg, and pos_scores and neg_scores where every document has a score."""

    name: ClassVar[str] = "flagembedding"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)
    loaded_by: ClassVar[str] = "FlagEmbedding"
    row: ClassVar[str] = "one query with all of its positives and negatives"

    def write(self, rows: MinedRows, out: Path) -> list[str]:
        write_lines(self._records(rows), out)
        if rows.scorer is None:
            return ["some documents have no score: pos_scores and neg_scores are left out"]
        return [f"pos_scores and neg_scores are the {rows.scorer}'s"]

    def _records(self, rows: MinedRows) -> Iterator[Record]:
        for row in rows:
            record: Record = {"query": row.query}
            for name, documents in (("pos", row.positives), ("neg", row.negatives)):
                record[name] = [document.passage for document in documents]
            if (by := rows.scorer) is not None:
                record["pos_scores"] = [document.scored(by) for document in row.positives]
                record["neg_scores"] = [document.scored(by) for document in row.negatives]
            yield record
