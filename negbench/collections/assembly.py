"""Build a collection from checked records: carve splits, match judgments, count irregularities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

import numpy as np

from negbench.collections.checks import Document, Judgment, Query, Records
from negbench.collections.matching import Held, fuller, matched, note
from negbench.collections.splits import SPLIT_NAMES, Triple, complete, normalised
from negbench.errors import InputError
from negbench.types import Collection, Qrels, TruthKind


def assemble(
    name: str,
    documents: Records[Document],
    queries: Records[Query],
    judgments: Mapping[str, Records[Judgment]],
    *,
    dev: float,
    test: float,
    together: Literal["text", "positive"] = "text",
    truth: Mapping[str, Records[Judgment]] | None = None,
    truth_kind: TruthKind = "none",
) -> Collection:
    """Check the records, carve the splits that are missing, and build the collection.

    ``judgments`` and ``truth`` are keyed by split, ``dev`` and ``test`` are the shares of training queries to
    carve where that split is missing, ``together`` as in ``splits.carve``. Irregularities that do no harm are counted
    in the collection's warnings. Raises InputError with the place of the first error.
    """
    document_rows: dict[str, int] = {}
    titles: list[str] = []
    texts: list[str] = []
    for place, identifier, title, text in documents.entries:
        _claim(document_rows, identifier, "document", place)
        titles.append(title)
        texts.append(text)
    query_rows: dict[str, int] = {}
    questions: list[str] = []
    for place, identifier, text in queries.entries:
        _claim(query_rows, identifier, "query", place)
        questions.append(text)
    if not texts:
        raise InputError(f"{documents.place}: no documents; expected at least one")
    if not questions:
        raise InputError(f"{queries.place}: no queries; expected at least one")

    held = Held(query_rows, document_rows, queries.place, documents.place)
    given: dict[str, list[Triple]] = {}
    left_out: list[str] = []
    for file_split, records in judgments.items():
        split = SPLIT_NAMES.get(file_split, file_split)
        if split in given:
            raise InputError(f"{records.place}: a second {split} split ({file_split}); keep one of them")
        given[split], absent = matched(records, split, held)
        left_out += absent
    ids = list(query_rows)
    judged, notes = complete(given, ids, questions, dev=dev, test=test, together=together)
    true, truth_notes = fuller(truth or {}, given, judged, held)
    odd = [*_odd_texts(titles, texts, questions), *_odd_judgments(judged, questions)]
    return Collection(
        name=name,
        document_ids=list(document_rows),
        titles=titles,
        texts=texts,
        query_ids=ids,
        queries=questions,
        qrels={split: Qrels.of(rows) for split, rows in judged.items()},
        truth=true,
        truth_kind=truth_kind if true else "none",
        warnings=(*odd, *left_out, *notes, *truth_notes),
    )


def _claim(rows: dict[str, int], identifier: str, what: str, place: str) -> None:
    if identifier in rows:
        raise InputError(
            f"{place}: the id {identifier!r} already belongs to {what} number {rows[identifier] + 1}; "
            "ids must be unique: rename or remove one"
        )
    rows[identifier] = len(rows)


def _odd_texts(titles: list[str], texts: list[str], questions: list[str]) -> list[str]:
    # Hashes stand for the texts: 8 bytes a document, and equal by chance about once in 2**64 pairs.
    pairs = (pair for pair in zip(titles, texts, strict=True) if pair[1].strip() or pair[0].strip())
    full = np.fromiter(map(hash, pairs), np.int64)
    copies = len(full) - len(np.unique(full))
    return [
        *note(sum(not text.strip() for text in texts), "document has no text", "documents have no text"),
        *note(sum(not text.strip() for text in questions), "query has no text", "queries have no text"),
        *note(copies, "document is an exact duplicate of another", "documents are exact duplicates of another"),
    ]


def _odd_judgments(judged: dict[str, list[Triple]], questions: list[str]) -> list[str]:
    places: dict[str, set[str]] = defaultdict(set)
    positive: set[int] = set()
    repeated = 0
    for split, rows in judged.items():
        for row in {row for row, _, _ in rows}:
            places[normalised(questions[row])].add(split)
        positive.update(row for row, _, level in rows if level > 0)
        repeated += len(rows) - len({(row, document_row) for row, document_row, _ in rows})
    shared = sum(len(splits) > 1 for splits in places.values())
    return [
        *note(shared, "query text occurs in two or more splits", "query texts occur in two or more splits"),
        *note(
            len(questions) - len(positive),
            "query has no positive in any split",
            "queries have no positive in any split",
        ),
        *note(
            repeated,
            "pair is judged more than once; the last counts",
            "pairs are judged more than once; the last counts",
        ),
    ]
