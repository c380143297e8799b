"""A stated share of false negatives, as hard as the true ones whose place they take."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.repair import Oracle, Repair
from negbench.repair.matching import Change, exchanged, nearest
from negbench.repair.replaced import Replaced
from negbench.rng import CounterRNG
from negbench.types import Int32, Negatives


class Injected(Repair):
    """From the draw as ``replaced`` leaves it, a share of the negatives is replaced by hidden relevant documents.

    A hidden relevant document is one that the truth calls relevant to the query, that is no known positive and not
    drawn. The slots are chosen by noise on the query's id and the slot, so those of a lower rate are among those of a
    higher. A query gives no more slots than it has hidden documents; where all together have too few, the rate is not
    reached. A slot gets the hidden document whose retriever score is nearest to that of the negative it replaces, and
    one from outside of the pool only after all others.
    """

    name: ClassVar[str] = "injected"

    rate: float = Field(
        default=0.1,
        gt=0.0,
        le=1.0,
        description="Share of the negatives found in the corpus that become false negatives.",
    )

    def apply(self, drawn: Negatives, oracle: Oracle) -> Negatives:
        repaired, pool = Replaced().apply(drawn, oracle), oracle.pool
        false = oracle.found(repaired)
        tickets = CounterRNG(oracle.seed, "injected slots", oracle.epoch).bits(
            pool.query_keys[:, None], np.arange(false.shape[1])
        )
        hidden = self._hidden(repaired, oracle)
        slots: list[tuple[int, int, int]] = []
        for query, rows in enumerate(hidden):
            of_query = [(int(tickets[query, slot]), query, slot) for slot in np.flatnonzero(false[query]).tolist()]
            slots += sorted(of_query)[: len(rows)]
        changes: list[Change] = []
        for _, query, slot in sorted(slots)[: round(self.rate * int(false.sum()))]:
            column_of = {row: column for column, row in enumerate(pool.documents[query].tolist())}
            columns = np.array([column_of.get(row, pool.depth) for row in hidden[query].tolist()])
            scores = np.append(pool.scores[query], np.float32(np.nan))[columns]
            rank = int(repaired.ranks[query, slot])
            place = nearest(scores, columns, float(repaired.scores[query, slot]), rank if rank >= 0 else pool.depth)
            inside = columns[place] < pool.depth
            changes.append((query, slot, int(hidden[query][place]), int(columns[place]) if inside else -1))
            hidden[query] = np.delete(hidden[query], place)
        return exchanged(repaired, pool, changes)

    @staticmethod
    def _hidden(repaired: Negatives, oracle: Oracle) -> list[Int32]:
        """Return each query's hidden relevant documents, in a random order: that of those that no score tells apart."""
        relevant, source = oracle.relevant.by_query(), CounterRNG(oracle.seed, "injected documents", oracle.epoch)
        ordered: list[Int32] = []
        for query, row in enumerate(oracle.pool.queries.tolist()):
            gone = oracle.positives(repaired, query) | set(repaired.documents[query].tolist())
            rows = np.array([it for it in relevant.get(row, np.zeros(0)).tolist() if it not in gone], np.int32)
            ordered.append(rows[np.argsort(source.bits(oracle.pool.query_keys[query], rows), kind="stable")])
        return ordered
