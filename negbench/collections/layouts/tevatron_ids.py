"""Tevatron 2's training rows: query_id, positive_document_ids, negative_document_ids, beside a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negbench.collections import checks
from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Row

FIELDS = "query_id, positive_document_ids, negative_document_ids"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    return bool({"positive_document_ids", "negative_document_ids"} & names)


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield one row per query; raises InputError with the place of an invalid record."""
    for place, fields in records:
        query = checks.identifier(fields.get("query_id"), "query_id", place)
        positives, negatives = (
            read.ids(fields, key, place) if fields.get(key) is not None else []
            for key in ("positive_document_ids", "negative_document_ids")
        )
        text = next((fields[key] for key in ("query_text", "query") if isinstance(fields.get(key), str)), "")
        yield Row(place, query, tuple(positives), read.ranked(negatives), of_ids=True, query_text=text)
