"""Columns by name: which one holds the query, and which the positive or the document.

The names are those that sentence-transformers and question answering use; columns may also be named (``renamed``).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from negbench import spelling
from negbench.collections.layouts import ids
from negbench.collections.layouts.records import Record
from negbench.errors import InputError

QUERIES = ("anchor", "query", "question")
POSITIVES = (
    "positive", "pos", "answer", "document", "passage", "context", "response", "documents", "text",
)  # fmt: skip
LABELS = ("label", "labels")
GRADES = ("score", "relevance", "grade")
"""Columns of grades, where a row has one document and no negatives."""
NEGATIVE = re.compile(r"negatives?(_\d+)?")
_OTHERS = {"score", "scores", *ids.NAMES, *LABELS, *GRADES}


def are_pairs(names: Iterable[str]) -> bool:
    """Tell whether there is a column for the query and another one for the document."""
    held = set(names)
    return bool(held & set(QUERIES)) and bool(held & set(POSITIVES))


def heading(names: Sequence[str]) -> bool:
    """Tell whether these are names of columns rather than data."""
    lower = [name.lower() for name in names]
    return are_pairs(lower) or any(NEGATIVE.fullmatch(name) or name in ("neg", *LABELS) for name in lower)


class UnknownColumnsError(InputError):
    """None of the columns ``names`` of the file at ``path`` is known; the message has the command that names them."""

    def __init__(self, place: str, path: str, names: Sequence[str]) -> None:
        self.place, self.path, self.names = place, path, names
        super().__init__(
            f"{self.found}: say which is the query and which its positive, as in "
            f"`negbench init {self.named()}`, in a grid "
            "{pairs: FILE, query: COLUMN, positive: COLUMN}; or rename them to query and positive"
        )

    @property
    def found(self) -> str:
        """What was found, and where."""
        return f"{self.place}: no column is known among {', '.join(self.names)}"

    def named(self, *negative: str) -> str:
        """Return the file with its columns named, quoted for a shell; ``negative`` stands for the column of negatives.

        Of as many columns as are named, each is taken in turn; of more, the reader says which.
        """
        wanted = ("QUERY", "POSITIVE", *negative)
        query, positive, *others = self.names if len(self.names) == len(wanted) else wanted
        columns = {"path": self.path, "query": query, "positive": positive}
        return shlex.quote(spelling.write("pairs", columns | ({"negative": others[0]} if others else {})))


def query_and_document(fields: dict[str, Any], place: str, negatives: Sequence[str]) -> tuple[str, str]:
    """Return the columns of the query and of the positive or document: by name, else the first two that are left."""
    left = [name for name in fields if name not in negatives and name.lower() not in _OTHERS]
    query = next((name for name in QUERIES if name in left), left[0] if left else "")
    left = [name for name in left if name != query]
    document = next((name for name in POSITIVES if name in left), left[0] if left else "")
    if not document:
        raise InputError(f"{place}: expected columns of the query and of its positive, found {', '.join(fields)}")
    return query, document


def renamed(records: Iterable[Record], query: str, positive: str, negatives: Sequence[str]) -> Iterator[Record]:
    """Yield the records with these columns called query, positive and negative_1 to negative_n.

    Other columns that could be taken for a query, a document or a negative are left out. Raises InputError where one
    does not exist.
    """
    wanted = {query: "query", positive: "positive", **{name: f"negative_{at}" for at, name in enumerate(negatives, 1)}}
    for record in records:
        if missing := [name for name in wanted if name not in record.fields]:
            raise InputError(
                f"{record.place}: no column {missing[0]!r}; it has {', '.join(map(str, record.fields))}: give query=, "
                "positive= and negative= the names of its columns"
            )
        kept = {name: value for name, value in record.fields.items() if name.lower() in _OTHERS and name not in wanted}
        yield Record(record.place, {wanted[name]: record.fields[name] for name in wanted} | kept)
