"""Stages that answer what a loss asks about the pairs that it is trained with."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.encoders.precision import Precision
from negbench.plan.answers import ScorePool, cross_fitted
from negbench.plan.mining import TrainTeacher
from negbench.plan.repair import Negating
from negbench.plan.sources import At, LoadCollection, read_collection
from negbench.plan.writing import extended, texts_of
from negbench.retrieval.bm25 import BM25, terms
from negbench.retrieval.pool import pad
from negbench.store import Stage, load_arrays, save_arrays
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder
from negbench.training.targets import PairTargets, Targets, VectorTargets
from negbench.types import CandidatePool, Collection, Float32, Int32, Negatives


@dataclass(frozen=True, eq=False)
class TargetStage(Stage):
    """Something that is known about a training's pairs: each query with its positives and its negatives."""

    kind: ClassVar[str] = "targets"
    version: ClassVar[int] = 2
    collection: LoadCollection
    split: str
    negatives: Negating | None

    @abstractmethod
    def read(self, folder: Path) -> Targets:
        """Return what lies in ``folder``."""

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The fields, what the negatives were drawn from, and the texts that were written."""
        found = super().inputs
        if self.negatives is not None:
            found += (*self.negatives.inputs, *[it for it in (self.negatives.written,) if it is not None])
        return found

    def pairs(self, at: At) -> tuple[Collection, Int32, Int32]:
        """Return the collection, with the texts that were written, the queries [Q] and their documents [Q, W].

        These are labelled positives, then promoted ones, then negatives, each once; -1 is padding.
        """
        collection = read_collection(at(self.collection))
        queries = collection.split_queries(self.split)
        labelled = collection.qrels[self.split].at_least(1).by_query()
        documents = pad([labelled[query] for query in queries.tolist()])
        if self.negatives is not None:
            drawn = load_arrays(Negatives, at(self.negatives))
            documents = _once(np.concatenate([documents, drawn.promoted, drawn.documents], axis=1))
            if self.negatives.written is not None:
                collection = extended(collection, texts_of(at(self.negatives.written)))
        return collection, queries, documents


def _once(documents: Int32) -> Int32:
    """Return the rows [Q, W] with -1 for each document that stands in its line before: epochs may draw it again."""
    order = np.argsort(documents, axis=1, kind="stable")
    ordered = np.take_along_axis(documents, order, axis=1)
    again = np.zeros(documents.shape, np.bool_)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    found = np.empty_like(documents)
    np.put_along_axis(found, order, np.where(again, np.int32(-1), ordered), axis=1)
    return found


@dataclass(frozen=True, eq=False)
class PairStage(TargetStage):
    """A score of each pair."""

    def save(self, out: Path, queries: Int32, documents: Int32, scores: Float32) -> None:
        """Write the ``scores`` [Q, W] of ``queries`` [Q] with their ``documents`` [Q, W]."""
        for name, values in (("queries", queries), ("documents", documents), ("scores", scores)):
            np.save(out / f"{name}.npy", values, allow_pickle=False)

    def read(self, folder: Path) -> PairTargets:
        """Return the scores."""
        names = ("queries", "documents", "scores")
        return PairTargets.of_table(*(np.load(folder / f"{name}.npy", allow_pickle=False) for name in names))


@dataclass(frozen=True, eq=False)
class TeachTargets(PairStage):
    """A teacher's scores. What it said of the pool, asked by the method's filters or sampler, is not asked again."""

    negatives: Negating
    teacher: Teacher
    fingerprint: str
    copies: tuple[TrainTeacher, ...]
    precision: Precision

    @property
    def label(self) -> str:
        """Whose scores."""
        return f"score what is trained with by {self.teacher.name}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Score each query by the copy that was not trained on it, or by the given model."""
        collection, queries, documents = self.pairs(at)
        scores = self._said_of_the_pool(at, queries, documents)
        wanted = (documents >= 0) & np.isnan(scores)
        texts = [collection.queries[row] for row in queries.tolist()]
        asked = cross_fitted(self.teacher, self.copies, at, self.precision, texts, collection, documents, wanted)
        scores[wanted] = asked[wanted]
        self.teacher.require_some(scores[documents >= 0])
        self.save(out, queries, documents, scores)
        return {"teacher_calls": float(wanted.sum()), "unscored": float(((documents >= 0) & np.isnan(scores)).sum())}

    def _said_of_the_pool(self, at: At, queries: Int32, documents: Int32) -> Float32:
        pool = load_arrays(CandidatePool, at(self.negatives.pool))
        for answer in self.negatives.answers:
            if not isinstance(answer, ScorePool) or answer.teacher != self.teacher:
                continue
            pool = answer.attach(pool, at(answer))
            assert pool.teacher_scores is not None
            assert pool.positive_teacher_scores is not None
            asked = np.concatenate([pool.documents, pool.positives], axis=1)
            said = np.concatenate([pool.teacher_scores, pool.positive_teacher_scores], axis=1)
            return PairTargets.of_table(pool.queries, asked, said).one_by_one(queries[:, None], documents)
        return np.full(documents.shape, np.nan, np.float32)


@dataclass(frozen=True, eq=False)
class LexicalStage(PairStage):
    """BM25's scores, over the corpus without what was written."""

    bm25: BM25

    @property
    def label(self) -> str:
        """What it does."""
        return "score what is trained with by BM25"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Index the corpus and look up."""
        _, queries, documents = self.pairs(at)
        collection = read_collection(at(self.collection))
        passages = collection.passages()
        documents = np.where(documents < len(passages), documents, np.int32(-1))
        words = self.bm25.tokenizer(passages)
        index = self.bm25.index(terms(words, passages, learn=True), words.get_vocab_dict())
        asked = terms(words, [collection.queries[row] for row in queries.tolist()])
        self.save(out, queries, documents, self.bm25.search(index, asked, len(passages), documents).positive_scores)
        return {}


@dataclass(frozen=True, eq=False)
class GuideStage(TargetStage):
    """A guide's vectors of the queries and of all documents that are trained with."""

    guide: BiEncoder
    fingerprint: str
    precision: Precision

    @property
    def label(self) -> str:
        """What it does."""
        return "encode what is trained with by the guide"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Encode."""
        collection, queries, table = self.pairs(at)
        documents = np.unique(table[table >= 0])
        passages, model = collection.passages(), self.guide.load()
        asked = [collection.queries[row] for row in queries.tolist()]
        read = [passages[row] for row in documents.tolist()]
        found = VectorTargets(
            queries,
            self.guide.vectors(model, asked, "query", self.precision),
            documents,
            self.guide.vectors(model, read, "document", self.precision),
        )
        save_arrays(found, out)
        return {"queries_encoded": float(len(queries)), "documents_encoded": float(len(documents))}

    def read(self, folder: Path) -> VectorTargets:
        """Return the vectors."""
        return load_arrays(VectorTargets, folder)
