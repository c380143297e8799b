"""Quality on dev while a training runs, on a part of the corpus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from negbench.encoders.encode import encode_as_is
from negbench.encoders.tokens import tokenised
from negbench.evaluation import ranking
from negbench.noise import Noise, keys
from negbench.retrieval.dense import exact
from negbench.types import Collection, Int32, Passages, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MEASURE = "nDCG@10"
QUERIES, DOCUMENTS = 200, 1000


def part(collection: Collection, split: str) -> tuple[Int32, Int32]:
    """Return rows of at most 200 queries of ``split``, and of their positives with others, 1000 documents if need be.

    Which ones follows from ids alone. A part makes the task easier: the curve is for its shape, not for its height.
    """
    asked = collection.split_queries(split)
    noise = Noise(0, "curve")
    order = noise.order(keys([collection.query_ids[row] for row in asked.tolist()]))
    queries = np.sort(asked[order[:QUERIES]])
    labels = collection.qrels[split].at_least(1)
    positives = np.unique(labels.documents[np.isin(labels.queries, queries)])
    others = np.setdiff1d(np.arange(len(collection.document_ids), dtype=np.int32), positives)
    order = noise.order(keys([collection.document_ids[row] for row in others.tolist()]))
    return queries, np.sort(np.concatenate([positives, others[order[: max(0, DOCUMENTS - len(positives))]]]))


def watcher(
    collection: Collection,
    split: str,
    model: SentenceTransformer,
    max_length: int,
    vectors: Vectors | None = None,
) -> Callable[[SentenceTransformer], float]:
    """Return what measures nDCG@10 of a model that is being trained, as it stands.

    ``vectors`` [N, d] are the documents', where these are not trained.
    """
    queries, documents = part(collection, split)
    passages = Passages(collection.titles, collection.texts)
    asked = tokenised(model, [collection.queries[row] for row in queries.tolist()], "query", max_length)
    read = tokenised(model, [passages[row] for row in documents.tolist()], "document", max_length)

    def measure(current: SentenceTransformer) -> float:
        mine = encode_as_is(current, read) if vectors is None else np.asarray(vectors[documents], np.float32)
        found, scores = exact(encode_as_is(current, asked), mine, len(documents))  # all: a cut would decide ties
        rows = np.where(found >= 0, documents[found], np.int32(-1))
        return ranking.evaluate(rows, scores, queries, collection, split, (MEASURE,)).mean[MEASURE]

    return measure
