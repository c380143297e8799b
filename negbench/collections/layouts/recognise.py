"""Choose the layout of records by the names of the first one's fields, and read them into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

from negbench.collections.layouts import (
    candidate_lists,
    columns,
    dpr,
    flag_embedding,
    hard_negatives,
    labelled,
    one_a_row,
    tevatron,
    tevatron_ids,
    triples,
    tuples,
)
from negbench.collections.layouts.records import Record, Unnamed
from negbench.collections.layouts.rows import Row
from negbench.errors import InputError


class Layout(Protocol):
    """What a layout's file has: the names of its fields, and functions that recognise them and read records."""

    FIELDS: str

    def recognises(self, names: set[str]) -> bool:
        """Tell whether these are the names of the layout's fields."""

    def rows(self, records: Iterable[Record]) -> Iterator[Row]:
        """Yield the rows of the records."""


LAYOUTS: tuple[Layout, ...] = (
    one_a_row,
    tevatron,
    tevatron_ids,
    dpr,
    hard_negatives,
    flag_embedding,
    candidate_lists,
    labelled,
    tuples,
)
"""Each is asked in turn, so one whose fields are also another's stands before it."""


def rows(records: Iterable[Record], source: str) -> Iterator[Row]:
    """Yield the training rows of the records; the fields of the first record decide the layout.

    Upper and lower case of the names make no difference. Raises InputError with the record's place for a missing or
    invalid field, without any record, and for unknown fields.
    """
    stream = iter(records)
    first = next(stream, None)
    if first is None:
        raise InputError(f"{source}: has no rows; expected training rows")
    every: Iterable[Record] = chain([first], stream)
    layout = _of(set(first.fields))
    if layout is None:
        layout, every = _of({str(name).lower() for name in first.fields}), map(_lower, every)
    if layout is None:
        if len(first.fields) > 1 and all(isinstance(value, str) for value in first.fields.values()):
            raise columns.UnknownColumnsError(first.place, source, list(map(str, first.fields)))
        found = ", ".join(map(str, first.fields)) or "(none)"
        raise InputError(f"{first.place}: unknown format with the fields {found}; {expected()}")
    parsed = layout.rows(every)
    if isinstance(first, Unnamed) and triples.are_ids(list(map(str, first.fields.values()))):
        yield next(parsed)._replace(of_ids=True)
    yield from parsed


def expected() -> str:
    """Return which fields are known, for an error."""
    known = "; ".join(layout.FIELDS for layout in LAYOUTS)
    return (
        f"expected {', '.join(columns.QUERIES)} and {', '.join(columns.POSITIVES)}: one of each; or {known}. In a "
        "collection, columns can be named: {pairs: FILE, query: COLUMN, positive: COLUMN}"
    )


def _of(names: set[str]) -> Layout | None:
    return next((layout for layout in LAYOUTS if layout.recognises(names)), None)


def _lower(record: Record) -> Record:
    return Record(record.place, {str(name).lower(): value for name, value in record.fields.items()})
