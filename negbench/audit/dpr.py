"""DPR's training files: question, positive_ctxs, hard_negative_ctxs, negative_ctxs (Karpukhin et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negbench.audit import fields as read
from negbench.audit.records import Record
from negbench.audit.rows import Row


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield a row a question; its negatives are the hard ones or, as in DPR's code, the others where it has none.

    A passage is its title and its text. Raises InputError with the record's place for what is broken.
    """
    for place, fields in records:
        lists = (
            read.passages(fields, key, place) if fields.get(key) is not None else []
            for key in ("hard_negative_ctxs", "negative_ctxs")
        )
        negatives = next((found for found in lists if found), [])
        positives = read.passages(fields, "positive_ctxs", place)
        yield Row(place, read.text(fields, "question", place), tuple(positives), read.ranked(negatives))
