"""Training rows, the output of all layouts; with texts or with ids."""

from __future__ import annotations

from typing import NamedTuple

UNKNOWN_RANK = -1


class Negative(NamedTuple):
    """A negative of a row.

    ``rank`` is its position in a ranked list, from 0, -1 if unknown; ``score`` the retriever's, NaN if unknown;
    ``weight`` its weight in training; ``id`` that of a text, empty where it has none.
    """

    text: str
    rank: int = UNKNOWN_RANK
    score: float = float("nan")
    weight: float = 1.0
    id: str = ""


class Row(NamedTuple):
    """A training row, and the place it was read from.

    ``of_ids`` tells whether query and documents are ids of a collection rather than texts; ``query_text`` is the text
    of such a query, where the row has it, and ``query_id`` the id of a query that is a text. ``grades`` and
    ``positive_scores`` are those of the positives; empty where all grades are 1, and where scores are unknown.
    ``positive_ids`` are the ids of positives that are texts, empty where they have none, and ``row_id`` that of the
    row in its file.
    """

    place: str
    query: str
    positives: tuple[str, ...]
    negatives: tuple[Negative, ...]
    of_ids: bool = False
    query_text: str = ""
    query_id: str = ""
    grades: tuple[int, ...] = ()
    positive_scores: tuple[float, ...] = ()
    positive_ids: tuple[str, ...] = ()
    row_id: str = ""
