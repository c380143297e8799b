"""How time and peak memory of each stage grow from 10^4 to 10^6 documents.

The documents are generated: a title of 3 to 8 words and a text of 60 to 100, words by Zipf's law (the frequent ones are
English stop words, the others made up). There are 1,000 training queries, whatever the size, so an exponent is that of
the corpus: 1 is linear, 2 would be quadratic. A query is eight words of its one positive and two others. Vectors are
random directions, 384 wide, float32 in a memory-mapped file. Encoding is left out: it takes so many tokens a second,
whatever the size.

Each stage runs in a process of its own. Its seconds leave out imports and reading what it works on; its peak memory
(``ru_maxrss``, 10^9 bytes a GB) holds both, and the pages of mapped files too, which the system takes back when it is
short. Exponents are slopes in log-log, of the seconds and of the memory beyond the imports: over all sizes, and over
the last two, where fixed costs weigh least. The last stage is what a grid does: from the folder of texts to negatives,
in one process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np

from benchmarks import compare
from negbench.collections import storage
from negbench.collections.beir import Beir
from negbench.evaluation.ranking import evaluate
from negbench.mining import Rules, mine
from negbench.registry import registered
from negbench.retrieval import Retriever
from negbench.retrieval.bm25 import BM25
from negbench.retrieval.corpus import Corpus
from negbench.retrieval.dense import Dense
from negbench.retrieval.pool import build
from negbench.retrieval.voyager import Voyager
from negbench.rng import CounterRNG
from negbench.samplers import Sampler
from negbench.samplers.uniform import Uniform
from negbench.stages.inputs import LoadCollection
from negbench.stages.mining.draw import DrawNegatives
from negbench.stages.mining.pool import BuildPool
from negbench.store import Store, load_arrays, save_arrays
from negbench.types import CandidatePool

SIZES, SMALL_SIZES = (10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6), (300, 1_000)
QUERIES, DEPTH, NEGATIVES, WIDTH = 1_000, 200, 7, 384
WORDS = 500_000
VOYAGER_UP_TO = 10**5
MOST_GB = 4
QUADRATIC = 1.5
"""What an exponent must stay below; n log n has about 1.1 at these sizes."""

BLOCK = 10_000

Work = Callable[[Path], Iterator[None]]
"""Works on the folder of a size. It yields once, when what it works on is read; what follows is timed."""


def vocabulary() -> Any:
    """Return the words by rank: English stop words, then made-up ones of two or three syllables."""
    from bm25s.stopwords import STOPWORDS_EN

    syllables = [consonant + vowel for consonant in "bcdfghjklmnprstvwxz" for vowel in "aeiou"]
    pairs = [first + second for first in syllables for second in syllables]
    words = [*STOPWORDS_EN, *pairs, *(first + second for first in pairs for second in syllables)]
    return np.array(words[:WORDS], dtype=object)


def ranks(rows: Any) -> Any:
    """Return the ranks [documents, 108] of each document's words; rank r has a share of about 1 / r."""
    return ((WORDS + 1) ** CounterRNG(0, "words").uniform(rows[:, None], np.arange(108))).astype(np.int64) - 1


def write(folder: Path) -> Iterator[None]:
    """Write the collection in BEIR's layout, and vectors."""
    size, words, lengths = int(folder.name), vocabulary(), CounterRNG(0, "lengths")
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    yield
    with (beir / "corpus.jsonl").open("w") as file:
        for first in range(0, size, BLOCK):
            rows = np.arange(first, min(first + BLOCK, size))
            titles, texts = 3 + lengths.bits(rows, 0) % 6, 60 + lengths.bits(rows, 1) % 41
            for row, drawn, short, long in zip(rows, words[ranks(rows)].tolist(), titles, texts, strict=True):
                title, text = " ".join(drawn[:short]), " ".join(drawn[8 : 8 + long])
                file.write(json.dumps({"_id": f"d{row}", "title": title, "text": text}) + "\n")
    asked = np.arange(QUERIES)
    positives = CounterRNG(0, "positives").bits(asked) % size
    chosen = np.concatenate([ranks(positives)[:, 10:50:5], ranks(asked + 2**31)[:, :2]], axis=1)
    questions = [{"_id": f"q{query}", "text": " ".join(words[chosen[query]])} for query in asked]
    (beir / "queries.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions))
    judged = "".join(f"q{query}\td{row}\t1\n" for query, row in enumerate(positives))
    (beir / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    for name, count in (("queries", QUERIES), ("documents", size)):
        rng, kind = np.random.default_rng(count), np.dtype(np.float32)
        vectors = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, (count, WIDTH))
        for first in range(0, count, BLOCK):
            block = rng.standard_normal((min(BLOCK, count - first), WIDTH), np.float32)
            vectors[first : first + BLOCK] = block / np.linalg.norm(block, axis=1, keepdims=True)


def source(folder: Path) -> Beir:
    return Beir(path=str(folder / "beir"), dev=0, test=0)


def read_beir(folder: Path) -> Iterator[None]:
    yield
    source(folder).load()


def write_parquet(folder: Path) -> Iterator[None]:
    collection = source(folder).load()
    (folder / "collection").mkdir()
    yield
    storage.save(collection, folder / "collection")


def read_parquet(folder: Path) -> Iterator[None]:
    yield
    storage.load(folder / "collection")


def passages(folder: Path) -> Iterator[None]:
    collection = storage.load(folder / "collection")
    yield
    list(collection.passages())


def pool(folder: Path, retriever: Retriever) -> Iterator[None]:
    """Build the candidate pool and keep it."""
    collection = storage.load(folder / "collection")
    queries, documents = (np.load(folder / f"{side}.npy", mmap_mode="c") for side in ("queries", "documents"))
    given = (queries, documents) if retriever.needs_vectors else ()
    yield
    found = build(retriever, collection, collection.split_queries("train"), "train", 0, *given)
    (folder / retriever.name).mkdir()
    save_arrays(found, folder / retriever.name)


def draw(folder: Path, sampler: Sampler) -> Iterator[None]:
    """Draw from BM25's pool [1,000, 200] and fill what is short, as a grid does."""
    collection = storage.load(folder / "collection")
    candidates = load_arrays(CandidatePool, folder / "bm25")
    yield
    own = collection.own_documents()[candidates.queries]
    mine(candidates, Rules(sampler), NEGATIVES, 0, own, len(collection.document_ids))


def metrics(folder: Path) -> Iterator[None]:
    """Measure the 1,000 rankings of BM25's pool."""
    collection = storage.load(folder / "collection")
    found = load_arrays(CandidatePool, folder / "bm25")
    yield
    evaluate(found.documents, found.scores, found.queries, collection, "train")


def from_texts_to_negatives(folder: Path) -> Iterator[None]:
    """Make the stages of a grid: load and keep the collection, BM25's pool, the draw."""
    yield
    loaded = LoadCollection(source(folder), source(folder).fingerprint())
    candidates = BuildPool(
        collection=loaded, retriever=BM25(depth=DEPTH), split="train", seed=None, documents=None, queries=None
    )
    Store(folder / "store").ensure(
        DrawNegatives(
            pool=candidates, labels=(), filters=(), sampler=Uniform(), features=(), fill="corpus", k=NEGATIVES, seed=0
        )
    )


def stages(size: int) -> dict[str, tuple[Work, tuple[str, ...]]]:
    """Return each stage's work by name, and what it imports late."""
    parquet, dense = ("pyarrow.parquet", "pandas"), ("torch",)
    bm25 = ("bm25s", "Stemmer", "scipy.sparse")
    voyager = {"pool: voyager": (partial(pool, retriever=Voyager(depth=DEPTH)), (*parquet, "voyager", *dense))}
    made: list[Sampler] = [part() for part in registered("sampler").values()]  # type: ignore[misc]
    samplers = {f"draw: {it.name}": partial(draw, sampler=it) for it in made if not it.requires}  # of the pool alone
    return {
        "(generating the texts)": (write, ("bm25s",)),
        "read BEIR's layout": (read_beir, ()),
        "write Parquet": (write_parquet, parquet),
        "read Parquet": (read_parquet, parquet),
        "passages": (passages, parquet),
        "pool: bm25": (partial(pool, retriever=BM25(depth=DEPTH)), (*parquet, *bm25)),
        "pool: dense": (partial(pool, retriever=Dense(depth=DEPTH)), (*parquet, *dense)),
        **(voyager if size <= VOYAGER_UP_TO else {}),
        "pool: corpus": (partial(pool, retriever=Corpus(depth=DEPTH)), parquet),
        **{name: (work, parquet) for name, work in samplers.items()},
        "metrics": (metrics, (*parquet, "ir_measures")),
        "from texts to negatives": (from_texts_to_negatives, (*parquet, *bm25)),
    }


def peak() -> float:
    """Return the peak memory of this process in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure(stage: str, folder: Path) -> dict[str, float]:
    """Run a stage in this process, which does nothing else."""
    work, modules = stages(int(folder.name))[stage]
    for module in modules:
        importlib.import_module(module)
    imports_gb = peak()
    steps = work(folder)
    next(steps)
    started = time.perf_counter()
    next(steps, None)
    return {"seconds": time.perf_counter() - started, "peak_gb": peak(), "imports_gb": imports_gb}


def measure_all(size: int) -> dict[str, dict[str, float]]:
    """Run every stage on ``size`` documents, each in a fresh process, in a folder that is removed afterwards."""
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / str(size)
        for stage in stages(size):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                found[stage] = alone.submit(measure, stage, folder).result()
            seconds, gb = found[stage]["seconds"], found[stage]["peak_gb"]
            print(f"  {size:>9,}  {stage:<24} {seconds:9.3f} s  {gb:6.3f} GB", flush=True)
    return found


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float | None:
    """Return the slope of log value over log size; None for fewer than two sizes."""
    if len(sizes) < 2:
        return None
    return round(float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-6)), 1)[0]), 2)


def summary(by_size: Mapping[int, Mapping[str, Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Return of each stage the seconds and peak memory at each size, and their exponents."""
    rows = []
    for stage in next(iter(by_size.values())):
        sizes = [size for size, found in by_size.items() if stage in found]
        seconds, peaks, imports = (
            [by_size[size][stage][key] for size in sizes] for key in ("seconds", "peak_gb", "imports_gb")
        )
        beyond = [max(whole - before, 1e-3) for whole, before in zip(peaks, imports, strict=True)]
        rows.append(
            {
                "stage": stage,
                "sizes": sizes,
                "seconds": [round(value, 4) for value in seconds],
                "seconds_exponent": exponent(sizes, seconds),
                "seconds_last": exponent(sizes[-2:], seconds[-2:]),
                "peak_gb": [round(value, 4) for value in peaks],
                "imports_gb": [round(value, 4) for value in imports],
                "peak_exponent": exponent(sizes, beyond),
                "peak_last": exponent(sizes[-2:], beyond[-2:]),
            }
        )
    return rows


def markdown(sizes: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table of seconds and one of peak memory, a line a stage."""
    lines = []
    for what, unit, title in (("seconds", "seconds", "seconds"), ("peak", "peak_gb", "peak GB, imports included")):
        heads = [*(f"{size:,}" for size in sizes), "exponent", "of the last two"]
        lines += [f"| {title:<25} | " + " | ".join(f"{head:>9}" for head in heads) + " |"]
        lines += ["|---|" + "---:|" * len(heads)]
        for row in rows:
            values = dict(zip(row["sizes"], row[unit], strict=True))
            cells = [f"{values[size]:.3f}" if size in values else "" for size in sizes]
            slopes = ["" if slope is None else str(slope) for slope in (row[f"{what}_exponent"], row[f"{what}_last"])]
            lines += [f"| {row['stage']:<25} | " + " | ".join(f"{cell:>9}" for cell in [*cells, *slopes]) + " |"]
        lines += [""]
    return lines


def quadratic(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what grows like a square: an exponent of ``QUADRATIC`` or more in what is large enough to be measured."""
    found = []
    for row in rows:
        for what, enough in (("seconds", row["seconds"][-1] > 0.1), ("peak", row["peak_gb"][-1] > 0.3)):
            slopes = (row[f"{what}_exponent"], row[f"{what}_last"])
            found += [f"{row['stage']}: {what}" for slope in slopes if enough and slope and slope >= QUADRATIC]
    return sorted(set(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of documents (default 10^4 to 10^6)")
    parser.add_argument("--small", action="store_true", help="the smallest run that touches every line")
    asked = parser.parse_args()
    sizes = sorted(set(asked.sizes or (SMALL_SIZES if asked.small else SIZES)))
    load = os.getloadavg()[0]
    rows = summary({size: measure_all(size) for size in sizes})
    largest = max(row["peak_gb"][-1] for row in rows if row["sizes"][-1] == sizes[-1])
    squares = quadratic(rows)

    verdict = {True: "met", False: "missed", None: f"not measured up to {10**6:,} documents"}
    met = None if sizes[-1] < 10**6 else not squares and largest < MOST_GB
    goal = f"nothing quadratic; mining {10**6:,} documents under {MOST_GB} GB"
    lines = [
        *markdown(sizes, rows),
        f"Goal: {goal}: {verdict[met]}. Largest peak at {sizes[-1]:,} documents: {largest:.2f} GB. "
        f"Quadratic: {', '.join(squares) or 'nothing'}.",
    ]
    print("\n" + "\n".join(lines))
    compare.write(
        "scaling",
        {
            "name": "scaling",
            "what": "seconds and peak memory of each stage by number of documents",
            "goal": goal,
            "met": met,
            "largest_peak_gb": largest,
            "quadratic": squares,
            "stages": rows,
            "setting": {
                "sizes": sizes,
                "queries": QUERIES,
                "depth": DEPTH,
                "negatives": NEGATIVES,
                "dimension": WIDTH,
                "distinct words": WORDS,
                "voyager up to": VOYAGER_UP_TO,
                "load average before": round(load, 2),
            },
            "markdown": lines,
            "machine": compare.machine(),
        },
    )


if __name__ == "__main__":
    main()
