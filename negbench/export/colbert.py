"""Training data of ColBERT and RAGatouille: triples of numbers, and the texts in TSV files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, TextIO

import numpy as np

from negbench.export import Format
from negbench.export.corpus import named_documents, named_rows
from negbench.export.mined_rows import MinedRows

TRIPLES, QUERIES, CORPUS = "triples.train.colbert.jsonl", "queries.train.colbert.tsv", "corpus.train.colbert.tsv"


class ColBERT(Format):
    """A folder with triples of numbers, and the texts of queries and documents by number.

    ColBERT takes a document's number for its line, so ids become numbers from 0. ``ids.tsv`` has the id of each
    document. Tabs and line ends within texts become spaces.
    """

    name: ClassVar[str] = "colbert"
    loaded_by: ClassVar[str] = "ColBERT, RAGatouille"
    row: ClassVar[str] = "a query, one of its positives and one of its negatives"

    def write(self, rows: MinedRows, out: Path) -> list[str]:
        out.mkdir()
        numbers = named_rows(rows)
        negatives = rows.negatives
        with _open(out / TRIPLES) as triples, _open(out / QUERIES) as asked:
            for number, query in enumerate(rows.kept.tolist()):
                text = rows.collection.queries[int(negatives.queries[query])]
                asked.write(f"{number}\t{_in_one_line(text)}\n")
                promoted = negatives.promoted[query]
                labelled = negatives.positives[query][rows.weighed[query]]
                positives = np.searchsorted(numbers, [*labelled, *promoted[promoted >= 0]]).tolist()
                drawn = negatives.documents[query]
                for positive in positives:
                    for document in np.searchsorted(numbers, drawn[drawn >= 0]).tolist():
                        triples.write(json.dumps([number, positive, document]) + "\n")
        _write_tsv(out / CORPUS, (it.passage for it in named_documents(rows)))
        _write_tsv(out / "ids.tsv", (it.id for it in named_documents(rows)))
        return [f"{CORPUS} holds the {len(numbers):,} documents that the triples name"]


def _open(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8")


def _write_tsv(path: Path, texts: Iterable[str]) -> None:
    with _open(path) as file:
        for number, text in enumerate(texts):
            file.write(f"{number}\t{_in_one_line(text)}\n")


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
