"""Tevatron's training rows: query, positive_passages and negative_passages, each with docid, title and text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Row

FIELDS = "query, positive_passages, negative_passages"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    return bool({"positive_passages", "negative_passages"} & names)


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield one row per query; a passage is its title and its text. InputError with the place of an invalid record."""
    for place, fields in records:
        positives, negatives = (
            read.passages(fields, key, place) if fields.get(key) is not None else []
            for key in ("positive_passages", "negative_passages")
        )
        yield Row(
            place,
            read.text(fields, "query", place),
            tuple(positives),
            read.ranked(negatives),
            query_id=read.optional_id(fields, "query_id", place),
        )
