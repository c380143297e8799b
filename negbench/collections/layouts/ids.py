"""Columns of ids beside texts: of the query, of its positive, or of the row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from negbench.collections import checks
from negbench.collections.layouts.records import Record
from negbench.errors import InputError

QUERY = ("query_id", "qid", "question_id")
POSITIVE = ("positive_id", "document_id", "doc_id", "docid", "passage_id", "pid", "answer_id")
ROW = ("id", "_id")
NAMES = frozenset({*QUERY, *POSITIVE, *ROW})


def of_query(fields: Mapping[str, Any], place: str) -> str:
    """Return the id of the query, empty where the row has none. Raises InputError for one that is no text or number."""
    return _first(fields, QUERY, place)


def of_positive(fields: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """Return the id of the row's only positive in a tuple; empty where the row has none."""
    found = _first(fields, POSITIVE, place)
    return (found,) if found else ()


def of_row(fields: Mapping[str, Any]) -> str:
    """Return the id of the row, empty where it has none that is a text or a whole number."""
    value = _value(fields, ROW)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def named(records: Iterable[Record], query_id: str | None, positive_id: str | None) -> Iterator[Record]:
    """Yield the records with these columns called query_id and positive_id. Raises InputError where one is missing."""
    columns = {name: column for name, column in (("query_id", query_id), ("positive_id", positive_id)) if column}
    for place, fields in records:
        if missing := [column for column in columns.values() if column not in fields]:
            raise InputError(
                f"{place}: no column {missing[0]!r}; it has {', '.join(map(str, fields))}: give query_id= and "
                "positive_id= the names of its columns"
            )
        kept = {name: value for name, value in fields.items() if name not in columns.values()}
        yield Record(place, {**kept, **{name: fields[column] for name, column in columns.items()}})


def _first(fields: Mapping[str, Any], names: Sequence[str], place: str) -> str:
    value = _value(fields, names)
    return "" if value is None or value == "" or isinstance(value, list) else checks.identifier(value, names[0], place)


def _value(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    lower = {str(name).lower(): value for name, value in fields.items()}
    return next((lower[name] for name in names if name in lower), None)
