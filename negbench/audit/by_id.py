"""Layouts that name queries and documents by the ids of a collection.

Tevatron 2: query_id, positive_document_ids, negative_document_ids. sentence-transformers' msmarco-hard-negatives: qid,
pos, and neg with a list for each system that mined them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negbench.audit import fields as read
from negbench.audit.records import Record
from negbench.audit.rows import Negative, Row
from negbench.collections import checks


def tevatron(records: Iterable[Record]) -> Iterator[Row]:
    """Yield a row a query; raises InputError with the record's place for what is broken."""
    for place, fields in records:
        query = checks.identifier(fields.get("query_id"), "query_id", place)
        positives = read.ids(fields, "positive_document_ids", place)
        negatives = read.ids(fields, "negative_document_ids", place)
        yield Row(place, query, tuple(positives), read.ranked(negatives), of_ids=True)


def by_system(records: Iterable[Record]) -> Iterator[Row]:
    """Yield a row a query, whose negatives are those of all systems together, each once, at its best rank.

    ``neg`` may be one list, too. Raises InputError with the record's place for what is broken.
    """
    for place, fields in records:
        query = checks.identifier(fields.get("qid"), "qid", place)
        found = fields.get("neg")
        lists = found if isinstance(found, dict) else {"neg": found}
        best: dict[str, int] = {}
        for system in lists:
            for rank, document in enumerate(read.ids(lists, system, place)):
                best[document] = min(rank, best.get(document, rank))
        negatives = tuple(Negative(document, rank) for document, rank in best.items())
        yield Row(place, query, tuple(read.ids(fields, "pos", place)), negatives, of_ids=True)
