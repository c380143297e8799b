"""What every reader of negatives returns: training rows, in texts or in ids of texts."""

from __future__ import annotations

from typing import NamedTuple

UNKNOWN_RANK = -1


class Negative(NamedTuple):
    """A negative of a row.

    ``rank`` is its place in an ordered list, from 0, -1 where that is unknown; ``score`` the retriever's, NaN where
    that is unknown; ``weight`` what training multiplies it by.
    """

    text: str
    rank: int = UNKNOWN_RANK
    score: float = float("nan")
    weight: float = 1.0


class Row(NamedTuple):
    """A row that training reads, and the place it was read from.

    ``of_ids``: query and documents are ids of a collection, which has their texts.
    """

    place: str
    query: str
    positives: tuple[str, ...]
    negatives: tuple[Negative, ...]
    of_ids: bool = False
