"""Exact top-100 search among many documents: against faiss's flat index and torch's matmul and topk.

All sides get the same float32 vectors of length 1 (random, seeded) and hand back rows and scores. faiss is called as
its documentation shows it; torch goes through the queries in blocks, since a score for every pair would not fit. The
default is 1,000,000 documents of 384 dimensions and 2,000 queries in three rounds; ``--queries 10000 --rounds 1``
is the full size, five times the work. The lists of all sides are compared: rows may differ only where scores differ
by less than rounding. Each side's peak memory is that of a process of its own, less what it held before it searched
(vectors, libraries, faiss's index); negbench's also with a quarter of the default ``block_bytes``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import compare
from negbench.retrieval.blocks import BLOCK_BYTES, in_blocks
from negbench.retrieval.dense import exact
from negbench.types import Float32

SIDES = (
    "faiss IndexFlatIP",
    "torch matmul + topk",
    "negbench",
    "negbench, a quarter of the memory",
    "negbench in one pass of float32",
)
K = 100
DIMENSIONS = 384
TORCH_BLOCK = 256
"""Queries a block of the torch side: a gigabyte of scores for a million documents."""
ROUNDING = 1e-5


def unit(count: int, seed: int) -> Float32:
    """Return random vectors of length 1, made in place: nothing else may stand in the way of the peaks of memory."""
    vectors = np.empty((count, DIMENSIONS), np.float32)
    np.random.default_rng(seed).standard_normal(out=vectors, dtype=np.float32)
    vectors /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return vectors


def prepared(side: str, documents: Float32) -> Callable[[Float32], tuple[Any, Any]]:
    """Return what searches, with its index built: rows [Q, K] and scores [Q, K] of the queries."""
    if side == SIDES[0]:
        import faiss

        index = faiss.IndexFlatIP(DIMENSIONS)
        index.add(documents)
        return lambda queries: index.search(queries, K)[::-1]
    if side == SIDES[1]:
        return partial(with_torch, documents=documents)
    if side == SIDES[4]:
        return lambda queries: in_blocks(queries, documents, K)
    quarter = side == SIDES[3]
    return lambda queries: exact(queries, documents, K, BLOCK_BYTES // (4 if quarter else 1))


def with_torch(queries: Float32, documents: Float32) -> tuple[Any, Any]:
    """Search as anyone would write it."""
    import torch

    corpus = torch.from_numpy(documents)
    found = [
        torch.topk(torch.from_numpy(queries[at : at + TORCH_BLOCK]) @ corpus.T, K)
        for at in range(0, len(queries), TORCH_BLOCK)
    ]
    return torch.cat([part.indices for part in found]).numpy(), torch.cat([part.values for part in found]).numpy()


def peak(side: str, documents: int, queries: int) -> float:
    """Return the MiB that a process's memory grew by, at most, while it searched."""
    command = [sys.executable, "-m", "benchmarks.search", "--peak-of", side]
    command += ["--documents", str(documents), "--queries", str(queries)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=compare.ROOT)
    return float(json.loads(done.stdout.splitlines()[-1]))


def grown(side: str, documents: Float32, queries: Float32) -> float:
    """Search once in this process and return the MiB that its peak memory rose by; libraries and index are there."""
    prepared(side, documents[: 2 * K])(queries[:2])
    search = prepared(side, documents)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    search(queries)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def differences(one: tuple[Any, Any], other: tuple[Any, Any]) -> dict[str, int]:
    """Count the places with another row, and those where the scores at the place differ by more than rounding."""
    return {
        "places": int(one[0].size),
        "another row": int((one[0] != other[0]).sum()),
        "another score": int((np.abs(one[1] - other[1]) > ROUNDING).sum()),
    }


def main() -> None:
    """Time the sides in turn, compare their lists, and measure their memory."""
    asked = arguments()
    size, count = (20_000, 200) if asked.small else (asked.documents, asked.queries)
    if asked.peak_of:
        print(json.dumps(grown(asked.peak_of, unit(size, 0), unit(count, 1))))
        return
    # Before this process grows: to Linux the peak of a process is at least that of the one which started it.
    peaks = {side: round(peak(side, size, count), 1) for side in SIDES}
    documents, queries = unit(size, 0), unit(count, 1)
    sides = {side: partial(prepared(side, documents), queries) for side in SIDES}
    started = time.perf_counter()
    sides["negbench"]()  # the search is long enough to stand for its own warm-up from here on
    print(f"  warm-up: {time.perf_counter() - started:.3f} s", flush=True)
    timed = compare.in_turn(sides, asked.rounds, warm_up=asked.small)
    ours = timed.returned["negbench"]
    quality: dict[str, Any] = {
        f"lists against {side}": differences(timed.returned[side], ours) for side in SIDES if side != "negbench"
    }
    quality["peak memory of the search in MiB"] = peaks
    slower = compare.ratio(timed.seconds[SIDES[1]], timed.seconds["negbench"])
    compare.report(
        "search",
        f"the {K} nearest of {size:,} documents of {DIMENSIONS} dimensions for {count:,} queries",
        "not slower than either",
        timed,
        SIDES[0],
        "negbench",
        lambda found: min(found["median"], slower["median"]) >= 1,
        quality,
        {
            "documents": size,
            "queries": count,
            "dimensions": DIMENSIONS,
            "k": K,
            "rounds": asked.rounds,
            "torch's block of queries": TORCH_BLOCK,
            "block_bytes": BLOCK_BYTES,
        },
        causes=[
            ("against torch's matmul and topk", SIDES[1], "negbench"),
            ("two passes, bfloat16 first: one pass of float32 / two", SIDES[4], "negbench"),
            ("a quarter of the memory", "negbench", SIDES[3]),
        ],
    )


def arguments() -> argparse.Namespace:
    """Parse the sizes; the vectors are generated, so the collection does not matter."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that are counted (default 3)")
    parser.add_argument("--collection", help="not used: the vectors are generated")
    parser.add_argument("--small", action="store_true", help="the smallest run that touches every line")
    parser.add_argument("--documents", type=int, default=1_000_000, help="how many (default 1000000)")
    parser.add_argument("--queries", type=int, default=2_000, help="how many (default 2000)")
    parser.add_argument("--peak-of", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
