"""What cosine and BM25 order right without a cross-encoder: each alone, summed, and weighted by labels.

python experiments/teacher/scores.py scifact results/teacher/scifact-scores.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from quality import pool_of

from negbench.collections.resolve import source_of
from negbench.evaluation import ranking
from negbench.retrieval import pool as pools
from negbench.retrieval.bm25 import BM25
from negbench.stages.mining.pool_features import ordered_share
from negbench.teachers import stacking
from negbench.teachers.corpus_scores import CorpusScores
from negbench.teachers.distilled_cross_encoder import DistilledCrossEncoder, sampled
from negbench.training.teacher import fold_of, training_pairs
from negbench.types import Bool, CandidatePool, Collection, Float32, Float64, Int32

TEACHER = DistilledCrossEncoder()
SINGLE = {"BM25": np.array([0.0, 1.0]), "MiniLM": np.array([1.0, 0.0]), "sum of both": np.array([1.0, 1.0])}
RERANKED, MEASURE = 100, "nDCG@10"


def features(known: CorpusScores, collection: Collection, queries: Int32, documents: Int32) -> Float64:
    """Return cosine and BM25, standardised [Q, W, 2], of ``queries`` [Q] with ``documents`` [Q, W]; NaN for -1."""
    passages = collection.passages()
    rows, columns = np.nonzero(documents >= 0)
    asked = zip(queries[rows].tolist(), documents[rows, columns].tolist(), strict=True)
    pairs = [(collection.queries[query], passages[document]) for query, document in asked]
    found = np.full((*documents.shape, 2), np.nan)
    found[rows, columns] = known.standardised(pairs, TEACHER.encoder, "float32")
    return found


def learnt(known: CorpusScores, collection: Collection, pool: CandidatePool) -> list[Float64]:
    """Return the weights that each copy would learn from the labels of the other folds."""
    folds = fold_of([collection.queries[row] for row in pool.queries], TEACHER.folds)
    weights = []
    for fold in range(TEACHER.folds):
        pairs = training_pairs(TEACHER, pool, np.flatnonzero(folds != fold), 0)
        asked, read, labels = map(np.array, zip(*pairs, strict=True))
        both = features(known, collection, pool.queries[asked], read[:, None].astype(np.int32))[:, 0]
        weights.append(stacking.fitted(both, labels > 0, asked)[1:])
    return weights


def right(pool: CandidatePool, scores: Float32, depth: int, left_out: Bool) -> float:
    """Return the percentage of pairs ordered right among the first ``depth`` candidates but for those ``left_out``."""
    positives, candidates = np.split(scores, [pool.positives.shape[1]], axis=1)
    return round(100 * ordered_share(positives, np.where(left_out, np.nan, candidates)[:, :depth]), 2)


def main() -> None:
    """Write the shares by candidates, depth and scores, and what re-ranking BM25's top 100 of test gives."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("collection")
    options.add_argument("out", type=Path)
    options.add_argument("--candidates", nargs="+", default=["BM25", "dense"], choices=["BM25", "dense"])
    given = options.parse_args()
    collection = source_of(given.collection).load()
    passages, rows = collection.passages(), collection.split_queries("train")
    known = CorpusScores.of(passages, sampled(passages, 0), TEACHER.encoder, "float32")
    test = pools.build(BM25(depth=RERANKED), collection, collection.split_queries("test"), "test", 0)
    of_test = features(known, collection, test.queries, test.documents)

    def reranked(weights: Float64) -> float:
        scores = (of_test @ weights).astype(np.float32)
        return ranking.evaluate(test.documents, scores, test.queries, collection, "test", (MEASURE,)).mean[MEASURE]

    written = {f"re-ranked, {name}": round(reranked(weights), 4) for name, weights in SINGLE.items()}
    truth = collection.truth.get("train")
    for kind in given.candidates:
        if kind == "BM25":
            pool = pools.build(BM25(depth=TEACHER.depth), collection, rows, "train", 0)
        else:
            pool = pool_of(collection, TEACHER.depth)
        folds = fold_of([collection.queries[row] for row in pool.queries], TEACHER.folds)
        table = np.concatenate([pool.positives, np.where(pool.available(), pool.documents, -1)], axis=1)
        of_pool = features(known, collection, pool.queries, table)
        copies = learnt(known, collection, pool)
        scores = {name: of_pool @ weights for name, weights in SINGLE.items()}
        scores["weighted"] = np.einsum("qwf,qf->qw", of_pool, np.stack(copies)[folds])
        left_out = {"": np.zeros(pool.documents.shape, np.bool_)}
        if truth is not None:
            left_out[", true negatives"] = truth.contains(pool.queries[:, None], pool.documents)
        for depth in (20, 50):
            for name, values in scores.items():
                for among, out in left_out.items():
                    share = right(pool, values.astype(np.float32), depth, out)
                    written[f"{kind} {depth}, {name}{among}, %"] = share
        written[f"re-ranked, weighted on {kind}"] = round(float(np.mean([reranked(copy) for copy in copies])), 4)
    given.out.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
