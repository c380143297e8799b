"""The checks that every real collection goes through: raw records in, a Collection or one clear error out.

A record carries its place (``FILE:LINE``, or repository, config and row), so that whatever is wrong with it is
reported there. What is odd but usable is counted in the collection's warnings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from negbench.collections.splits import SPLIT_NAMES, Triple, complete, normalised
from negbench.errors import InputError
from negbench.types import Collection, Qrels, TruthKind

T = TypeVar("T")
_GRADE = re.compile(r"[+-]?[0-9]{1,9}")  # nine digits fit the int32 of Qrels


class Document(NamedTuple):
    """A document and the place it was read from."""

    place: str
    id: str
    title: str
    text: str


class Query(NamedTuple):
    """A query and the place it was read from."""

    place: str
    id: str
    text: str


class Judgment(NamedTuple):
    """A judged pair of ids and the place it was read from; a grade above 0 is relevant."""

    place: str
    query: str
    document: str
    grade: int


class Records(NamedTuple, Generic[T]):
    """A stream of records and the place, e.g. the file, that all of them come from."""

    place: str
    entries: Iterable[T]


def document(record: object, place: str) -> Document:
    """Check a record like ``{"_id": "7", "title": "...", "text": "..."}``; the title may be missing or null."""
    fields = _fields(record, place)
    title = "" if fields.get("title") is None else _text(fields, "title", place)
    return Document(place, _id(fields, place), title, _text(fields, "text", place))


def query(record: object, place: str) -> Query:
    """Check a record like ``{"_id": "7", "text": "..."}``."""
    fields = _fields(record, place)
    return Query(place, _id(fields, place), _text(fields, "text", place))


def grade(value: object, place: str) -> int:
    """Return a grade as an integer; a whole float, as some repositories hold, is one too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if isinstance(value, bool) or not _GRADE.fullmatch(text):
        raise InputError(f"{place}: the score must be an integer of at most nine digits, found {text!r}")
    return int(text)


def assemble(
    name: str,
    documents: Records[Document],
    queries: Records[Query],
    judgments: Mapping[str, Records[Judgment]],
    *,
    dev: float,
    test: float,
    truth: Mapping[str, Records[Judgment]] | None = None,
    truth_kind: TruthKind = "none",
) -> Collection:
    """Check the records, carve the splits that are missing, and build the collection.

    ``judgments`` and ``truth`` are keyed by split, ``dev`` and ``test`` are the shares of training queries to
    carve where that split is missing. Raises InputError at the place of the first thing that is wrong.
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

    given: dict[str, list[Triple]] = {}
    for file_split, records in judgments.items():
        split = SPLIT_NAMES.get(file_split, file_split)
        if split in given:
            raise InputError(f"{records.place}: a second {split} split ({file_split}); keep one of the two")
        given[split] = _rows(records, query_rows, document_rows, queries.place, documents.place)
    ids = list(query_rows)
    judged, notes = complete(given, ids, questions, dev=dev, test=test)
    fuller, truth_notes = _truth(truth or {}, given, judged, query_rows, document_rows)
    notes = [*_odd_texts(titles, texts, questions), *_odd_judgments(judged, questions), *notes, *truth_notes]
    return Collection(
        name=name,
        document_ids=list(document_rows),
        titles=titles,
        texts=texts,
        query_ids=ids,
        queries=questions,
        qrels={split: Qrels.of(rows) for split, rows in judged.items()},
        truth=fuller,
        truth_kind=truth_kind if fuller else "none",
        warnings=tuple(notes),
    )


def _fields(record: object, place: str) -> dict[str, object]:
    if not isinstance(record, dict):
        raise InputError(f'{place}: expected an object like {{"_id": "7", "text": "..."}}, found {record!r:.60}')
    return record


def _text(fields: dict[str, object], key: str, place: str) -> str:
    if key not in fields:
        raise InputError(f'{place}: the field "{key}" is missing; it has {", ".join(fields) or "none"}')
    value = fields[key]
    if not isinstance(value, str):
        raise InputError(f'{place}: the field "{key}" must be text, found {value!r:.60}')
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f'{place}: the field "{key}" is not valid Unicode: {error.reason}') from error
    return value


def _id(fields: dict[str, object], place: str) -> str:
    identifier = _text(fields, "_id", place)
    if not identifier:
        raise InputError(f'{place}: the field "_id" is empty; every record needs an id')
    return identifier


def _claim(rows: dict[str, int], identifier: str, what: str, place: str) -> None:
    if identifier in rows:
        raise InputError(
            f"{place}: the id {identifier!r} already belongs to {what} number {rows[identifier] + 1}; "
            "every id may stand once"
        )
    rows[identifier] = len(rows)


def _rows(
    records: Records[Judgment],
    query_rows: dict[str, int],
    document_rows: dict[str, int],
    queries_place: str,
    documents_place: str,
) -> list[Triple]:
    """Return (query row, document row, grade) of every judgment; an unknown id is an error."""
    rows = []
    for place, query_id, document_id, level in records.entries:
        if query_id not in query_rows:
            raise InputError(f"{place}: the judged query {query_id!r} does not exist in {queries_place}")
        if document_id not in document_rows:
            raise InputError(f"{place}: the judged document {document_id!r} does not exist in {documents_place}")
        rows.append((query_rows[query_id], document_rows[document_id], level))
    if not any(level > 0 for _, _, level in rows):
        found = "no judgment with a score above 0" if rows else "no judgments"
        raise InputError(f"{records.place}: {found}; fill this split or remove it")
    return rows


def _truth(
    truth: Mapping[str, Records[Judgment]],
    given: dict[str, list[Triple]],
    judged: dict[str, list[Triple]],
    query_rows: dict[str, int],
    document_rows: dict[str, int],
) -> tuple[dict[str, Qrels], list[str]]:
    """Return the positives of each split's qrels and truth together, and what had to be left out.

    Fuller judgments may cover more than the collection does, so unknown ids are counted and not refused.
    """
    known: dict[str, list[Triple]] = {}
    notes = []
    for file_split, records in truth.items():
        split, total = SPLIT_NAMES.get(file_split, file_split), 0
        members = {row for row, _, _ in given[split]}
        known[split] = []
        for total, (_, query_id, document_id, level) in enumerate(records.entries, 1):  # noqa: B007
            query_row, document_row = query_rows.get(query_id), document_rows.get(document_id)
            if query_row in members and query_row is not None and document_row is not None:
                known[split].append((query_row, document_row, level))
        if not known[split]:
            raise InputError(f"{records.place}: none of its {total} judgments is of a query and document held here")
        notes += _note(
            total - len(known[split]),
            f"truth judgment of {split} names a query or document outside the split and is left out",
            f"truth judgments of {split} name a query or document outside the split and are left out",
        )
    fuller = {}
    for split, rows in judged.items():
        origin = split if split in given else "train"  # a carved split takes its queries' truth along
        if origin in known:
            members = {row for row, _, _ in rows}
            both = rows + [triple for triple in known[origin] if triple[0] in members]
            fuller[split] = Qrels.of([triple for triple in both if triple[2] > 0])
    return fuller, notes


def _odd_texts(titles: list[str], texts: list[str], questions: list[str]) -> list[str]:
    # Hashes stand for the texts: 8 bytes a document, and equal by chance about once in 2**64 pairs.
    pairs = (pair for pair in zip(titles, texts, strict=True) if any(part.strip() for part in pair))
    full = np.fromiter(map(hash, pairs), np.int64)
    copies = len(full) - len(np.unique(full))
    return [
        *_note(sum(not text.strip() for text in texts), "document has no text", "documents have no text"),
        *_note(sum(not text.strip() for text in questions), "query has no text", "queries have no text"),
        *_note(copies, "document is an exact duplicate of another", "documents are exact duplicates of another"),
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
        *_note(shared, "query text occurs in two or more splits", "query texts occur in two or more splits"),
        *_note(
            len(questions) - len(positive),
            "query has no positive in any split",
            "queries have no positive in any split",
        ),
        *_note(repeated, "pair is judged again; the last counts", "pairs are judged again; the last counts"),
    ]


def _note(count: int, one: str, many: str) -> list[str]:
    return [f"{count} {one if count == 1 else many}"] if count else []
