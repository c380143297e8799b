"""Sizes of the collections of a grid: documents, queries by split, and positives a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from negbench.types import Collection

FEWEST = 50
"""A mean over fewer queries than this is called uncertain."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a collection; ``split`` is the one that is evaluated on.

    ``splits`` holds, by split, the number of queries with a positive and the mean number of positives of these.
    """

    name: str
    documents: int
    split: str
    splits: dict[str, tuple[int, float]]

    @classmethod
    def of(cls, name: str, collection: Collection, split: str) -> Sizes:
        """Count a collection; positives are judgments with a grade above 0."""
        order = sorted(collection.qrels, key=lambda it: ("train", "dev", "test", it).index(it))
        splits = {}
        for one in order:
            queries = len(collection.split_queries(one))
            splits[one] = (queries, len(collection.qrels[one].at_least(1)) / queries if queries else 0.0)
        return cls(name=name, documents=len(collection.document_ids), split=split, splits=splits)

    @property
    def queries(self) -> int:
        """Number of queries that are evaluated on."""
        return self.splits[self.split][0] if self.split in self.splits else 0

    def __str__(self) -> str:
        parts = [f"{count:,} {split} ({positives:.1f})" for split, (count, positives) in self.splits.items()]
        return f"{self.name}: {self.documents:,} documents; queries (positives a query): {', '.join(parts)}"

    def data(self) -> dict[str, Any]:
        """Return the sizes as plain data, by name."""
        splits = {split: {"queries": n, "positives_a_query": mean} for split, (n, mean) in self.splits.items()}
        return {"documents": self.documents, "evaluated": self.split, "splits": splits}

    def warning(self, measure: str, method: str | None, half: float | None) -> list[str]:
        """Return a sentence where few queries are evaluated on; ``half`` is half of an interval of ``method``.

        A half of 0, where all queries have one value, is not told: it says nothing of other queries.
        """
        if self.queries >= FEWEST:
            return []
        why = "a mean over so few is uncertain"
        if method is not None and half is not None and round(half, 4) > 0:
            why += f": the 95 % interval of {method} reaches {half:.4f} {measure} to either side"
        noun = "query" if self.queries == 1 else "queries"
        return [f"{self.name}: {self.queries} {self.split} {noun}, fewer than {FEWEST}; {why}"]
