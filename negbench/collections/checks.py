"""Checks of the records of a collection, for all sources.

A record carries its place (``FILE:LINE``, or repository, config and row), which errors name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from negbench.errors import InputError

T = TypeVar("T")
SCORES = ("score", "relevance", "label", "grade", "rel")
"""Names of the column of grades."""
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_LIMIT = 10**9  # nine digits fit the int32 of Qrels


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
    if isinstance(record, dict):  # most records hold plain texts, and then there is nothing to say
        name, title, text = record.get("_id"), record.get("title", ""), record.get("text")
        if (
            (isinstance(name, str) and isinstance(title, str) and isinstance(text, str))
            and name
            and (name.isascii() and title.isascii() and text.isascii())
        ):
            return Document(place, name, title, text)
    fields = _fields(record, place)
    title = "" if fields.get("title") is None else _text(fields, "title", place)
    return Document(place, _id(fields, place), title, _text(fields, "text", place))


def query(record: object, place: str) -> Query:
    """Check a record like ``{"_id": "7", "text": "..."}``."""
    fields = _fields(record, place)
    return Query(place, _id(fields, place), _text(fields, "text", place))


def identifier(value: object, field: str, place: str) -> str:
    """Return an id as text; a whole number, as JSON and Parquet may hold it, is its digits.

    Raises InputError for anything else, also for a float: 7.0 may have been 7 or 007.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = _string(value, field, place, "text or a whole number")
    if not text:
        raise InputError(f'{place}: the field "{field}" is empty; every record needs an id: add it')
    return text


def grade(value: object, place: str) -> int:
    """Return a grade as an integer; a float that is whole, such as 1.0 or the text "1.0", is one too.

    Raises InputError for a fraction: cutting 0.5 to 0 would turn a relevant document into one that is not.
    """
    text = str(value).strip()
    number = float(text) if not isinstance(value, bool) and _NUMBER.fullmatch(text) else 0.5
    if not number.is_integer() or abs(number) >= _LIMIT:
        raise InputError(
            f"{place}: the score must be an integer of at most nine digits, found {text!r:.60}; correct it"
        )
    return int(number)


def _fields(record: object, place: str) -> dict[str, object]:
    if not isinstance(record, dict):
        raise InputError(f'{place}: expected an object like {{"_id": "7", "text": "..."}}, found {record!r:.60}')
    return record


def _id(fields: dict[str, object], place: str) -> str:
    key = "id" if "id" in fields and "_id" not in fields else "_id"
    return identifier(_present(fields, key, place), key, place)


def _text(fields: dict[str, object], key: str, place: str) -> str:
    return _string(_present(fields, key, place), key, place, "text")


def _present(fields: dict[str, object], key: str, place: str) -> object:
    if key not in fields:
        raise InputError(f'{place}: the field "{key}" is missing; found {", ".join(fields) or "no fields"}; add it')
    return fields[key]


def _string(value: object, field: str, place: str, expected: str) -> str:
    if not isinstance(value, str):
        raise InputError(f'{place}: the field "{field}" must be {expected}, found {value!r:.60}; correct it')
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f'{place}: the field "{field}" is not valid Unicode: {error.reason}; write whole characters'
        ) from error
    return value
