"""sentence-transformers' msmarco-hard-negatives: qid, pos, and neg with a list of ids for each system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negbench.collections import checks
from negbench.collections.layouts import fields as read
from negbench.collections.layouts.records import Record
from negbench.collections.layouts.rows import Negative, Row

FIELDS = "qid, pos, neg"


def recognises(names: set[str]) -> bool:
    """Tell whether these are the names of the layout's fields."""
    return {"qid", "neg"} <= names


def rows(records: Iterable[Record]) -> Iterator[Row]:
    """Yield one row per query with the negatives of all systems, each once at its best rank.

    ``neg`` may also be a single list. Raises InputError with the place of an invalid record.
    """
    for place, fields in records:
        query = checks.identifier(fields.get("qid"), "qid", place)
        neg = fields.get("neg")
        lists = neg if isinstance(neg, dict) else {"neg": neg}
        best: dict[str, int] = {}
        for system in [name for name, listed in lists.items() if listed is not None or name == "neg"]:
            for rank, document in enumerate(read.ids(lists, system, place)):
                best[document] = min(rank, best.get(document, rank))
        negatives = tuple(Negative(document, rank) for document, rank in best.items())
        yield Row(place, query, tuple(read.ids(fields, "pos", place)), negatives, of_ids=True)
