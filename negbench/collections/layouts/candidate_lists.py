"""Candidates with scores by id, as LightOn's and PyLate's data has them: query_id, document_ids, scores, positive_ids.

Where there are no ``positive_ids``, the first document of a list is its query's positive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negbench.collections import checks
from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Negative, Row
from negbench.errors import InputError

FIELDS = "query_id, document_ids, scores"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    return {"query_id", "document_ids"} <= names


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield one row per record: the positives with their scores, and the other documents in their order.

    Raises InputError with the place of an invalid record.
    """
    for place, fields in records:
        query = checks.identifier(fields.get("query_id"), "query_id", place)
        documents = read.ids(fields, "document_ids", place)
        if not documents:
            raise InputError(f"{place}: document_ids: expected at least one id, found an empty list")
        scores = [float("nan")] * len(documents)
        if fields.get("scores") is not None:
            scores = read.numbers(fields["scores"], len(documents), f"{place}: scores")
        score_of = dict(zip(documents, scores, strict=True))
        given = fields.get("positive_ids") is not None
        positives = read.ids(fields, "positive_ids", place) if given else documents[:1]
        others = [document for document in dict.fromkeys(documents) if document not in positives]
        yield Row(
            place,
            query,
            tuple(positives),
            tuple(Negative(one, rank, score_of[one]) for rank, one in enumerate(others)),
            of_ids=True,
            positive_scores=tuple(score_of.get(one, float("nan")) for one in positives),
        )
