"""False negatives leave, and true ones come that look like them to the retriever."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from negbench.mining import uniform
from negbench.repair import Oracle, Repair
from negbench.repair.matching import Change, exchanged, nearest
from negbench.rng import CounterRNG
from negbench.types import Negatives


class Replaced(Repair):
    """Every false negative is replaced by a true one of the same query, nearest to it in the retriever's score.

    The candidates are those of the pool that the sampler might have drawn and did not, that is neither known nor
    filtered, and that are not relevant; ties go by rank. In the order of drawing, each takes the nearest that is left.
    Where none is, and for a false negative that was filled in and so has no score, it is a random document of the
    corpus that is not relevant. A slot stays empty where even the corpus has no more.
    """

    name: ClassVar[str] = "replaced"

    def apply(self, drawn: Negatives, oracle: Oracle) -> Negatives:
        pool, false = oracle.pool, oracle.false(drawn)
        relevant = oracle.relevant.by_query()
        free = pool.available() & ~oracle.relevant.contains(pool.queries[:, None], pool.documents)
        source = CounterRNG(oracle.seed, "repair fill", oracle.epoch)
        changes: list[Change] = []
        for query in np.flatnonzero(false.any(axis=1)).tolist():
            taken = set(drawn.documents[query].tolist())
            forbidden = oracle.positives(drawn, query) | set(relevant[int(pool.queries[query])].tolist())
            for slot in np.flatnonzero(false[query]).tolist():
                columns = np.flatnonzero(free[query] & ~np.isin(pool.documents[query], list(taken)))
                rank, score = int(drawn.ranks[query, slot]), float(drawn.scores[query, slot])
                if rank >= 0 and len(columns):
                    column = int(columns[nearest(pool.scores[query, columns], columns, score, rank)])
                    document = int(pool.documents[query, column])
                else:
                    filled = uniform(source, pool.query_keys[query], oracle.size, 1, taken | forbidden)
                    document, column = filled[0] if filled else -1, -1
                taken.add(document)
                changes.append((query, slot, document, column))
        return exchanged(drawn, pool, changes)
