"""Labelled pairs: query, document and a label or grade, one pair per row, or lists of documents and labels.

As in sentence-transformers' data for cross-encoders; a label above 0 is relevant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from negbench.collections import checks
from negbench.collections.layouts import columns
from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Negative, Row
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
    for _, run in groupby(pairs, lambda pair: pair[1]):
        listed = list(run)
        place, query = listed[0][:2]
        positives = [(document, grade) for _, _, document, grade in listed if grade > 0]
        negatives = [document for _, _, document, grade in listed if grade <= 0]
        ranked = read.ranked(negatives) if len(negatives) > 1 else tuple(map(Negative, negatives))
        grades = tuple(grade for _, grade in positives)
        yield Row(
            place,
            query,
            tuple(document for document, _ in positives),
            ranked,
            grades=grades if any(grade != 1 for grade in grades) else (),
        )


def _pairs(record: Record) -> Iterator[tuple[str, str, str, int]]:
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
    for text, label in zip(documents, labels, strict=True):
        yield place, query, text, _grade(label, f"{place}: {column}")


def _grade(label: Any, place: str) -> int:
    """Return a label as a whole number; InputError for a fraction, which is a similarity and no judgment."""
    try:
        return checks.grade(int(label) if isinstance(label, bool) else label, place)
    except InputError as error:
        raise InputError(f"{place}: expected 0 or 1, or a whole grade, found {label!r:.60}") from error
