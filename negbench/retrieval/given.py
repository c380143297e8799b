"""Candidates that came with the collection: negatives that somebody mined, or ready lists with scores."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from negbench.errors import InputError
from negbench.retrieval import Ranking, Retriever, Search
from negbench.types import Float32, Int32


class Given(Retriever):
    """The candidates of the collection's own lists, as a file of pairs has them (``collections.pairs``).

    They keep their order; where all lists have scores, these are the candidates' scores, whether or not they descend,
    else a candidate scores 1 / (rank + 1) and positives have no score. Queries without a list find nothing.
    """

    name: ClassVar[str] = "given"
    needs_given: ClassVar[bool] = True

    order: Literal["list", "score"] = Field(
        default="list", description="Order of the candidates: that of the `list`, or the descending `score`."
    )

    def rank(self, search: Search) -> Ranking:
        """Look every query up. Raises InputError for a collection without lists, and for an order without scores."""
        given = search.given
        if given is None:
            raise InputError("candidates given: the collection came without negatives; name a file that has some")
        listed = given.ranks >= 0
        scored = bool(len(given)) and not np.isnan(given.scores[listed]).any()
        if self.order == "score" and not scored:
            raise InputError("candidates given: order=score needs a score for each candidate; leave it out")
        scores = given.scores if scored else (1 / (np.maximum(given.ranks, 0) + 1.0)).astype(np.float32)
        order = np.lexsort((given.ranks, -scores if self.order == "score" else given.ranks, given.queries))
        order = order[listed[order]]
        queries = given.queries[order]
        ranks = np.arange(len(queries)) - np.searchsorted(queries, queries)  # of each in its query's list
        kept = ranks < self.depth
        cells = queries[kept], ranks[kept]
        documents: Int32 = np.full((len(search.queries), self.depth), -1, np.int32)
        values: Float32 = np.full(documents.shape, np.nan, np.float32)
        documents[cells], values[cells] = given.documents[order][kept], scores[order][kept]
        positives: Float32 = np.full(search.positives.shape, np.nan, np.float32)
        if scored:
            known = dict(zip(zip(given.queries.tolist(), given.documents.tolist(), strict=True), scores, strict=True))
            for row, column in np.argwhere(search.positives >= 0).tolist():
                positives[row, column] = known.get((row, int(search.positives[row, column])), np.nan)
        return Ranking(documents, values, positives)
