"""Candidates that came with a collection: mined negatives, ready pools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class GivenCandidates:
    """A list of candidates for some queries, as parallel arrays [J] sorted by (query, rank), each pair once.

    ``ranks`` count from 0 in a query's list, -1 for a positive that is in no list and of which the score alone is
    known. ``scores`` are those that came with the list, NaN for none.
    """

    queries: NDArray[np.int32]
    documents: NDArray[np.int32]
    ranks: NDArray[np.int32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.queries)

    def of_queries(self, rows: NDArray[np.integer]) -> GivenCandidates:
        """Return the candidates of the queries at ``rows`` [Q], whose queries are then positions in ``rows``."""
        order = np.argsort(rows, kind="stable")
        place = np.searchsorted(rows, self.queries, sorter=order)
        kept = place < len(rows)
        kept[kept] = rows[order][place[kept]] == self.queries[kept]
        queries = order[place[kept]].astype(np.int32)
        by_query = np.argsort(queries, kind="stable")
        taken = np.flatnonzero(kept)[by_query]
        return GivenCandidates(queries[by_query], self.documents[taken], self.ranks[taken], self.scores[taken])
