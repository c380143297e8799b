"""How many (positive, candidate) pairs a distilled teacher orders right, on queries of folds that it has not seen.

python experiments/teacher/quality.py helpdesk results/teacher/helpdesk.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from negbench.collections.resolve import source_of
from negbench.encoders.encode import encode
from negbench.encoders.load import build
from negbench.encoders.spec import EncoderSpec
from negbench.retrieval import pool as pools
from negbench.retrieval.dense import Dense
from negbench.stages.mining.pool_features import ordered_share
from negbench.teachers import Teacher, joint_cosine, stacking
from negbench.teachers.corpus_scores import CorpusScores
from negbench.teachers.distilled_cross_encoder import DistilledCrossEncoder
from negbench.training.teacher import fold_of, train_fold, training_pairs
from negbench.types import CandidatePool, Collection, Float32

START = EncoderSpec.model_validate({"model": "all-MiniLM-L6-v2", "keep_layers": 3})
"""The weak start of the grids, not warmed up: its nearest documents are the candidates."""


def pool_of(collection: Collection, depth: int) -> CandidatePool:
    """Return the training queries' candidates."""
    rows, start = collection.split_queries("train"), build(START, 0)
    queries = encode(start, [collection.queries[row] for row in rows], "query", "float32", 96)
    documents = encode(start, collection.passages(), "document", "float32", 96)
    return pools.build(Dense(depth=depth), collection, rows, "train", 0, queries, documents)


def measured(
    teacher: DistilledCrossEncoder, pool: CandidatePool, collection: Collection, fold: int, table: Float32
) -> tuple[dict[str, Float32], dict[str, float]]:
    """Train a copy; return the scores by method of the documents in ``table`` [Q, W], NaN where it is -1; the cost."""
    texts, passages = [collection.queries[row] for row in pool.queries], collection.passages()
    with tempfile.TemporaryDirectory() as folder:
        out, began = Path(folder) / "model", time.process_time()
        cost = train_fold(teacher, pool, collection, fold, 0, "float32", out, Path(folder) / "scratch")
        cost["processor_seconds"] = time.process_time() - began
        known, weights = CorpusScores.load(out), np.array(json.loads((out / "weights.json").read_text()))
        rows, columns = np.nonzero(table >= 0)
        asked = zip(rows.tolist(), table[rows, columns].tolist(), strict=True)
        pairs = [(texts[row], passages[document]) for row, document in asked]
        features = teacher.features(joint_cosine.load(out, teacher.max_length), known, pairs, "float32")
    learnt = training_pairs(teacher, pool, np.flatnonzero(fold_of(texts, teacher.folds) != fold), 0)
    both = known.standardised([(texts[query], passages[row]) for query, row, _ in learnt], teacher.encoder, "float32")
    asked_by, _, labels = map(np.array, zip(*learnt, strict=True))
    without = stacking.fitted(both.astype(np.float64), labels > 0, asked_by)
    scores = {
        "BM25": features[:, 2],
        "MiniLM": features[:, 1],
        "sum of both": features[:, 1:].sum(axis=1),
        "both, weighted by labels": features[:, 1:] @ without[1:],
        "cross-encoder alone": features[:, 0],
        "distilled-cross-encoder": features @ weights[1:],
    }
    tables = {name: np.full(table.shape, np.nan, np.float32) for name in scores}
    for name, values in scores.items():
        tables[name][rows, columns] = values
    return tables, cost


def main() -> None:
    """Write shares of pairs in percent: of all candidates, and without those that are relevant by the truth."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("collection")
    options.add_argument("out", type=Path)
    options.add_argument("--teacher", default="distilled-cross-encoder")
    options.add_argument("--depth", type=int, default=20, help="ranks that the teacher is asked about")
    options.add_argument("--folds", type=int, default=2, help="number of copies that are trained and measured")
    options.add_argument("--queries", type=int, default=10_000, help="largest number of queries of a fold")
    given = options.parse_args()
    teacher, collection = Teacher.model_validate(given.teacher), source_of(given.collection).load()
    assert isinstance(teacher, DistilledCrossEncoder)
    pool = pool_of(collection, max(teacher.depth, given.depth))
    documents = np.where(pool.available(), pool.documents, -1)[:, : given.depth]
    truth = collection.truth.get("train")
    false = documents < 0 if truth is None else truth.contains(pool.queries[:, None], documents)
    folds = fold_of([collection.queries[row] for row in pool.queries], teacher.folds)
    written: dict[str, object] = {"teacher": teacher.spelling, "depth": given.depth}
    shares: dict[str, list[Float32]] = {}
    for fold in range(given.folds):
        chosen = np.flatnonzero(folds == fold)[: given.queries]
        table = np.full((len(folds), pool.positives.shape[1] + given.depth), -1, np.int32)
        table[chosen] = np.concatenate([pool.positives, documents], axis=1)[chosen]
        tables, cost = measured(teacher, pool, collection, fold, table)
        written[f"copy {fold + 1}"] = {"queries": len(chosen), "pairs": int((table >= 0).sum()), **cost}
        for name, scores in tables.items():
            shares.setdefault(name, []).append(scores)
    for name, parts in shares.items():
        positives, others = np.split(np.concatenate(parts), [pool.positives.shape[1]], axis=1)
        true = np.where(np.tile(false, (len(parts), 1)), np.nan, others)
        kept = ((f"{name}, %", others), (f"{name}, true negatives, %", true))
        written |= {label: round(100 * ordered_share(positives, scores), 2) for label, scores in kept}
    given.out.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
