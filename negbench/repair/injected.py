"""A stated share of false negatives, as hard as the true ones whose place they take."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from negbench.noise import Noise
from negbench.repair import Oracle, Repair
from negbench.repair.matching import Change, exchanged, nearest
from negbench.repair.replaced import Replaced
from negbench.types import Int32, Negatives


class Injected(Repair):
    """From the draw as ``replaced`` leaves it, a share of the negatives is replaced by hidden relevant documents.

    rate: the share, of all negatives that stand in the corpus. A hidden relevant document is one that the truth calls
    relevant to the query, that is no known positive and not drawn. The slots are chosen by noise on the query's id and
    the slot, so those of a lower rate are among those of a higher. A query gives no more of them than it has hidden
    documents; where all together have too few, the rate is not reached. A slot gets the hidden document that is
    nearest in the retriever's score to the negative that leaves, one from outside of the pool only after all others.
    """

    name: ClassVar[str] = "injected"

    rate: float = Field(default=0.1, gt=0.0, le=1.0)

    def mend(self, drawn: Negatives, oracle: Oracle) -> Negatives:
        """Repair, then inject."""
        repaired, pool = Replaced().mend(drawn, oracle), oracle.pool
        found = oracle.found(repaired)
        tickets = Noise(oracle.seed, "injected slots", oracle.epoch).bits(
            pool.query_keys[:, None], np.arange(found.shape[1])
        )
        hidden = self._hidden(repaired, oracle)
        slots: list[tuple[int, int, int]] = []
        for query, rows in enumerate(hidden):
            mine = [(int(tickets[query, slot]), query, slot) for slot in np.flatnonzero(found[query]).tolist()]
            slots += sorted(mine)[: len(rows)]
        changes: list[Change] = []
        for _, query, slot in sorted(slots)[: round(self.rate * int(found.sum()))]:
            column_of = {row: column for column, row in enumerate(pool.documents[query].tolist())}
            columns = np.array([column_of.get(row, pool.depth) for row in hidden[query].tolist()])
            scores = np.append(pool.scores[query], np.float32(np.nan))[columns]
            rank = int(repaired.ranks[query, slot])
            at = nearest(scores, columns, float(repaired.scores[query, slot]), rank if rank >= 0 else pool.depth)
            inside = columns[at] < pool.depth
            changes.append((query, slot, int(hidden[query][at]), int(columns[at]) if inside else -1))
            hidden[query] = np.delete(hidden[query], at)
        return exchanged(repaired, pool, changes)

    @staticmethod
    def _hidden(repaired: Negatives, oracle: Oracle) -> list[Int32]:
        """Return each query's hidden relevant documents, in a random order: that of those that no score tells apart."""
        relevant, source = oracle.relevant.by_query(), Noise(oracle.seed, "injected documents", oracle.epoch)
        found: list[Int32] = []
        for query, row in enumerate(oracle.pool.queries.tolist()):
            gone = oracle.positives(repaired, query) | set(repaired.documents[query].tolist())
            rows = np.array([it for it in relevant.get(row, np.zeros(0)).tolist() if it not in gone], np.int32)
            found.append(rows[np.argsort(source.bits(oracle.pool.query_keys[query], rows), kind="stable")])
        return found
