"""Stages that measure rankings of an encoder or of BM25."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.evaluation import geometry, ranking
from negbench.evaluation.passages import depth
from negbench.retrieval import Retriever, Search, unanswered
from negbench.retrieval.blocks import pair_scores
from negbench.retrieval.dense import exact
from negbench.retrieval.pool import check, pad
from negbench.rng import CounterRNG, keys
from negbench.stages.inputs import Embed, LoadCollection, PathOf, read_collection, read_vectors, split_queries
from negbench.stages.mining.pool import BuildPool
from negbench.store import Stage, load_arrays, save_notes
from negbench.types import CandidatePool, Collection, Float32, Int32, Passages, Vectors

DEPTH = 1000
"""Number of ranks that are evaluated, as is usual with trec_eval."""


def _measure(
    collection: Collection,
    split: str,
    measures: tuple[str, ...],
    ranked: tuple[Int32, Float32],
    out: Path,
    label: str,
    note: str = "",
) -> None:
    queries = collection.split_queries(split)
    measured = ranking.evaluate(*ranked, queries, collection, split, measures)
    (out / "metrics.json").write_text(json.dumps(measured.mean, indent=1) + "\n")
    for number, name in enumerate(measures):
        np.save(out / f"{number}.npy", measured.per_query[name], allow_pickle=False)
    (out / "measures.json").write_text(json.dumps(measures) + "\n")
    save_notes([f"{label}: {it}" for it in (*unanswered(ranked[0], split), note) if it], out)


def whole_ties(
    collection: Collection, queries: Int32, query_vectors: Vectors, document_vectors: Vectors, k: int
) -> tuple[Int32, Float32]:
    """Return the ``k`` best document rows [Q, k] and scores [Q, k] of exact search for ``queries`` [Q].

    Ties at rank k are broken by ``ranking.tie_keys``, not by order in the corpus; only queries with such a tie have
    all documents scored again.
    """
    rows, scores = exact(query_vectors, document_vectors, min(k + 1, len(document_vectors)))
    if rows.shape[1] <= k:
        return rows, scores
    everything = np.arange(len(document_vectors), dtype=np.int32)[None]
    for query in np.flatnonzero(scores[:, k - 1] == scores[:, k]):
        values = pair_scores(query_vectors[query, None], document_vectors, everything)[0]
        kept = np.flatnonzero(values >= -np.partition(-values, k - 1)[k - 1]).astype(np.int32)
        chance = ranking.tie_keys(collection, queries[query, None], kept[None])[0]
        best = kept[np.lexsort((chance, -values[kept]))[:k]]
        rows[query, :k], scores[query, :k] = best, values[best]
    return rows[:, :k], scores[:, :k]


@dataclass(frozen=True, eq=False)
class EvaluateEncoder(Stage):
    """Effectiveness of exact search over the whole corpus for every query of a split."""

    kind: ClassVar[str] = "evaluation"
    version: ClassVar[int] = 2
    collection: LoadCollection
    documents: Embed
    queries: Embed
    split: str
    measures: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"evaluate on {self.split}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        collection, ranked = read_collection(path_of(self.collection)), self.search(path_of)
        _measure(collection, self.split, self.measures, ranked, out, self.label)
        return {"searches": len(ranked[0])}

    def search(self, path_of: PathOf) -> tuple[Int32, Float32]:
        """Return the document rows [Q, K] and scores [Q, K] that are measured."""
        collection = read_collection(path_of(self.collection))
        queries, documents = read_vectors(path_of(self.queries)), read_vectors(path_of(self.documents))
        rows = collection.split_queries(self.split)
        return whole_ties(collection, rows, queries, documents, depth(DEPTH, collection.parents))


@dataclass(frozen=True, eq=False)
class EvaluateRetriever(Stage):
    """Effectiveness of a retriever that needs no encoder, BM25 say."""

    kind: ClassVar[str] = "evaluation"
    version: ClassVar[int] = 2
    collection: LoadCollection
    retriever: Retriever
    split: str
    measures: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"evaluate {self.retriever.spelling} on {self.split}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        collection, ranked = read_collection(path_of(self.collection)), self.search(path_of)
        _measure(collection, self.split, self.measures, ranked, out, self.label)
        return {"searches": len(ranked[0])}

    def search(self, path_of: PathOf) -> tuple[Int32, Float32]:
        """Return the document rows [Q, K] and scores [Q, K] that are measured.

        Documents are shuffled by a hash of their ids, which breaks ties at the last rank.
        """
        collection = read_collection(path_of(self.collection))
        rows = split_queries(collection, self.split)
        named = keys(collection.document_ids)
        order = CounterRNG(0, "ties").order(named)
        titles, texts = ([side[row] for row in order.tolist()] for side in (collection.titles, collection.texts))
        search = Search(
            queries=[collection.queries[row] for row in rows],
            documents=Passages(titles, texts),
            query_keys=keys([collection.query_ids[row] for row in rows]),
            document_keys=named[order],
            positives=pad([np.zeros(0, np.int32)] * len(rows)),
            rng=CounterRNG(0, self.retriever.spelling),
        )
        retrieved = self.retriever.model_copy(update={"depth": depth(DEPTH, collection.parents)}).rank(search)
        check(self.retriever, retrieved, search)
        documents = np.where(retrieved.documents >= 0, order[retrieved.documents], -1).astype(np.int32)
        return documents, retrieved.scores


@dataclass(frozen=True, eq=False)
class EvaluateAmong(Stage):
    """Effectiveness of re-ranking a pool's candidates and the positives: easier than search of the whole corpus."""

    kind: ClassVar[str] = "evaluation"
    version: ClassVar[int] = 2
    pool: BuildPool
    documents: Embed
    queries: Embed
    measures: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"evaluate re-ranking of {self.pool.retriever.spelling}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Score the candidates and positives, and measure."""
        collection = read_collection(path_of(self.pool.collection))
        pool = load_arrays(CandidatePool, path_of(self.pool))
        others = np.where(pool.available(), pool.documents, np.int32(-1))
        rows = np.sort(np.concatenate([others, pool.positives], axis=1), axis=1)  # ties by row, labelled or not
        scores = pair_scores(read_vectors(path_of(self.queries)), read_vectors(path_of(self.documents)), rows)
        _measure(collection, self.pool.split, self.measures, (rows, scores), out, self.label)
        return {"searches": len(rows)}


@dataclass(frozen=True, eq=False)
class Geometry(Stage):
    """Alignment, uniformity and neighbour gap of an encoder, on a split's queries and positives."""

    kind: ClassVar[str] = "geometry"
    collection: LoadCollection
    documents: Embed
    queries: Embed
    split: str

    @property
    def label(self) -> str:
        return "measure alignment, uniformity and neighbour gap"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Measure, on at most 2,000 documents for the uniformity."""
        collection = read_collection(path_of(self.collection))
        documents = read_vectors(path_of(self.documents))
        asked = collection.split_queries(self.split)
        labels = collection.qrels[self.split].at_least(1)
        labels = labels.of_queries(asked)
        queries = geometry.unit(read_vectors(path_of(self.queries)))[np.searchsorted(asked, labels.queries)]
        some = np.sort(CounterRNG(0, "uniformity").order(keys(collection.document_ids))[:2000])
        values = {
            "alignment": geometry.alignment(queries, geometry.unit(documents[labels.documents])),
            "uniformity": geometry.uniformity(geometry.unit(documents[some])),
            "neighbour_gap": geometry.neighbour_gap(queries, labels.queries, labels.documents, documents, labels),
        }
        (out / "metrics.json").write_text(json.dumps(values, indent=1) + "\n")
        return {}
