"""Make a candidate pool of a ranking: mark what no sampler may return."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negbench import noise
from negbench.retrieval import Retriever, Search
from negbench.types import CandidatePool, Collection, Int32, Passages, Vectors


def pad(rows: Sequence[Int32]) -> Int32:
    """Stack rows of different length into one array, padded with -1."""
    padded = np.full((len(rows), max(map(len, rows), default=0)), -1, np.int32)
    for at, row in enumerate(rows):
        padded[at, : len(row)] = row
    return padded


def build(
    retriever: Retriever,
    collection: Collection,
    queries: Int32,
    split: str,
    seed: int,
    query_vectors: Vectors | None = None,
    document_vectors: Vectors | None = None,
) -> CandidatePool:
    """Search for ``queries`` (rows) and mark their labelled positives and their own document as known.

    A query's positives are all documents of grade 1 or more in ``split``; its own document is the one that it was
    taken from, as in ArguAna.
    """
    labelled = collection.qrels[split].at_least(1).by_query()
    empty = np.zeros(0, np.int32)
    positives = pad([labelled.get(query, empty) for query in queries.tolist()])
    document_keys = noise.keys(collection.document_ids)
    search = Search(
        queries=[collection.queries[row] for row in queries],
        documents=Passages(collection.titles, collection.texts),
        query_keys=noise.keys([collection.query_ids[row] for row in queries]),
        document_keys=document_keys,
        positives=positives,
        noise=noise.Noise(seed, retriever.spelling),
        query_vectors=query_vectors,
        document_vectors=document_vectors,
    )
    ranking = retriever.rank(search)
    own = collection.own_documents()[queries][:, None]
    labels = collection.qrels[split].at_least(1)
    known = (ranking.documents >= 0) & (ranking.documents == own)
    known |= labels.contains(queries[:, None], ranking.documents)
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
    )
