"""The collections that estimators are held against: relevance known, labels hidden, negatives mined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from negbench import mining, rng
from negbench.collections.beir import judgments
from negbench.collections.resolve import source_of
from negbench.collections.withholding import visible
from negbench.encoders import weights
from negbench.encoders.precision import resolve as resolve_precision
from negbench.encoders.spec import EncoderSpec
from negbench.evaluation.false_negatives import Pairs
from negbench.methods import Method, resolve
from negbench.retrieval import pool
from negbench.retrieval.bm25 import BM25
from negbench.stages.inputs import Embed, LoadCollection, StartEncoder, read_collection, read_vectors
from negbench.store import Store, ancestors
from negbench.types import Bool, CandidatePool, Collection, Float64, Int32, Qrels, Vectors

HERE = Path(__file__).parent
CELLS: dict[str, Any] = YAML(typ="safe", pure=True).load(HERE / "cells.yaml")


@dataclass(frozen=True)
class World:
    """A collection with all its relevant pairs, and the vectors of miner and judge."""

    name: str
    collection: Collection
    split: str
    relevant: Qrels
    grades: Qrels
    mining: tuple[Vectors, Vectors]
    judging: tuple[Vectors, Vectors]
    lexical: Float64

    @property
    def queries(self) -> Int32:
        """The rows of the queries, ascending."""
        return np.unique(self.relevant.queries)

    def judge(self, queries: Int32, documents: Int32) -> Float64:
        """Return the judge's score [N] of each pair of rows: cosine and BM25, each in its standard deviations."""
        asked, read = self.judging
        at = np.searchsorted(self._embedded, queries)
        cosine = np.einsum("nd,nd->n", asked[at].astype(np.float64), read[documents].astype(np.float64))
        return cosine / self._spread + self.lexical[at, documents] / self.lexical.std()

    @cached_property
    def _spread(self) -> float:
        asked, read = self.judging
        return float((asked[:100].astype(np.float32) @ read.astype(np.float32).T).std())

    @cached_property
    def _embedded(self) -> Int32:
        return self.collection.split_queries(self.split)

    def of(self, queries: Int32) -> tuple[Vectors, Vectors]:
        """Return the miner's vectors of these queries and of all documents."""
        return self.mining[0][np.searchsorted(self._embedded, queries)], self.mining[1]


def world(name: str, store: Store) -> World:
    """Load a world; what is slow lies in the store."""
    spec = CELLS["worlds"][name]
    source = source_of(spec["collection"])
    loaded = LoadCollection(source, source.fingerprint())
    vectors = []
    for encoder in (CELLS["mining_encoder"], CELLS["judge_encoder"]):
        given = EncoderSpec.model_validate(encoder)
        start = StartEncoder(given, weights.fingerprint(given.model, given.revision), None)
        both = [
            Embed(
                encoder=start,
                collection=loaded,
                side=side,
                split=split,
                max_length=CELLS["max_length"],
                precision=resolve_precision("auto"),
            )
            for side, split in (("query", spec["split"]), ("document", None))
        ]
        for stage in both:
            for needed in ancestors(stage):
                store.ensure(needed)
        vectors.append((read_vectors(store.path(both[0])), read_vectors(store.path(both[1]))))
    collection = read_collection(store.path(loaded))
    split = spec["split"]
    relevant = grades = collection.truth.get(split, collection.qrels[split]).at_least(1)
    for key in ("graded", "fuller"):
        if key in spec:
            grades = _judged(collection, Path(source.parameters["path"]) / spec[key], spec.get("grades"))
    if "queries" in spec:
        asked = np.unique(relevant.queries)
        order = rng.CounterRNG(0, "training queries").order(rng.keys([collection.query_ids[row] for row in asked]))
        relevant = relevant.of_queries(asked[order[: spec["queries"]]])
    return World(name, collection, split, relevant, grades, vectors[0], vectors[1], _lexical(collection, split))


def _lexical(collection: Collection, split: str) -> Float64:
    """Return BM25's score of every query of a split with every document."""
    queries, size = collection.split_queries(split), len(collection.document_ids)
    found = pool.build(BM25(depth=size), collection, queries, split, 0)
    scores = np.zeros((len(queries), size))
    rows, columns = np.nonzero(found.documents >= 0)
    scores[rows, found.documents[rows, columns]] = found.scores[rows, columns]
    return scores


def _judged(collection: Collection, path: Path, grades: dict[int, int] | None) -> Qrels:
    queries = {name: row for row, name in enumerate(collection.query_ids)}
    documents = {name: row for row, name in enumerate(collection.document_ids)}
    found = [(it.query, it.document, it.grade) for it in judgments(path, grades).entries]
    return Qrels.of([(queries[q], documents[d], grade) for q, d, grade in found if q in queries and d in documents])


@dataclass(frozen=True)
class Cell:
    """A world with labels hidden: what is labelled, and what is relevant."""

    world: World
    name: str
    labelled: Qrels
    relevant: Qrels

    def pools(self) -> Callable[[Method], CandidatePool]:
        """Return a function from a method to its pool; pools of one retriever are made once."""
        queries = np.unique(self.labelled.queries)
        collection = replace(self.world.collection, qrels={self.world.split: self.labelled})
        made: dict[str, CandidatePool] = {}

        def of(method: Method) -> CandidatePool:
            retriever = method.retriever
            assert retriever is not None
            depth = max(retriever.depth, 210)
            deep = retriever.model_copy(update={"depth": min(depth, len(collection.document_ids))})
            if deep.spelling not in made:
                made[deep.spelling] = pool.build(
                    deep, collection, queries, self.world.split, 0, *self.world.of(queries)
                )
            return made[deep.spelling]

        return of

    def mined(self, method: Method, candidates: CandidatePool, seed: int = 0) -> Pairs:
        """Return what the method draws."""
        assert method.selection is not None
        rules = mining.Rules(method.selection, method.filters, method.labels, method.fill)
        own = self.world.collection.own_documents()[candidates.queries]
        size = len(self.world.collection.document_ids)
        drawn = mining.mine(candidates, rules, CELLS["negatives"], seed, own, size)
        there = drawn.documents >= 0
        queries = np.repeat(drawn.queries, there.shape[1])[there.ravel()]
        documents = drawn.documents[there]
        lowest = np.repeat(candidates.positive_score("lowest"), there.shape[1])[there.ravel()]
        return Pairs(
            queries=queries,
            documents=documents,
            weights=np.ones(len(queries)),
            ranks=drawn.ranks[there],
            scores=drawn.scores[there].astype(np.float64),
            positive_scores=lowest,
            judge=self.world.judge(queries, documents),
        )

    def false(self, pairs: Pairs) -> Bool:
        """Tell which pairs are false negatives."""
        return self.relevant.contains(pairs.queries, pairs.documents)


def cells(given: World, redraw: int = 0) -> Iterator[Cell]:
    """Yield the cells of a world; ``redraw`` hides other labels where chance decides."""
    for name, spec in CELLS["worlds"][given.name]["cells"].items():
        relevant = given.relevant
        if "queries" in spec:
            relevant = relevant.of_queries(given.queries[: spec["queries"]])
        if "grade" in spec:
            yield Cell(given, name, given.grades.at_least(spec["grade"]), given.grades.at_least(1))
        elif "rate" in spec:
            yield Cell(given, name, hide(given, relevant, spec["how"], spec["rate"], redraw), relevant)
        else:
            yield Cell(given, name, relevant, given.grades.at_least(1).of_queries(given.queries))


def hide(given: World, labels: Qrels, how: Any, rate: float, seed: int) -> Qrels:
    """Return the labels that stay."""
    ids = given.collection.query_ids, given.collection.document_ids
    keys = [rng.keys(names)[rows] for names, rows in zip(ids, (labels.queries, labels.documents), strict=True)]
    luck = rng.CounterRNG(seed, "estimators/labels").gumbel(*keys)
    texts = given.collection.queries, given.collection.passages()
    shown = visible(labels, how, rate, texts, luck)
    return Qrels(labels.queries[shown], labels.documents[shown], labels.grades[shown])


def chosen(names: list[str]) -> dict[str, Method]:
    """Return methods by their names in ``cells.yaml``."""
    return {name: resolve(name) for name in names}
