"""Scoring pairs by a cross-encoder: ``CrossEncoder.predict`` as it is, and negbench's at the machine's precision.

The cross-encoder is trained here for some steps, on the training queries' BM25 candidates, so that its scores differ.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
from scipy.stats import spearmanr

from benchmarks import compare
from negbench.encoders.precision import resolve
from negbench.retrieval import pool
from negbench.retrieval.bm25 import BM25
from negbench.teachers.cross_encoder import load, predict
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.training.teacher import train_fold

PEER = "sentence-transformers: predict"
OURS = "negbench"


def main() -> None:
    """Run the comparison."""
    args = compare.arguments(__doc__ or "", rounds=3)
    collection = compare.collection("helpdesk(articles=100, queries=30)" if args.small else args.collection)
    precision = resolve("auto")
    teacher = TrainedCrossEncoder(negatives=1, keep_layers=1 if args.small else None)
    queries = collection.split_queries("train")[: 8 if args.small else 250]
    candidates = pool.build(BM25(depth=20), collection, queries, "train", 0)
    passages = collection.passages()
    pairs = [
        (collection.queries[query], passages[document])
        for query, row in zip(queries.tolist(), candidates.documents.tolist(), strict=True)
        for document in row[:: 7 if args.small else 8]
        if document >= 0
    ][:640]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        train_fold(teacher, candidates, collection, 0, 0, precision, out, Path(folder))
        model = load(out, teacher.max_length)
    timed = compare.in_turn(
        {
            PEER: lambda: model.predict(pairs),
            OURS: lambda: predict(model, pairs, precision),
            "negbench in float32": lambda: predict(model, pairs, "float32"),
        },
        1 if args.small else args.rounds,
        warm_up=False,
    )
    order = float(spearmanr(timed.returned[PEER], timed.returned[OURS]).statistic)
    compare.report(
        "cross_encoder",
        f"scoring {len(pairs)} pairs",
        "at least 3x, rank correlation at least 0.999",
        timed,
        PEER,
        OURS,
        lambda found: found["median"] >= 3 and order >= 0.999,
        {
            "rank correlation": round(order, 5),
            "largest difference of a score": round(float(np.abs(timed.returned[PEER] - timed.returned[OURS]).max()), 4),
            "standard deviation of the scores": round(float(np.std(timed.returned[PEER])), 4),
            "pairs a second": {
                side: round(len(pairs) / float(np.median(seconds)), 1) for side, seconds in timed.seconds.items()
            },
        },
        {"collection": collection.name, "cross-encoder": teacher.spelling, "max_length": teacher.max_length},
        [("bfloat16: float32 / as it is", "negbench in float32", OURS)],
    )


if __name__ == "__main__":
    main()
