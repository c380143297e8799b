"""Learning curve: nDCG@10 on a sample of dev during a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from negbench.encoders.encode import encode_as_is
from negbench.encoders.tokens import tokenised
from negbench.evaluation import ranking
from negbench.retrieval.dense import exact
from negbench.rng import CounterRNG, keys
from negbench.training.max_length import MaxLength
from negbench.types import Collection, Int32, Passages, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MEASURE = "nDCG@10"
QUERIES, DOCUMENTS = 200, 1000


def dev_sample(collection: Collection, split: str) -> tuple[Int32, Int32]:
    """Return rows of at most 200 queries of ``split``, and of their positives filled up to 1000 documents.

    The sample depends on ids alone. It is easier than the whole corpus: read the shape of the curve, not its height.
    """
    asked = collection.split_queries(split)
    rng = CounterRNG(0, "curve")
    order = rng.order(keys([collection.query_ids[row] for row in asked.tolist()]))
    queries = np.sort(asked[order[:QUERIES]])
    labels = collection.qrels[split].at_least(1)
    positives = np.unique(labels.documents[np.isin(labels.queries, queries)])
    others = np.setdiff1d(np.arange(len(collection.document_ids), dtype=np.int32), positives)
    order = rng.order(keys([collection.document_ids[row] for row in others.tolist()]))
    return queries, np.sort(np.concatenate([positives, others[order[: max(0, DOCUMENTS - len(positives))]]]))


def watcher(
    collection: Collection,
    split: str,
    model: SentenceTransformer,
    max_length: MaxLength,
    vectors: Vectors | None = None,
) -> Callable[[SentenceTransformer], float]:
    """Return a function from the current model to its nDCG@10 on the sample.

    ``vectors`` [N, d] are those of the documents, where these are not trained.
    """
    queries, documents = dev_sample(collection, split)
    passages = Passages(collection.titles, collection.texts)
    asked = tokenised(model, [collection.queries[row] for row in queries.tolist()], "query", max_length.query)
    read = tokenised(model, [passages[row] for row in documents.tolist()], "document", max_length.document)

    def measure(current: SentenceTransformer) -> float:
        vectors_now = encode_as_is(current, read) if vectors is None else np.asarray(vectors[documents], np.float32)
        # all documents: a cut would decide ties
        ranked, scores = exact(encode_as_is(current, asked), vectors_now, len(documents))
        rows = np.where(ranked >= 0, documents[ranked], np.int32(-1))
        return ranking.evaluate(rows, scores, queries, collection, split, (MEASURE,)).mean[MEASURE]

    return measure
