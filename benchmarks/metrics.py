"""From embeddings to metrics: against sentence-transformers' ``InformationRetrievalEvaluator``.

Both sides get the vectors of queries and documents and hand back metric values. The peer is called as its
documentation shows it, with recall at 100 beside the cutoffs that it has by default; its model only hands out the given
vectors, and scores by cosine as all-MiniLM-L6-v2 does. negbench searches exactly (``retrieval.dense``) and measures
(``evaluation.ranking``). The vectors have length 1, so that dot product and cosine are the same.

The vectors are generated: each query is near one of its relevant documents, as an encoder would have it. The values
of both sides must be the same up to rounding. Of documents with equal scores each side takes others first; random
vectors have none. The peer divides MAP@100 by the number of relevant documents or 100, whichever is less, and so
differs on queries with more; ir-measures does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import compare
from negbench.evaluation import ranking
from negbench.retrieval.dense import exact
from negbench.types import Collection, Float32, Int32

SPLIT = "test"
DIMENSIONS = 384
CUTOFFS = (1, 3, 5, 10)
DEPTH = 100
MEASURES = {
    **{f"accuracy@{k}": f"Success@{k}" for k in CUTOFFS},
    **{f"precision@{k}": f"P@{k}" for k in (*CUTOFFS, DEPTH)},
    **{f"recall@{k}": f"R@{k}" for k in (*CUTOFFS, DEPTH)},
    "ndcg@10": "nDCG@10",
    "mrr@10": "RR@10",
    f"map@{DEPTH}": f"AP@{DEPTH}",
}
"""What the peer calls a measure, and what ir-measures calls it."""


@dataclass
class Task:
    """A collection, the rows of the queries, and vectors of queries and documents."""

    collection: Collection
    rows: Int32
    queries: Float32
    documents: Float32


def task(name: str) -> Task:
    """Generate vectors for a collection: a query's is a relevant document's with as much noise again as signal."""
    collection = compare.collection(name)
    rows = collection.split_queries(SPLIT)
    random = np.random.default_rng(0)
    documents = unit(random.standard_normal((len(collection.texts), DIMENSIONS), dtype=np.float32))
    relevant = collection.qrels[SPLIT].at_least(1)
    near = documents[relevant.documents[np.searchsorted(relevant.queries, rows)]]
    rng = random.standard_normal((len(rows), DIMENSIONS), dtype=np.float32) / np.float32(DIMENSIONS**0.5)
    return Task(collection, rows, unit(near + 5 * rng), documents)


def unit(vectors: Float32) -> Float32:
    """Return the vectors at length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class Model:
    """What the evaluator needs of a model: the vectors given, and cosine."""

    similarity_fn_name = "cosine"

    def __init__(self, queries: Float32) -> None:
        import torch

        self.queries = torch.from_numpy(queries)

    def encode_query(self, texts: Sequence[str], **_: object) -> Any:
        """Return the vectors of the queries, which come in the order of their rows."""
        assert len(texts) == len(self.queries)
        return self.queries

    @staticmethod
    def similarity(queries: Any, documents: Any) -> Any:
        """Score as a real model does."""
        from sentence_transformers.util import cos_sim

        return cos_sim(queries, documents)


def peer(given: Task) -> Any:
    """Return the evaluator, constructed."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    collection, rows = given.collection, given.rows
    relevant: dict[str, set[str]] = {}
    positives = collection.qrels[SPLIT].at_least(1)
    for query, document in zip(positives.queries.tolist(), positives.documents.tolist(), strict=True):
        relevant.setdefault(collection.query_ids[query], set()).add(collection.document_ids[document])
    return InformationRetrievalEvaluator(
        queries={collection.query_ids[row]: collection.queries[row] for row in rows},
        corpus=dict(zip(collection.document_ids, collection.passages(), strict=True)),
        relevant_docs=relevant,
        precision_recall_at_k=[*CUTOFFS, DEPTH],
        score_functions={"cosine": Model.similarity},
    )


def theirs(evaluator: Any, given: Task) -> dict[str, dict[int, float]]:
    """Search and measure with the evaluator."""
    import torch

    found = evaluator.compute_metrices(Model(given.queries), corpus_embeddings=torch.from_numpy(given.documents))
    values: dict[str, dict[int, float]] = found["cosine"]
    return values


def hits(given: Task, found: tuple[Int32, Float32]) -> list[list[dict[str, Any]]]:
    """Return what a search found in the form that the evaluator measures."""
    names = given.collection.document_ids
    return [
        [{"corpus_id": names[row], "score": score} for row, score in zip(rows, scores, strict=True)]
        for rows, scores in zip(found[0].tolist(), found[1].tolist(), strict=True)
    ]


def ours(given: Task) -> ranking.Scores:
    """Search and measure."""
    return measured(given, exact(given.queries, given.documents, DEPTH))


def measured(given: Task, found: tuple[Int32, Float32]) -> ranking.Scores:
    """Measure what a search found."""
    return ranking.evaluate(*found, given.rows, given.collection, SPLIT, list(MEASURES.values()))


def main() -> None:
    """Time both in turn and compare every value."""
    asked = compare.arguments("From embeddings to metrics, against InformationRetrievalEvaluator.", rounds=15)
    given = task("helpdesk" if asked.small else asked.collection)
    found = exact(given.queries, given.documents, DEPTH)
    evaluator = peer(given)
    sides: dict[str, Callable[[], Any]] = {
        "InformationRetrievalEvaluator": partial(theirs, evaluator, given),
        "negbench": partial(ours, given),
        "negbench, search alone": partial(exact, given.queries, given.documents, DEPTH),
        "negbench, metrics alone": partial(measured, given, found),
        "InformationRetrievalEvaluator, metrics alone": partial(evaluator.compute_metrics, hits(given, found)),
    }
    timed = compare.in_turn(sides, asked.rounds)
    peer_values = timed.returned["InformationRetrievalEvaluator"]
    mean = timed.returned["negbench"].mean
    values = {}
    for name, spelling in MEASURES.items():
        kind, _, cutoff = name.partition("@")
        values[spelling] = (float(peer_values[f"{kind}@k"][int(cutoff)]), mean[spelling])
    compare.report(
        "metrics",
        f"{len(MEASURES)} measures over {len(given.rows)} queries and {len(given.documents):,} documents",
        "at least 3x",
        timed,
        "InformationRetrievalEvaluator",
        "negbench",
        lambda ratio: ratio["median"] >= 3,
        {
            "largest difference of a value": max(abs(one - other) for one, other in values.values()),
            **{spelling: f"{one:.6f} and {other:.6f}" for spelling, (one, other) in values.items()},
        },
        {"collection": given.collection.name, "split": SPLIT, "dimensions": DIMENSIONS, "depth": DEPTH},
        causes=[
            (
                "metrics in arrays, rankings given",
                "InformationRetrievalEvaluator, metrics alone",
                "negbench, metrics alone",
            )
        ],
    )


if __name__ == "__main__":
    main()
