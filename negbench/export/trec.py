"""TREC files: the positives as qrels, the negatives as a run, and the texts in BEIR's layout."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from negbench.errors import InputError
from negbench.export import Format
from negbench.export.corpus import named_documents
from negbench.export.mined_rows import Document, MinedRows, Row
from negbench.export.tables import write_lines
from negbench.types import Collection


class TREC(Format):
    """A folder with ``qrels.trec``, ``negatives.trec``, and ``queries.jsonl`` and ``corpus.jsonl`` as in BEIR.

    A run is read by score alone, so a query's negatives must fall in score. They are ordered by their rank in the
    pool, random fill last; where the retriever's scores do not fall in this order, or some are missing, the score is
    minus the place.
    """

    name: ClassVar[str] = "trec"
    loaded_by: ClassVar[str] = "trec_eval, ir-measures, ranx, Pyserini"
    row: ClassVar[str] = "one positive (qrels) or one negative (run)"

    def check(self, collection: Collection) -> None:
        for name in (*collection.query_ids, *collection.document_ids):
            _id(name)

    def write(self, rows: MinedRows, out: Path) -> list[str]:
        out.mkdir()
        replaced = 0
        qrels_file, run_file = out / "qrels.trec", out / "negatives.trec"
        with qrels_file.open("w", encoding="utf-8") as qrels, run_file.open("w", encoding="utf-8") as run:
            for row in rows:
                qrels.writelines(f"{_id(row.query_id)} 0 {_id(it.id)} 1\n" for it in row.positives)
                ordered = sorted(row.negatives, key=lambda it: math.inf if it.rank is None else it.rank)
                scores = [math.nan if it.score is None else it.score for it in ordered]
                falling = all(one > other for one, other in pairwise(scores))
                if not falling or math.isnan(scores[0]):
                    replaced += 1
                    scores = [-float(place) for place in range(1, len(ordered) + 1)]
                run.writelines(_lines(row, ordered, scores))
        write_lines(({"_id": row.query_id, "text": row.query} for row in rows), out / "queries.jsonl")
        corpus = ({"_id": it.id, "title": it.title, "text": it.text} for it in named_documents(rows))
        write_lines(corpus, out / "corpus.jsonl")
        return [f"the scores of {replaced:,} queries are minus the place of the negative"] if replaced else []


def _lines(row: Row, ordered: list[Document], scores: list[float]) -> Iterator[str]:
    for place, (document, score) in enumerate(zip(ordered, scores, strict=True), 1):
        yield f"{row.query_id} Q0 {_id(document.id)} {place} {score!r} negbench\n"


def _id(name: str) -> str:
    """Return an id that fits between spaces; InputError for another."""
    if name.split() != [name]:
        raise InputError(f"format trec: the id {name!r} has white space, which separates columns; choose another one")
    return name
