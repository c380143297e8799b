"""DPR's JSON list (Karpukhin et al., 2020)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from negbench.export import Format
from negbench.export.mined_rows import Document, MinedRows
from negbench.export.tables import Record


class DPR(Format):
    """A JSON list of question, answers, positive_ctxs, negative_ctxs and hard_negative_ctxs."""

    name: ClassVar[str] = "dpr"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    loaded_by: ClassVar[str] = "DPR"
    row: ClassVar[str] = "one question with all of its positives; random fill is in negative_ctxs, the rest is hard"

    def write(self, rows: MinedRows, out: Path) -> list[str]:
        with out.open("w", encoding="utf-8") as file:
            file.write("[")
            for number, row in enumerate(rows):
                filled = [it for it in row.negatives if it.origin == "random_fill"]
                hard = [it for it in row.negatives if it.origin != "random_fill"]
                record: Record = {"dataset": rows.collection.name, "question": row.query, "answers": []}
                record["positive_ctxs"] = _contexts(row.positives)
                record["negative_ctxs"] = _contexts(filled if hard else [])
                record["hard_negative_ctxs"] = _contexts(hard or filled)
                file.write((",\n" if number else "\n") + json.dumps(record, ensure_ascii=False))
            file.write("\n]\n")
        return []


def _contexts(documents: Sequence[Document]) -> list[Record]:
    contexts = []
    for it in documents:
        score = {} if it.score is None else {"score": it.score}
        contexts.append({"title": it.title, "text": it.text, **score, "passage_id": it.id})
    return contexts
