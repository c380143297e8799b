"""Stages that measure rankings of an encoder or of BM25."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.evaluation import geometry, ranking
from negbench.noise import Noise, keys
from negbench.plan.mining import BuildPool
from negbench.plan.sources import At, Embed, LoadCollection, read_collection, read_vectors, split_queries
from negbench.retrieval import Retriever, Search, unanswered
from negbench.retrieval.blocks import pair_scores
from negbench.retrieval.dense import exact
from negbench.retrieval.pool import pad
from negbench.store import Stage, load_arrays, save_notes
from negbench.types import CandidatePool, Collection, Float32, Int32, Passages, Vectors

DEPTH = 1000
"""How many ranks are measured, as trec_eval's custom is."""


def _measure(
    collection: Collection, split: str, measures: tuple[str, ...], found: tuple[Int32, Float32], out: Path, label: str
) -> None:
    queries = collection.split_queries(split)
    measured = ranking.evaluate(*found, queries, collection, split, measures)
    (out / "metrics.json").write_text(json.dumps(measured.mean, indent=1) + "\n")
    for at, name in enumerate(measures):
        np.save(out / f"{at}.npy", measured.per_query[name], allow_pickle=False)
    (out / "measures.json").write_text(json.dumps(measures) + "\n")
    save_notes([f"{label}: {note}" for note in unanswered(found[0], split)], out)


def whole_ties(
    collection: Collection, queries: Int32, query_vectors: Vectors, document_vectors: Vectors, k: int
) -> tuple[Int32, Float32]:
    """Return the ``k`` best document rows [Q, k] and scores [Q, k] of exact search for ``queries`` [Q].

    Of documents that tie at rank k those stay that rank first by ``ranking.tie_keys``, not those that stand first in
    the corpus; that takes another look at all documents for such queries alone.
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
    """Rank the whole corpus exactly for every query of a split, and measure."""

    kind: ClassVar[str] = "evaluation"
    version: ClassVar[int] = 2
    collection: LoadCollection
    documents: Embed
    queries: Embed
    split: str
    measures: tuple[str, ...]

    @property
    def label(self) -> str:
        """Which split."""
        return f"evaluate on {self.split}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Search and measure."""
        collection = read_collection(at(self.collection))
        queries, documents = read_vectors(at(self.queries)), read_vectors(at(self.documents))
        found = whole_ties(collection, collection.split_queries(self.split), queries, documents, DEPTH)
        _measure(collection, self.split, self.measures, found, out, self.label)
        return {"searches": len(queries)}


@dataclass(frozen=True, eq=False)
class EvaluateRetriever(Stage):
    """Rank by a retriever that needs no encoder, and measure."""

    kind: ClassVar[str] = "evaluation"
    version: ClassVar[int] = 2
    collection: LoadCollection
    retriever: Retriever
    split: str
    measures: tuple[str, ...]

    @property
    def label(self) -> str:
        """Which retriever."""
        return f"evaluate {self.retriever.spelling} on {self.split}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Search, among documents in an order drawn by id, which is that of ties at the last rank, and measure."""
        collection = read_collection(at(self.collection))
        rows = split_queries(collection, self.split)
        named = keys(collection.document_ids)
        order = Noise(0, "ties").order(named)
        titles, texts = ([side[row] for row in order.tolist()] for side in (collection.titles, collection.texts))
        search = Search(
            queries=[collection.queries[row] for row in rows],
            documents=Passages(titles, texts),
            query_keys=keys([collection.query_ids[row] for row in rows]),
            document_keys=named[order],
            positives=pad([np.zeros(0, np.int32)] * len(rows)),
            noise=Noise(0, self.retriever.spelling),
        )
        found = self.retriever.model_copy(update={"depth": DEPTH}).rank(search)
        documents = np.where(found.documents >= 0, order[found.documents], -1).astype(np.int32)
        _measure(collection, self.split, self.measures, (documents, found.scores), out, self.label)
        return {"searches": len(rows)}


@dataclass(frozen=True, eq=False)
class EvaluateAmong(Stage):
    """Rank each query's positives among the candidates of a pool alone, and measure: easier than the whole corpus."""

    kind: ClassVar[str] = "evaluation"
    version: ClassVar[int] = 2
    pool: BuildPool
    documents: Embed
    queries: Embed
    measures: tuple[str, ...]

    @property
    def label(self) -> str:
        """Among what."""
        return f"evaluate among {self.pool.retriever.spelling}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Score the candidates, and measure."""
        collection = read_collection(at(self.pool.collection))
        pool = load_arrays(CandidatePool, at(self.pool))
        others = np.where(pool.available(), pool.documents, np.int32(-1))
        rows = np.sort(np.concatenate([others, pool.positives], axis=1), axis=1)  # ties by row, labelled or not
        scores = pair_scores(read_vectors(at(self.queries)), read_vectors(at(self.documents)), rows)
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
        """What it is."""
        return "measure the geometry"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Measure, on at most 2,000 documents for the uniformity."""
        collection = read_collection(at(self.collection))
        documents = read_vectors(at(self.documents))
        asked = collection.split_queries(self.split)
        labels = collection.qrels[self.split].at_least(1)
        labels = labels.of_queries(asked)
        queries = geometry.unit(read_vectors(at(self.queries)))[np.searchsorted(asked, labels.queries)]
        some = np.sort(Noise(0, "uniformity").order(keys(collection.document_ids))[:2000])
        found = {
            "alignment": geometry.alignment(queries, geometry.unit(documents[labels.documents])),
            "uniformity": geometry.uniformity(geometry.unit(documents[some])),
            "neighbour_gap": geometry.neighbour_gap(queries, labels.queries, labels.documents, documents, labels),
        }
        (out / "metrics.json").write_text(json.dumps(found, indent=1) + "\n")
        return {}
