"""Small pools with a draw and a truth, as hypothesis makes them up."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pools import candidate_pool

from negbench.mining import Rules, mine
from negbench.repair import Oracle
from negbench.retrieval.pool import pad
from negbench.samplers.uniform import Uniform
from negbench.types import Negatives, Qrels


@st.composite
def cases(draw: st.DrawFn) -> tuple[Negatives, Oracle]:
    """Up to five queries over a small corpus: ties, filtered and unscored candidates, fills, promoted documents."""
    size, count, k = draw(st.integers(3, 40)), draw(st.integers(1, 5)), draw(st.integers(0, 5))
    row = st.integers(0, size - 1)
    lists = [draw(st.lists(row, max_size=12, unique=True)) for _ in range(count)]
    positives = [draw(st.lists(row, max_size=2, unique=True)) for _ in range(count)]
    relevant = [draw(st.sets(row, max_size=12)) | set(mine) for mine in positives]
    own = np.array([draw(st.integers(-1, size - 1)) for _ in range(count)], np.int32)
    documents, labelled = (pad([np.array(it, np.int32) for it in rows]) for rows in (lists, positives))
    shape = documents.shape
    marks = hnp.arrays(np.bool_, shape)
    scores = -np.sort(-draw(hnp.arrays(np.float32, shape, elements=st.integers(0, 4))), axis=1)
    scores[documents < 0] = np.nan
    scores[draw(marks) & draw(marks)] = np.nan
    known = np.array([np.isin(it, [*mine, at]) for it, mine, at in zip(documents, positives, own, strict=True)])
    pool = candidate_pool(
        scores,
        queries=range(3, 3 + count),
        documents=documents,
        known=known.reshape(shape) & (documents >= 0),
        positives=labelled,
    )
    promoted = draw(marks) & pool.available() & (np.arange(shape[1]) == 1)
    pool = replace(pool, known=pool.known | promoted).without(draw(marks))
    seed = draw(st.integers(0, 3))
    drawn = mine(pool, Rules(Uniform()), k, seed, own, size)
    rows = [it[marked] for it, marked in zip(pool.documents, promoted, strict=True)]
    drawn = replace(drawn, promoted=pad(rows))
    forbidden = drawn.promoted.max(axis=1, initial=-1)[:, None] == drawn.documents  # a fill may have met one
    drawn = replace(drawn, documents=np.where(forbidden, -1, drawn.documents).astype(np.int32))
    truth = Qrels.of([(3 + query, it, 1) for query, mine in enumerate(relevant) for it in mine])
    return drawn, Oracle(pool=pool, relevant=truth, own=own, size=size, seed=seed)


def some(drawn: Negatives, oracle: Oracle, rows: list[int]) -> tuple[Negatives, Oracle]:
    """The same for some of the queries, in another order."""

    def of(record: Any) -> Any:
        table = {field.name: getattr(record, field.name) for field in fields(record)}
        return replace(record, **{name: it[rows] for name, it in table.items() if isinstance(it, np.ndarray)})

    return of(drawn), replace(oracle, pool=of(oracle.pool), own=oracle.own[rows])


def relevant(oracle: Oracle, query: int) -> set[int]:
    """The rows that the truth calls relevant to a query, by position."""
    at = oracle.relevant.queries == oracle.pool.queries[query]
    return set(oracle.relevant.documents[at].tolist())


def known(drawn: Negatives, oracle: Oracle, query: int) -> set[int]:
    """The rows that no draw may hold."""
    rows = [*oracle.pool.positives[query].tolist(), *drawn.promoted[query].tolist(), int(oracle.own[query])]
    return set(rows) - {-1}


def check(drawn: Negatives, oracle: Oracle) -> None:
    """What every draw keeps to: distinct documents of the corpus, none known, ranks and scores those of the pool."""
    pool = oracle.pool
    for query, documents in enumerate(drawn.documents.tolist()):
        here = [document for document in documents if document >= 0]
        assert len(set(here)) == len(here)
        assert all(document < oracle.size for document in here)
        assert not set(here) & known(drawn, oracle, query)
        for slot, document in enumerate(documents):
            rank, origin = drawn.ranks[query, slot], drawn.origins[query, slot]
            score = drawn.scores[query, slot]
            if rank >= 0 and document >= 0:
                assert (document, origin) == (pool.documents[query, rank], 0)
                np.testing.assert_array_equal(score, pool.scores[query, rank])
            elif document >= 0:
                assert origin == 1
                assert np.isnan(score)
