"""Dense mining with a margin, embeddings given: against sentence-transformers' ``mine_hard_negatives``.

Both sides get the vectors of queries and passages and hand back negatives for every labelled (query, positive) pair:
the highest five of the ranking's head that score at least 0.05 below the positive. The peer is called as its
documentation shows it (``output_format`` at its default, triplets; n-tuples are a side of their own, since the format
takes part of its time), without faiss; its model only hands out the given vectors, and scores by cosine as the real
one does. negbench searches with ``dense``, applies the ``margin`` filter and the ``top`` sampler, fills what is short,
and makes the rows that training takes.

The rule is the same on both sides: where a query has several positives, the peer groups its pairs by the query's text
and takes the lowest positive's score for all of them, as ``positive: lowest`` does. The peer keeps
range_max + the largest number of positives raw ranks; negbench's pool is made just as deep. What negbench fills in
after a shortfall, the peer leaves out; it is left out of the comparison. Lists are compared as texts, pair for pair,
and each difference is put down to its cause: two queries of the same text are one query to the peer; scores that
differ by less than rounding may change places, or sides of the limit.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np

from benchmarks import compare
from negbench.encoders import weights
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.filters.margin import Margin
from negbench.mining import Rules, mine
from negbench.retrieval import pool
from negbench.retrieval.blocks import in_blocks
from negbench.retrieval.dense import Dense, exact
from negbench.samplers.top import Top
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder, read_vectors
from negbench.store import Store
from negbench.training.data import Instances, instances
from negbench.types import Collection, Float32, Negatives, Qrels

ENCODER = EncoderSpec(model="all-MiniLM-L6-v2")
SPLIT = "train"
MARGIN = 0.05
NEGATIVES = 5
RANGE_MAX = 100
ROUNDING = 1e-5
"""Scores of vectors of length 1 that are less apart than this are the same up to rounding in float32."""


@dataclass
class Task:
    """What both sides are given, each in the form that it takes."""

    collection: Collection
    queries: Float32
    documents: Float32

    def __post_init__(self) -> None:
        from datasets import Dataset

        self.rows = self.collection.split_queries(SPLIT)
        self.known = self.collection.qrels[SPLIT].at_least(1)
        self.passages = self.collection.passages()
        asked = [self.collection.queries[row] for row in self.known.queries]
        answers = [self.passages[row] for row in self.known.documents]
        self.pairs = Dataset.from_dict({"query": asked, "answer": answers})
        self.depth = RANGE_MAX + max(Counter(asked).values())
        self.model = Given(self)


class Given:
    """Stands in for a model: hands out the vectors of the texts that the peer asks for, and the real similarity."""

    def __init__(self, task: Task) -> None:
        import torch
        from sentence_transformers.util import cos_sim, pairwise_cos_sim

        self.device = torch.device("cpu")
        self.similarity, self.similarity_pairwise = cos_sim, pairwise_cos_sim
        row = _first([task.collection.queries[row] for row in task.rows])
        self.queries = task.queries[[row[text] for text in dict.fromkeys(task.pairs["query"])]]
        self.documents = task.documents[list(_first(task.passages).values())]

    def encode_query(self, texts: list[str], **_: Any) -> Float32:
        assert len(texts) == len(self.queries)
        return self.queries

    def encode_document(self, texts: list[str], **_: Any) -> Float32:
        assert len(texts) == len(self.documents)
        return self.documents


def _first(texts: list[str]) -> dict[str, int]:
    """Map each text to the first place where it stands, in that order."""
    found: dict[str, int] = {}
    for place, text in enumerate(texts):
        found.setdefault(text, place)
    return found


def theirs(task: Task, unit: str = "absolute", output_format: str = "triplet") -> Any:
    from sentence_transformers.util import mine_hard_negatives

    margin = {"absolute_margin" if unit == "absolute" else "relative_margin": MARGIN}
    return mine_hard_negatives(
        task.pairs,
        task.model,  # type: ignore[arg-type]
        corpus=task.passages,
        num_negatives=NEGATIVES,
        sampling_strategy="top",
        range_max=RANGE_MAX,
        output_format=output_format,  # type: ignore[arg-type]
        verbose=False,
        **margin,
    )


def ours(task: Task, unit: Literal["absolute", "percent"] = "absolute") -> tuple[Negatives, Instances]:
    collection = task.collection
    found = pool.build(
        Dense(depth=task.depth),
        collection,
        task.rows,
        SPLIT,
        0,
        query_vectors=task.queries,
        document_vectors=task.documents,
    )
    own = collection.own_documents()[task.rows]
    rules = Rules(Top(), [Margin(margin=MARGIN, unit=unit)])
    drawn = mine(found, rules, NEGATIVES, 0, own, len(collection.document_ids))
    return drawn, instances(collection, SPLIT, drawn)


def agreement(task: Task, triplets: Any, mined: tuple[Negatives, Instances], unit: str) -> dict[str, int]:
    """Count the pairs whose lists are equal, and those that are not by why."""
    drawn, table = mined
    texts = [task.collection.queries[row] for row in task.rows]
    twice = {text for text, count in Counter(texts).items() if count > 1}
    row_of = _first(task.passages)
    peer: dict[tuple[str, str], list[int]] = {}
    for query, answer, negative in zip(triplets["query"], triplets["answer"], triplets["negative"], strict=True):
        peer.setdefault((query, answer), []).append(row_of[negative])
    by_query = task.known.by_query()
    counts: Counter[str] = Counter()
    for query, positive, negatives in zip(table.queries, table.positives, table.negatives, strict=True):
        at = int(np.searchsorted(task.rows, query))
        mine_ = [row_of[task.passages[row]] for row in negatives[drawn.origins[at] == 0] if row >= 0]
        their = peer.get((texts[at], task.passages[positive]), [])
        if mine_ == their:
            counts["equal" if their else "equal, nothing passes"] += 1
            continue
        vector = task.queries[at].astype(np.float64)
        lowest = (task.documents[by_query[int(query)]] @ vector).min()
        limit = lowest - MARGIN * (1 if unit == "absolute" else abs(lowest))
        counts[_cause(texts[at] in twice, *(task.documents[rows] @ vector for rows in (mine_, their)), limit)] += 1
    return dict(counts)


def _cause(twice: bool, mine_: Any, their: Any, limit: float) -> str:
    if twice:
        return "two queries of one text, merged by the peer"
    if len(mine_) == len(their) and np.abs(mine_ - their).max() < ROUNDING:
        return "equal up to ties"
    if min(np.abs(scores - limit).min(initial=np.inf) for scores in (mine_, their)) < ROUNDING:
        return "a score within rounding of the limit"
    return "different"


def encoded(collection: str) -> Task:
    """Return a collection with the encoder's vectors, from the store (NEGBENCH_STORE) where they are there already."""
    from negbench.collections.resolve import source_of

    source, store = source_of(collection), Store.default()
    loaded = LoadCollection(source, source.fingerprint())
    start = StartEncoder(ENCODER, weights.fingerprint(ENCODER.model, None), None)
    document = Embed(
        encoder=start, collection=loaded, side="document", split=None, max_length=None, precision=resolve("auto")
    )
    query = Embed(
        encoder=start, collection=loaded, side="query", split=SPLIT, max_length=None, precision=resolve("auto")
    )
    vectors = [_unit(np.asarray(read_vectors(store.ensure(stage)), np.float32)) for stage in (query, document)]
    return Task(source.load(), *vectors)


def generated(documents: int, queries: int) -> Task:
    """Return numbered documents and queries with one positive each, and a second one for every fifth."""
    pairs = [(query, query, 1) for query in range(queries)]
    pairs += [(query, queries + query, 1) for query in range(0, queries, 5)]
    collection = Collection(
        name=f"generated, {documents:,} documents",
        document_ids=[f"d{row}" for row in range(documents)],
        titles=[""] * documents,
        texts=[f"document {row}" for row in range(documents)],
        query_ids=[f"q{row}" for row in range(queries)],
        queries=[f"query {row}" for row in range(queries)],
        qrels={SPLIT: Qrels.of(pairs)},
    )
    return planted(collection, 384)


def planted(collection: Collection, width: int) -> Task:
    """Return the collection with random vectors; documents lean towards the queries that they are positives of.

    By how much differs from pair to pair, so that the margin takes nothing, some, or all of the ranking's head.
    """
    rng = np.random.default_rng(0)
    rows, known = collection.split_queries(SPLIT), collection.qrels[SPLIT].at_least(1)
    queries = _unit(rng.standard_normal((len(rows), width), np.float32))
    documents = _unit(rng.standard_normal((len(collection.document_ids), width), np.float32))
    lean = rng.uniform(0.15, 0.5, (len(known), 1)).astype(np.float32)
    np.add.at(documents, known.documents, lean * queries[np.searchsorted(rows, known.queries)])
    return Task(collection, queries, _unit(documents))


def _unit(vectors: Float32) -> Float32:
    found: Float32 = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def by_torch(task: Task) -> None:
    """Multiply the vectors as the peer does and throw the scores away."""
    import torch

    documents = torch.from_numpy(task.documents).T
    for block in torch.from_numpy(task.queries).split(_block(task)):
        block @ documents


def narrow(task: Task) -> None:
    """Multiply the vectors rounded to bfloat16 and throw the scores away."""
    import torch

    documents = torch.from_numpy(task.documents).bfloat16().T
    for block in torch.from_numpy(task.queries).bfloat16().split(_block(task)):
        block @ documents


def _block(task: Task) -> int:
    return max(1, 2**26 // len(task.documents))  # 256 MiB of scores


PEER, TUPLES, OURS = "mine_hard_negatives", "mine_hard_negatives, n-tuples", "negbench"
SEARCH, ONE_PASS = "negbench, search alone", "negbench, search alone in one pass of float32"
TORCH, NARROW = "matrix product alone, float32", "matrix product alone, bfloat16"


def sides_of(task: Task) -> dict[str, Callable[[], Any]]:
    """Return the two ways to mine, and the parts that they spend their time on."""
    return {
        PEER: lambda: theirs(task),
        TUPLES: lambda: theirs(task, output_format="n-tuple"),
        OURS: lambda: ours(task),
        SEARCH: lambda: exact(task.queries, task.documents, task.depth),
        ONE_PASS: lambda: in_blocks(task.queries, task.documents, task.depth),
        TORCH: lambda: by_torch(task),
        NARROW: lambda: narrow(task),
    }


def main() -> None:
    asked = compare.arguments(__doc__ or "")
    if asked.small:
        tasks = {"helpdesk": planted(compare.collection("helpdesk(articles=200, queries=60)"), 64)}
        tasks["generated"] = generated(2_000, 100)
    else:
        tasks = {asked.collection.rstrip("/").rpartition("/")[2]: encoded(asked.collection)}
        tasks["generated"] = generated(100_000, 5_000)
    sides = {f"{name}: {side}": call for name, task in tasks.items() for side, call in sides_of(task).items()}
    timed = compare.in_turn(sides, asked.rounds)

    quality: dict[str, Any] = {}
    causes: list[tuple[str, str, str]] = []
    notes: list[str] = []
    for name, task in tasks.items():
        mined = timed.returned[f"{name}: {PEER}"], timed.returned[f"{name}: {OURS}"]
        quality[f"{name}, absolute margin, pairs"] = agreement(task, *mined, "absolute")
        quality[f"{name}, percent margin, pairs"] = agreement(
            task, theirs(task, "percent"), ours(task, "percent"), "percent"
        )
        for before, after in ((PEER, OURS), (TUPLES, OURS), (ONE_PASS, SEARCH), (TORCH, NARROW), (PEER, TORCH)):
            causes.append((f"{name}: {before} / {after}", f"{name}: {before}", f"{name}: {after}"))
        whole, search, least = (float(np.median(timed.seconds[f"{name}: {side}"])) for side in (OURS, SEARCH, NARROW))
        notes.append(
            f"{name}: negbench's {whole:.3f} s are {search:.3f} s of search and {whole - search:.3f} s of the rest "
            "(ids hashed, labels marked, filter, draw, fill, rows); a product in bfloat16 alone, with vectors rounded, "
            f"takes {least:.3f} s"
        )
    ratios = {name: compare.ratio(timed.seconds[f"{name}: {PEER}"], timed.seconds[f"{name}: {OURS}"]) for name in tasks}
    verdicts = [f"{name} {'met' if found['median'] >= 3 else 'missed'}" for name, found in ratios.items()]
    notes.append(f"at each size: {', '.join(verdicts)}")
    first = next(iter(tasks))
    compare.report(
        "mining",
        "dense mining with a margin, vectors given, to negatives for every (query, positive) pair",
        "at least 3x at both sizes",
        timed,
        f"{first}: {PEER}",
        f"{first}: {OURS}",
        lambda _: all(found["median"] >= 3 for found in ratios.values()),
        quality,
        {
            name: {"documents": len(task.documents), "queries": len(task.rows), "pairs": len(task.known)}
            | {"dimension": task.documents.shape[1], "depth": task.depth, "margin": MARGIN, "negatives": NEGATIVES}
            for name, task in tasks.items()
        },
        causes,
        notes,
    )


if __name__ == "__main__":
    main()
