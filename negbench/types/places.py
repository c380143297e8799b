"""Where the texts of a collection were read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Places:
    """File and line or row of the first occurrence of each document [D] and query [Q], empty where an id names it.

    They find a text again whose id is a digest of itself.
    """

    documents: list[str]
    queries: list[str]

    def of_document(self, row: int) -> str | None:
        """Return the place of a document; None for one with an id, or one that a method has written."""
        return (self.documents[row] or None) if row < len(self.documents) else None

    def of_query(self, row: int) -> str | None:
        """Return the place of a query; None for one with an id."""
        return self.queries[row] or None
