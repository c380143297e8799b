"""Peak memory of an exact search in vectors that memory cannot hold: 10^7 documents of 384 dimensions by default.

The vectors lie in a float16 file that is mapped, 7.7 GB. They are whole numbers from -2 to 2, so that float32 sums are
exact in any order, and one block of 100,000 is repeated: every score ties many times, and the lists have to be those of
the block, copy by copy in ascending row. The lists of some queries are compared with such. Peak memory is ``ru_maxrss``
of a process that only searches: imports, queries, results, and the pages of the file that are mapped.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import compare, scaling
from negbench.retrieval.dense import exact, memory_bytes
from negbench.types import Float32, Int32

K, WIDTH, BLOCK, CHECKED, GOAL_GB = 100, 384, 100_000, 50, 4


def whole(count: int, seed: int) -> Any:
    """Return vectors [count, WIDTH] of whole numbers from -2 to 2, int8."""
    return np.random.default_rng(seed).integers(-2, 3, (count, WIDTH), np.int8)


def write(path: Path, documents: int) -> None:
    """Write the block over and over."""
    block = whole(min(BLOCK, documents), 0).astype(np.float16)
    header = {"descr": "<f2", "fortran_order": False, "shape": (documents, WIDTH)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, documents, len(block)):
            block[: documents - first].tofile(file)


def search(path: Path, queries: int) -> tuple[Int32, Float32, float, float]:
    """Return rows [Q, K], scores [Q, K], seconds, and the peak memory in GB of this process."""
    vectors = whole(queries, 1).astype(np.float32)
    started = time.perf_counter()
    rows, scores = exact(vectors, np.load(path, mmap_mode="r"), K)
    return rows[:CHECKED], scores[:CHECKED], time.perf_counter() - started, scaling.peak()


def expected(documents: int, queries: int) -> Int32:
    """Return the rows [Q, K] that the block says, all of its copies in ascending row."""
    block, asked = whole(min(BLOCK, documents), 0), whole(queries, 1)[:CHECKED]
    found = np.full((len(asked), K), -1, np.int32)
    for place, query in enumerate(asked):
        scores = block.astype(np.float32) @ query.astype(np.float32)
        best = np.argsort(-scores, kind="stable")[:K]
        rows = [
            (-score, row + first)
            for score, row in zip(scores[best].tolist(), best.tolist(), strict=True)
            for first in range(0, documents - row, len(block))
        ]
        # other rows of the block tie with its K best as well
        last = scores[best[-1]]
        rows += [
            (-last, row + first)
            for row in np.setdiff1d(np.flatnonzero(scores == last), best).tolist()
            for first in range(0, documents - row, len(block))
        ]
        ordered = [row for _, row in sorted(rows)[:K]]
        found[place, : len(ordered)] = ordered
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10**7, help="how many (default 10000000)")
    parser.add_argument("--queries", type=int, default=10_000, help="how many (default 10000)")
    parser.add_argument("--rounds", help="ignored: one search is long enough")
    parser.add_argument("--collection", help="ignored: the vectors are generated")
    parser.add_argument("--small", action="store_true", help="the smallest run that touches every line")
    asked = parser.parse_args()
    documents, queries = (250_000, 20) if asked.small else (asked.documents, asked.queries)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "vectors.npy"
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            process.submit(write, path, documents).result()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            rows, _, seconds, gb = process.submit(search, path, queries).result()
    wanted = expected(documents, queries)
    equal = int((rows == wanted).all(axis=1).sum())
    found: dict[str, Any] = {
        "name": "large_search",
        "what": f"the {K} nearest of {documents:,} documents of {WIDTH} dimensions for {queries:,} queries",
        "goal": f"under {GOAL_GB} GB",
        "met": gb < GOAL_GB and equal == len(wanted),
        "peak GB, imports and mapped pages included": round(gb, 2),
        "seconds search": round(seconds, 1),
        "lists that are equal": f"{equal} of {len(wanted)}",
        "setting": {"documents": documents, "queries": queries, "NEGBENCH_SEARCH_GB": memory_bytes() / 1e9},
        "machine": compare.machine(),
    }
    shown = [
        "what",
        "peak GB, imports and mapped pages included",
        "lists that are equal",
    ]  # seconds need a quiet machine
    found["markdown"] = [f"- {key}: {found[key]}" for key in shown]
    compare.write("large_search", found)
    print("\n".join(found["markdown"]))


if __name__ == "__main__":
    main()
