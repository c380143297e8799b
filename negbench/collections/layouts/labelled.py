"""Labelled pairs: query, document and a label or grade, one pair per row, or lists of documents and labels.

As in sentence-transformers' data for cross-encoders; a label above 0 is relevant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from negbench.collections import checks
from negbench.collections.layouts import columns, ids
from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import UNKNOWN_RANK, Negative, Row
from negbench.errors import InputError

FIELDS = "query, document, label"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    if names & set(columns.LABELS):
        return True
    negatives = any(columns.NEGATIVE.fullmatch(name) for name in names)
    return not negatives and bool(names & set(columns.GRADES)) and columns.are_pairs(names)


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield one row per query, whose pairs are consecutive; raises InputError with the place of an invalid record."""
    pairs = (pair for record in records for pair in _pairs(record))
    for _, run in groupby(pairs, lambda pair: pair.query):
        listed = list(run)
        positives = [pair for pair in listed if pair.grade > 0]
        negatives = [pair for pair in listed if pair.grade <= 0]
        ranks = range(len(negatives)) if len(negatives) > 1 else [UNKNOWN_RANK]
        grades = tuple(pair.grade for pair in positives)
        yield Row(
            listed[0].place,
            listed[0].query,
            tuple(pair.document for pair in positives),
            tuple(
                Negative(pair.document, rank, id=pair.document_id) for rank, pair in zip(ranks, negatives, strict=False)
            ),
            grades=grades if any(grade != 1 for grade in grades) else (),
            query_id=listed[0].query_id,
            positive_ids=tuple(pair.document_id for pair in positives),
        )


class _Pair(NamedTuple):
    place: str
    query: str
    document: str
    grade: int
    query_id: str
    document_id: str


def _pairs(record: Record) -> Iterator[_Pair]:
    place, fields = record
    column = next((name for name in (*columns.LABELS, *columns.GRADES) if name in fields), None)
    if column is None:
        raise InputError(f"{place}: no column of labels among {', '.join(fields)}; name it label or score")
    anchor, document = columns.query_and_document(fields, place, [])
    query = read.text(fields, anchor, place)
    if isinstance(fields[column], list):
        documents, labels = read.texts(fields, document, place), fields[column]
        if len(documents) != len(labels):
            raise InputError(f"{place}: {len(documents)} documents but {len(labels)} labels; expected one for each")
    else:
        documents, labels = [read.text(fields, document, place)], [fields[column]]
    query_id = ids.of_query(fields, place)
    document_id = next(iter(ids.of_positive(fields, place)), "") if len(documents) == 1 else ""
    for text, label in zip(documents, labels, strict=True):
        yield _Pair(place, query, text, _grade(label, f"{place}: {column}"), query_id, document_id)


def _grade(label: Any, place: str) -> int:
    """Return a label as a whole number; InputError for a fraction, which is a similarity and no judgment."""
    try:
        return checks.grade(int(label) if isinstance(label, bool) else label, place)
    except InputError as error:
        raise InputError(f"{place}: expected 0 or 1, or a whole grade, found {label!r:.60}") from error
