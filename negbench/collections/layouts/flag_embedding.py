"""FlagEmbedding's training rows: query, pos, neg, and maybe pos_scores and neg_scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negbench.collections.layouts import fields as read
from negbench.collections.layouts import ids
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Row

FIELDS = "query, pos, neg"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    return {"query", "neg"} <= names


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield one row per record, null read as an empty list; raises InputError with the place of an invalid one."""
    for place, fields in records:
        positives, negatives = (
            [] if key in fields and fields[key] is None else read.texts(fields, key, place) for key in ("pos", "neg")
        )
        yield Row(
            place,
            read.text(fields, "query", place),
            tuple(positives),
            read.ranked(negatives, _scores(fields, "neg_scores", len(negatives), place)),
            query_id=ids.of_query(fields, place),
            positive_scores=tuple(_scores(fields, "pos_scores", len(positives), place) or ()),
            positive_ids=ids.of_positive(fields, place) if len(positives) == 1 else (),
            row_id=ids.of_row(fields),
        )


def _scores(fields: dict[str, object], key: str, count: int, place: str) -> list[float] | None:
    return None if fields.get(key) is None else read.numbers(fields[key], count, f"{place}: {key}")
