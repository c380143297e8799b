"""DPR's training files: question, positive_ctxs, hard_negative_ctxs, negative_ctxs (Karpukhin et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Row

FIELDS = "question, positive_ctxs, hard_negative_ctxs"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    return "positive_ctxs" in names


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield one row per question, with its hard negatives or, if it has none, the others, as in DPR's code.

    A passage is its title and its text. Raises InputError with the place of an invalid record.
    """
    for place, fields in records:
        lists = (
            read.passages(fields, key, place) if fields.get(key) is not None else []
            for key in ("hard_negative_ctxs", "negative_ctxs")
        )
        negatives = next((passages for passages in lists if passages), [])
        positives = read.passages(fields, "positive_ctxs", place)
        yield Row(place, read.text(fields, "question", place), tuple(positives), read.ranked(negatives))
