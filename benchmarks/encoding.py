"""Encoding a corpus: ``SentenceTransformer.encode`` as it is, and negbench's ``encode`` at the machine's precision.

Timed on some of the corpus; the quality is nDCG@10 over all of it, from one more encoding by each side.
"""

from __future__ import annotations

import os
from unittest.mock import patch

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np

from benchmarks import compare
from negbench.encoders import encode as encoding
from negbench.encoders.load import build
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.evaluation import ranking
from negbench.retrieval.dense import exact
from negbench.types import Collection, Float32

PEER = "sentence-transformers: encode"
OURS = "negbench"


def ndcg(queries: Float32, documents: Float32, collection: Collection) -> float:
    """Return nDCG@10 on the test queries."""
    found = exact(queries, documents, min(100, len(documents)))
    rows = collection.split_queries("test")
    return ranking.evaluate(*found, rows, collection, "test", ("nDCG@10",)).mean["nDCG@10"]


def main() -> None:
    """Run the comparison."""
    args = compare.arguments(__doc__ or "", rounds=3)
    collection = compare.collection("helpdesk(articles=100, queries=30)" if args.small else args.collection)
    spec = EncoderSpec(model="all-MiniLM-L6-v2", keep_layers=1 if args.small else None)
    model = build(spec, 0)
    precision = resolve("auto")
    passages = collection.passages()
    some = passages[:: max(1, len(passages) // 640)][:640]
    timed = compare.in_turn(
        {
            PEER: lambda: model.encode(some, normalize_embeddings=True),
            OURS: lambda: encoding.encode(model, some, "document", precision),
            "negbench in float32": lambda: encoding.encode(model, some, "document", "float32"),
            "negbench with torch's attention": lambda: plain_attention(model, some, precision),
        },
        1 if args.small else args.rounds,
        warm_up=False,
    )
    queries = [collection.queries[row] for row in collection.split_queries("test")]
    quality = {
        PEER: ndcg(model.encode(queries, normalize_embeddings=True), model.encode(passages), collection),
        OURS: ndcg(
            encoding.encode(model, queries, "query", precision),
            encoding.encode(model, passages, "document", precision),
            collection,
        ),
    }
    cosine = (timed.returned[PEER] * timed.returned[OURS]).sum(axis=1)
    difference = abs(quality[PEER] - quality[OURS])
    compare.report(
        "encoding",
        f"encoding {len(some)} documents",
        "at least 3x, nDCG@10 within 0.002",
        timed,
        PEER,
        OURS,
        lambda found: found["median"] >= 3 and difference <= 0.002,
        {
            "nDCG@10, whole corpus": {side: round(value, 4) for side, value in quality.items()},
            "texts a second": {
                side: round(len(some) / float(np.median(seconds)), 1) for side, seconds in timed.seconds.items()
            },
            "smallest cosine of an embedding with the peer's": round(float(cosine.min()), 5),
        },
        {"collection": collection.name, "encoder": spec.spelling, "max_length": model.max_seq_length},
        [
            ("bfloat16: float32 / as it is", "negbench in float32", OURS),
            ("attention: torch's / as it is", "negbench with torch's attention", OURS),
        ],
        [profile(model, some[:64], precision)],
    )


def plain_attention(model: object, texts: list[str], precision: str) -> Float32:
    """Encode without negbench's attention."""
    from contextlib import nullcontext

    with patch.object(encoding, "fast_attention", lambda *_: nullcontext()):
        return encoding.encode(model, texts, "document", precision)  # type: ignore[arg-type]


def profile(model: object, texts: list[str], precision: str) -> str:
    """Say where negbench's time goes, and how fast this machine multiplies, as one line."""
    import time

    import torch
    from torch.profiler import profile as profiler

    with profiler() as found:
        encoding.encode(model, texts, "document", precision)  # type: ignore[arg-type]
    events = sorted(found.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    shares = ", ".join(f"{event.key} {100 * event.self_cpu_time_total / total:.0f} %" for event in events[:6])
    speed = {}
    for kind in (torch.float32, torch.bfloat16):
        rows, weight = torch.randn(4096, 384).to(kind), torch.randn(1536, 384).to(kind)
        seconds = []
        for _ in range(20):
            started = time.perf_counter()
            torch.nn.functional.linear(rows, weight)
            seconds.append(time.perf_counter() - started)
        speed[kind] = 2 * 4096 * 384 * 1536 / min(seconds) / 1e9
    return (
        f"profile of negbench: {shares}; matrix products [4096, 384] x [384, 1536]: "
        f"{speed[torch.float32]:.0f} GFLOP/s in float32, {speed[torch.bfloat16]:.0f} in bfloat16"
    )


if __name__ == "__main__":
    main()
