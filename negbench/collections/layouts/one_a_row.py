"""negbench's own format ``full``: a row per negative, with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Negative, Row

FIELDS = "query_id, query, positives, document_id, document, origin"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    return {"document_id", "origin"} <= names


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield one row per query from consecutive records of its negatives; raises InputError for an invalid record.

    The rank is that in the candidate pool, from 0 here.
    """
    for _, run in groupby(records, lambda record: record.fields.get("query_id")):
        listed = list(run)
        place, first = listed[0]
        positives = tuple(read.texts(first, "positives", place))
        ids = read.ids(first, "positive_ids", place) if isinstance(first.get("positive_ids"), list) else []
        yield Row(
            place,
            read.text(first, "query", place),
            positives,
            tuple(map(_negative, listed)),
            query_id=read.optional_id(first, "query_id", place),
            positive_ids=tuple(ids) if len(ids) == len(positives) else (),
        )


def _negative(record: Record) -> Negative:
    place, fields = record
    found = Negative(read.text(fields, "document", place), id=read.optional_id(fields, "document_id", place))
    if (rank := fields.get("rank")) is not None:
        found = found._replace(rank=int(read.numbers([rank], 1, f"{place}: rank")[0]) - 1)
    if (score := fields.get("score")) is not None:
        found = found._replace(score=read.numbers([score], 1, f"{place}: score")[0])
    return found
