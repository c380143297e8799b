"""Voyager at its default setting against exact search: seconds, and the share of the exact top 110 that it finds.

110 is the rank down to which a rank band of 10 to 110 looks. Two tasks: a collection's training queries and passages
by the encoder all-MiniLM-L6-v2 (kept in the store, so that it encodes once), and random directions of width 64, which
have no neighbourhoods and are the hard case. Both retrievers run whole, as a grid runs them: Voyager's time holds the
building of the graph and its own measurement of recall. The recall given here is counted anew, over all queries.
"""

from __future__ import annotations

import os

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np

from benchmarks import compare
from negbench.collections.resolve import source_of
from negbench.encoders import weights
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.retrieval import Search
from negbench.retrieval.dense import Dense
from negbench.retrieval.voyager import Voyager
from negbench.rng import CounterRNG
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder, read_vectors
from negbench.store import Store
from negbench.types import Float32, Int32

DEPTH, GOAL = 110, 0.98
ENCODER = EncoderSpec(model="all-MiniLM-L6-v2")


def encoded(collection: str) -> tuple[Float32, Float32]:
    """Return the vectors of the training queries and of the passages."""
    source, store = source_of(collection), Store.default()
    loaded = LoadCollection(source, source.fingerprint())
    start = StartEncoder(ENCODER, weights.fingerprint(ENCODER.model, None), None)
    precision = resolve("auto")
    queries = read_vectors(
        store.ensure(
            Embed(encoder=start, collection=loaded, side="query", split="train", max_length=None, precision=precision)
        )
    )
    return queries, read_vectors(
        store.ensure(
            Embed(encoder=start, collection=loaded, side="document", split=None, max_length=None, precision=precision)
        )
    )


def random_directions(queries: int, documents: int, width: int) -> tuple[Float32, Float32]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((queries, width), np.float32), rng.standard_normal((documents, width), np.float32)


def searching(queries: Float32, documents: Float32) -> Search:
    """Return what a retriever is given: the vectors; no texts, no positives."""
    return Search(
        queries=[],
        documents=[],
        query_keys=np.arange(len(queries), dtype=np.uint64),
        document_keys=np.arange(len(documents), dtype=np.uint64),
        positives=np.zeros((len(queries), 0), np.int32),
        rng=CounterRNG(0, "benchmark"),
        query_vectors=np.asarray(queries),
        document_vectors=np.asarray(documents),
    )


def build(documents: Float32, retriever: Voyager) -> None:
    """Build the graph as the retriever does, and throw it away."""
    from voyager import Index, Space

    links = {"M": retriever.m, "ef_construction": retriever.ef_construction}
    index = Index(Space.InnerProduct, documents.shape[1], **links, random_seed=1)
    index.add_items(np.array(documents, np.float32, order="C"), num_threads=1)


def recall(found: Int32, truth: Int32) -> float:
    shares = [len(set(mine) & set(best)) / len(best) for mine, best in zip(found.tolist(), truth.tolist(), strict=True)]
    return float(np.mean(shares))


def main() -> None:
    asked = compare.arguments(__doc__ or "", rounds=3)
    if asked.small:
        tasks = {"random directions": random_directions(30, 2_000, 64)}
    else:
        name = asked.collection.rstrip("/").rpartition("/")[2]
        tasks = {name: encoded(asked.collection), "random directions": random_directions(500, 20_000, 64)}
    exactly, nearly = Dense(depth=DEPTH), Voyager(depth=DEPTH)
    sides = {}
    for name, (queries, documents) in tasks.items():
        search = searching(queries, documents)
        sides[f"{name}: exact"] = lambda search=search: exactly.rank(search).documents
        sides[f"{name}: voyager"] = lambda search=search: nearly.rank(search).documents
        sides[f"{name}: voyager, building the graph"] = lambda documents=documents: build(documents, nearly)
    timed = compare.in_turn(sides, asked.rounds)

    found = {name: recall(timed.returned[f"{name}: voyager"], timed.returned[f"{name}: exact"]) for name in tasks}
    first = next(iter(tasks))
    compare.report(
        "voyager",
        f"Voyager at its default setting against exact search, top {DEPTH}",
        f"recall@{DEPTH} at least {GOAL}",
        timed,
        f"{first}: exact",
        f"{first}: voyager",
        lambda _: all(share >= GOAL for share in found.values()),
        {f"recall@{DEPTH}, {name}": round(share, 4) for name, share in found.items()},
        {
            name: {"queries": len(queries), "documents": len(documents), "dimension": documents.shape[1]}
            for name, (queries, documents) in tasks.items()
        }
        | {"voyager": {"m": nearly.m, "ef_construction": nearly.ef_construction, "query_ef": nearly.query_ef}},
        [(f"{name}: exact / voyager", f"{name}: exact", f"{name}: voyager") for name in list(tasks)[1:]],
        [
            "at these sizes exact search is the faster one: Voyager's graph takes seconds to build, by one thread so "
            "that it repeats, and a corpus must be large before a search repays it"
        ]
        if all(np.median(timed.seconds[f"{n}: exact"]) < np.median(timed.seconds[f"{n}: voyager"]) for n in tasks)
        else [],
    )


if __name__ == "__main__":
    main()
