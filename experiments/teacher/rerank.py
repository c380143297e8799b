"""What a whole teacher is worth as a re-ranker: nDCG@10 of BM25's highest hits of the test queries, in its order.

python experiments/teacher/rerank.py scifact results/teacher/scifact-rerank.json --teacher bi-encoder
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from quality import pool_of

from negbench.collections.resolve import source_of
from negbench.evaluation import ranking, significance
from negbench.retrieval import pool as pools
from negbench.retrieval.bm25 import BM25
from negbench.teachers import Teacher
from negbench.teachers.trained import TrainedTeacher
from negbench.training.teacher import train_fold
from negbench.types import CandidatePool, Collection, Float32

RERANKED, MEASURE = 100, "nDCG@10"


def order_of(teacher: Teacher, hits: CandidatePool, collection: Collection) -> tuple[Float32, dict[str, float]]:
    """Return a score for each of the ``hits`` [Q, K], below all others where there is none, and what training cost.

    A teacher that is trained here learns from the training queries of all folds but the first, as one of its copies.
    """
    cost: dict[str, float] = {}
    passages = collection.passages()
    rows, columns = np.nonzero(hits.documents >= 0)
    asked = zip(hits.queries[rows].tolist(), hits.documents[rows, columns].tolist(), strict=True)
    pairs = [(collection.queries[query], passages[document]) for query, document in asked]
    with tempfile.TemporaryDirectory() as folder:
        copy = None
        if teacher.training_folds:
            assert isinstance(teacher, TrainedTeacher)
            copy, pool = Path(folder) / "model", pool_of(collection, teacher.depth)
            cost = train_fold(teacher, pool, collection, 0, 0, "float32", copy, Path(folder) / "scratch")
        said = teacher.checked_scores(pairs, copy, "float32")
    scores = np.full(hits.documents.shape, -np.inf, np.float32)
    scores[rows, columns] = np.where(np.isnan(said), np.nanmin(said) - 1, said)
    return scores, cost


def main() -> None:
    """Write the measure as BM25 ranks and in the teacher's order, and the difference with its 95 % interval."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("collection")
    options.add_argument("out", type=Path)
    options.add_argument("--teacher", default="distilled-cross-encoder")
    options.add_argument("--split", default="test")
    given = options.parse_args()
    teacher, collection = Teacher.model_validate(given.teacher), source_of(given.collection).load()
    hits = pools.build(BM25(depth=RERANKED), collection, collection.split_queries(given.split), given.split, 0)
    began = time.process_time()
    scores, cost = order_of(teacher, hits, collection)
    spent = time.process_time() - began
    by_bm25, by_teacher = (
        ranking.evaluate(hits.documents, of_hits, hits.queries, collection, given.split, (MEASURE,))
        for of_hits in (hits.scores, scores)
    )
    difference = significance.estimate((by_teacher.per_query[MEASURE] - by_bm25.per_query[MEASURE])[None])
    written = {
        "teacher": teacher.spelling,
        "queries": len(hits.queries),
        "pairs": int((hits.documents >= 0).sum()),
        "BM25": by_bm25.mean[MEASURE],
        "re-ranked": by_teacher.mean[MEASURE],
        "difference": difference.mean,
        "difference, low": difference.low,
        "difference, high": difference.high,
    }
    rounded = {name: round(it, 4) if isinstance(it, float) else it for name, it in written.items()}
    given.out.write_text(json.dumps({**rounded, **cost, "processor_seconds": spent}, indent=1) + "\n")


if __name__ == "__main__":
    main()
