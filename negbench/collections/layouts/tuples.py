"""Pairs, triplets and n-tuples as sentence-transformers has them: anchor, positive, and no, one or many negatives.

The negatives are columns ``negative`` or ``negative_1`` to ``negative_n``, or one column with a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from negbench.collections.layouts import columns, ids
from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Row

FIELDS = "anchor, positive, negative (or negative_1, ...)"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    return columns.are_pairs(names) or any(columns.NEGATIVE.fullmatch(name) for name in names)


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield rows of anchor, positive and the negatives.

    With one negative per row, consecutive rows of the same anchor and positive are a ranked list.
    """
    tuples = [_tuple(record) for record in records]
    runs = [list(run) for _, run in groupby(tuples, lambda row: (row.query, row.positives))]
    if all(len(row.negatives) <= 1 for row in tuples) and any(len(run) > 1 for run in runs):
        for run in runs:
            for rank, row in enumerate(run):
                yield row._replace(negatives=tuple(one._replace(rank=rank) for one in row.negatives))
    elif any(len(row.negatives) > 1 for row in tuples):
        yield from tuples
    else:  # one negative per row and no consecutive rows of a query: ranks are unknown
        yield from (row._replace(negatives=tuple(one._replace(rank=-1) for one in row.negatives)) for row in tuples)


def _tuple(record: Record) -> Row:
    place, fields = record
    negative = sorted((name for name in fields if columns.NEGATIVE.fullmatch(name)), key=_number)
    anchor, positive = columns.query_and_document(fields, place, negative)
    cells = {name: fields[name] for name in (anchor, positive, *negative)}
    of_ids = any(_is_number(one) for cell in cells.values() for one in (cell if isinstance(cell, list) else [cell]))
    if of_ids:
        cells = {name: _digits(cell) for name, cell in cells.items()}
    negatives: list[str] = []
    for name in negative:
        if isinstance(cells[name], list):
            negatives += read.texts(cells, name, place)
        elif isinstance(cells[name], str):  # may be blank, which is counted later
            negatives.append(cells[name])
        elif cells[name] is not None:  # None: a row with fewer negatives
            negatives.append(read.text(cells, name, place))
    scores = fields.get("scores")  # of the positive, then of each negative
    if scores is not None:
        scores = read.numbers(_parsed(scores), len(negatives) + 1, f"{place}: scores")
    several = read.texts(cells, positive, place) if isinstance(cells[positive], list) else None
    known = [read.text(cells, positive, place)] if several is None else several
    return Row(
        place,
        read.text(cells, anchor, place),
        tuple(known),
        read.ranked(negatives, None if scores is None else scores[1:]),
        of_ids,
        query_id="" if of_ids else ids.of_query(fields, place),
        positive_scores=tuple(scores[:1] * len(known)) if scores is not None else (),
        positive_ids=() if of_ids or len(known) != 1 else ids.of_positive(fields, place),
        row_id="" if of_ids else ids.of_row(fields),
    )


def _number(name: str) -> int:
    return int(name.rpartition("_")[2]) if "_" in name else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _digits(cell: Any) -> Any:
    """Return whole numbers as text; anything else as it is."""
    if isinstance(cell, list):
        return [_digits(one) for one in cell]
    return str(cell) if _is_number(cell) else cell


def _parsed(scores: Any) -> Any:
    """Return a list that a CSV cell holds as text; anything else as it is."""
    try:
        return json.loads(scores) if isinstance(scores, str) else scores
    except json.JSONDecodeError:
        return scores
