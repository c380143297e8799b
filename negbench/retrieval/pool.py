"""Make a candidate pool of a ranking: mark what no sampler may return."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negbench import rng
from negbench.part_checks import check_ranking, check_scores
from negbench.retrieval import Ranking, Retriever, Search
from negbench.types import CandidatePool, Collection, Int32, Passages, Qrels, Vectors


def pad(rows: Sequence[Int32]) -> Int32:
    """Stack rows of different length into one array, padded with -1."""
    padded = np.full((len(rows), max(map(len, rows), default=0)), -1, np.int32)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


class PoolContext:
    """Lookup tables that all pools of a collection's ``split`` share, built once for many searches.

    ``labels`` are the judgments of grade 1 or more, ``positives`` the same by query. ``known`` are the labels, the
    queries' own documents and, where the collection counts them, documents with the text of one of these. ``own``
    [queries of the collection] are as in ``Collection.own_documents``, ``document_keys`` [N] stable hashes of the ids.
    """

    def __init__(self, collection: Collection, split: str) -> None:
        self.collection = collection
        self.labels = collection.qrels[split].at_least(1)
        self.positives = self.labels.by_query()
        self.own = collection.own_documents()
        asked = np.flatnonzero(self.own >= 0).astype(np.int32)
        own = Qrels(asked, self.own[asked], np.ones(len(asked), np.int32))
        self.known = Qrels.both(self.labels, own).with_copies(collection.known_copies())
        self.document_keys = rng.keys(collection.document_ids)


def check(retriever: Retriever, ranking: Ranking, search: Search) -> None:
    """Check what a retriever found for a search. Raises PartError."""
    check_ranking(retriever, ranking.documents, len(search.documents))
    shape = (len(search.queries), ranking.documents.shape[1])
    check_scores(retriever, ranking.scores, shape, descending=not retriever.needs_given)
    check_scores(retriever, ranking.positive_scores, search.positives.shape, descending=False)


def build(
    retriever: Retriever,
    collection: Collection,
    queries: Int32,
    split: str,
    seed: int,
    query_vectors: Vectors | None = None,
    document_vectors: Vectors | None = None,
    ground: PoolContext | None = None,
) -> CandidatePool:
    """Search for ``queries`` (rows) and mark their labelled positives and their own document as known.

    A query's positives are all documents of grade 1 or more in ``split``; its own document is the one that it was
    taken from, as in ArguAna. ``query_vectors`` [Q, d] are those of ``queries``. ``ground`` spares a second look.
    """
    ground = ground or PoolContext(collection, split)
    document_keys = ground.document_keys
    empty = np.zeros(0, np.int32)
    positives = pad([ground.positives.get(query, empty) for query in queries.tolist()])
    search = Search(
        queries=[collection.queries[row] for row in queries],
        documents=Passages(collection.titles, collection.texts),
        query_keys=rng.keys([collection.query_ids[row] for row in queries]),
        document_keys=document_keys,
        positives=positives,
        rng=rng.CounterRNG(seed, retriever.spelling),
        query_vectors=query_vectors,
        document_vectors=document_vectors,
        given=None if collection.given is None else collection.given.of_queries(queries),
    )
    ranking = retriever.rank(search)
    check(retriever, ranking, search)
    known = ground.known.contains(queries[:, None], ranking.documents)
    return CandidatePool(
        queries=queries,
        documents=ranking.documents,
        scores=ranking.scores,
        known=known,
        positives=positives,
        positive_scores=ranking.positive_scores,
        query_keys=search.query_keys,
        document_keys=np.where(ranking.documents >= 0, document_keys[ranking.documents], np.uint64(0)),
        recall=ranking.recall,
        note=ranking.note,
        corpus_size=len(collection.document_ids),
    )
