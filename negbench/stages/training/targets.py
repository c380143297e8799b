"""Stages that provide the targets which a loss requires for the pairs that it is trained with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from negbench.encoders.precision import Precision
from negbench.requirements import (
    GeneratedPairs,
    GuideTargets,
    LexicalTargets,
    PairNoise,
    PairTarget,
    Provider,
    TeacherMatch,
    TeacherScores,
    TeacherTargets,
)
from negbench.retrieval.bm25 import BM25, terms
from negbench.retrieval.pool import pad
from negbench.rng import CounterRNG, keys
from negbench.stages.inputs import LoadCollection, PathOf, read_collection
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.mining.pool import TrainTeacher, copies_of
from negbench.stages.mining.pool_features import ScorePool, cross_fitted, stage_of
from negbench.stages.mining.writing import texts_of, with_synthetic
from negbench.store import Stage, load_arrays, save_arrays
from negbench.teachers import Teacher
from negbench.teachers.bi_encoder import BiEncoder, require_bi_encoder
from negbench.training.targets import PairTargets, Targets, VectorTargets
from negbench.types import CandidatePool, Collection, Float32, Int32, Negatives


@dataclass(frozen=True, kw_only=True)
class PlannedPairs:
    """Training pairs as planned: the queries of ``split`` with their positives and negatives.

    ``fingerprint`` gives the digest of a teacher's weights.
    """

    collection: LoadCollection
    split: str
    negatives: NegativesStage | None
    precision: Precision
    fingerprint: Callable[[Teacher], str]


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetStage(Stage, Provider):
    """Scores of a training's pairs: each query with its positives and its negatives.

    A subclass names in ``provides`` the requirement that it answers, and has a ``kind`` of its own.
    """

    provides: ClassVar[type[PairTarget]]
    collection: LoadCollection
    split: str
    negatives: NegativesStage | None

    @classmethod
    @abstractmethod
    def provide(cls, requirement: Any, planned: PlannedPairs) -> Self:
        """Return the stage for a requirement of class ``provides``; ValueError says why there can be none."""

    @abstractmethod
    def read(self, folder: Path) -> Targets:
        """Read the targets from ``folder``."""

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The fields, the inputs of the negatives, and the synthetic texts."""
        stages = super().inputs
        if self.negatives is not None:
            stages += (*self.negatives.inputs, *[it for it in (self.negatives.written,) if it is not None])
        return stages

    def pairs(self, path_of: PathOf) -> tuple[Collection, Int32, Int32]:
        """Return the collection with synthetic texts, the queries [Q] and their documents [Q, W].

        These are labelled positives, then promoted ones, then negatives, each once; -1 is padding.
        """
        collection = read_collection(path_of(self.collection))
        queries = collection.split_queries(self.split)
        labelled = collection.qrels[self.split].at_least(1).by_query()
        documents = pad([labelled[query] for query in queries.tolist()])
        if self.negatives is not None:
            drawn = load_arrays(Negatives, path_of(self.negatives))
            documents = _once(np.concatenate([documents, drawn.promoted, drawn.documents], axis=1))
            if self.negatives.written is not None:
                collection = with_synthetic(collection, texts_of(path_of(self.negatives.written)))
        return collection, queries, documents


def _once(documents: Int32) -> Int32:
    """Return the rows [Q, W] with -1 for each repeated document of a query: epochs may draw it again."""
    order = np.argsort(documents, axis=1, kind="stable")
    ordered = np.take_along_axis(documents, order, axis=1)
    repeated = np.zeros(documents.shape, np.bool_)
    repeated[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    distinct = np.empty_like(documents)
    np.put_along_axis(distinct, order, np.where(repeated, np.int32(-1), ordered), axis=1)
    return distinct


@dataclass(frozen=True, eq=False, kw_only=True)
class PairStage(TargetStage):
    """A score of each pair."""

    def save(self, out: Path, queries: Int32, documents: Int32, scores: Float32) -> None:
        """Write the ``scores`` [Q, W] of ``queries`` [Q] with their ``documents`` [Q, W]."""
        for name, values in (("queries", queries), ("documents", documents), ("scores", scores)):
            np.save(out / f"{name}.npy", values, allow_pickle=False)

    def read(self, folder: Path) -> PairTargets:
        names = ("queries", "documents", "scores")
        return PairTargets.of_table(*(np.load(folder / f"{name}.npy", allow_pickle=False) for name in names))


@dataclass(frozen=True, eq=False, kw_only=True)
class TeachTargets(PairStage):
    """A teacher's scores of the pairs. Scores of the pool, made for filters or a sampler, are used again."""

    kind: ClassVar[str] = "targets"
    version: ClassVar[int] = 2
    provides: ClassVar[type[PairTarget]] = TeacherTargets
    negatives: NegativesStage
    teacher: Teacher
    fingerprint: str
    copies: tuple[TrainTeacher, ...]
    precision: Precision

    @classmethod
    def provide(cls, requirement: TeacherTargets, planned: PlannedPairs) -> Self:
        """Score by the required teacher, whose copies learn from the pool of the negatives."""
        if planned.negatives is None:
            raise ValueError("its loss asks a teacher, and there are no negatives; give it candidates")
        teacher, fingerprint = requirement.teacher, planned.fingerprint(requirement.teacher)
        if teacher.listwise:
            raise ValueError(f"{teacher.name} ranks a query's candidates, and its loss asks about pairs; give ensemble")
        copies = copies_of(teacher, planned.negatives.pool, fingerprint, planned.precision)
        return cls(
            collection=planned.collection,
            split=planned.split,
            negatives=planned.negatives,
            teacher=teacher,
            fingerprint=fingerprint,
            copies=copies,
            precision=planned.precision,
        )

    @property
    def label(self) -> str:
        return f"score the training pairs with {self.teacher.name}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Score each query by the copy that was not trained on it, or by the given model."""
        collection, queries, documents = self.pairs(path_of)
        scores = self._said_of_the_pool(path_of, queries, documents)
        wanted = (documents >= 0) & np.isnan(scores)
        texts = [collection.queries[row] for row in queries.tolist()]
        asked = cross_fitted(self.teacher, self.copies, path_of, self.precision, texts, collection, documents, wanted)
        scores[wanted] = asked[wanted]
        self.teacher.require_some(scores[documents >= 0])
        self.save(out, queries, documents, scores)
        return {"teacher_calls": float(wanted.sum()), "unscored": float(((documents >= 0) & np.isnan(scores)).sum())}

    def _said_of_the_pool(self, path_of: PathOf, queries: Int32, documents: Int32) -> Float32:
        stage = stage_of(self.negatives.features, TeacherScores)
        if not isinstance(stage, ScorePool) or stage.teacher != self.teacher:
            return np.full(documents.shape, np.nan, np.float32)
        pool = load_arrays(CandidatePool, path_of(self.negatives.pool))
        scores = stage.read(path_of(stage), pool)
        asked = np.concatenate([pool.documents, pool.positives], axis=1)
        said = np.concatenate([scores.candidates, scores.positives], axis=1)
        return PairTargets.of_table(pool.queries, asked, said).one_by_one(queries[:, None], documents)


@dataclass(frozen=True, eq=False, kw_only=True)
class LexicalStage(PairStage):
    """BM25 scores of the pairs, over the corpus without synthetic texts."""

    kind: ClassVar[str] = "targets"
    version: ClassVar[int] = 2
    provides: ClassVar[type[PairTarget]] = LexicalTargets
    bm25: BM25

    @classmethod
    def provide(cls, requirement: LexicalTargets, planned: PlannedPairs) -> Self:
        """Score by BM25 with its default parameters."""
        bm25 = BM25(depth=1)
        return cls(collection=planned.collection, split=planned.split, negatives=planned.negatives, bm25=bm25)

    @property
    def label(self) -> str:
        return "score what is trained with by BM25"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Index the corpus and score the pairs."""
        _, queries, documents = self.pairs(path_of)
        collection = read_collection(path_of(self.collection))
        passages = collection.passages()
        documents = np.where(documents < len(passages), documents, np.int32(-1))
        words = self.bm25.tokenizer(passages)
        index = self.bm25.index(terms(words, passages, learn=True), words.get_vocab_dict())
        asked = terms(words, [collection.queries[row] for row in queries.tolist()])
        self.save(out, queries, documents, self.bm25.search(index, asked, len(passages), documents).positive_scores)
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class MarkGenerated(PairStage):
    """Which of the pairs were generated."""

    kind: ClassVar[str] = "generated-pairs"
    provides: ClassVar[type[PairTarget]] = GeneratedPairs

    @classmethod
    def provide(cls, requirement: GeneratedPairs, planned: PlannedPairs) -> Self:
        """Mark the pairs of a training some of whose negatives are generated."""
        if planned.negatives is None or planned.negatives.written is None:
            raise ValueError("its loss tells generated negatives from mined ones, and none are generated; give written")
        return cls(collection=planned.collection, split=planned.split, negatives=planned.negatives)

    @property
    def label(self) -> str:
        return "mark generated negatives"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Tell by the rows, which follow those of the corpus."""
        _, queries, documents = self.pairs(path_of)
        size = len(read_collection(path_of(self.collection)).document_ids)
        self.save(out, queries, documents, (documents >= size).astype(np.float32))
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class DrawNoise(PairStage):
    """A random number of each of the pairs, by the ids of query and document alone."""

    kind: ClassVar[str] = "pair-noise"
    provides: ClassVar[type[PairTarget]] = PairNoise

    @classmethod
    def provide(cls, requirement: PairNoise, planned: PlannedPairs) -> Self:
        """Draw for the negatives that are mined before the training."""
        return cls(collection=planned.collection, split=planned.split, negatives=planned.negatives)

    @property
    def label(self) -> str:
        return "draw a number for each training pair"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Hash the ids of query and document: a pair has the same number in every training and on every machine."""
        collection, queries, documents = self.pairs(path_of)
        of_queries = keys([collection.query_ids[row] for row in queries.tolist()])
        noise = CounterRNG(0, self.kind).uniform(of_queries[:, None], keys(collection.document_ids)[documents])
        self.save(out, queries, documents, noise.astype(np.float32))
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class GuideStage(TargetStage):
    """A guide's vectors of the training queries and of all their documents."""

    kind: ClassVar[str] = "targets"
    version: ClassVar[int] = 2
    provides: ClassVar[type[PairTarget]] = GuideTargets
    guide: BiEncoder
    fingerprint: str
    precision: Precision

    @classmethod
    def provide(cls, requirement: GuideTargets, planned: PlannedPairs) -> Self:
        """Encode by the required guide."""
        return cls.of_teacher(requirement.guide, planned)

    @classmethod
    def of_teacher(cls, teacher: Teacher, planned: PlannedPairs) -> Self:
        """Encode by ``teacher``; ValueError where it is no bi-encoder."""
        guide, fingerprint = require_bi_encoder(teacher), planned.fingerprint(teacher)
        return cls(
            collection=planned.collection,
            split=planned.split,
            negatives=planned.negatives,
            guide=guide,
            fingerprint=fingerprint,
            precision=planned.precision,
        )

    @property
    def label(self) -> str:
        return "encode the training texts with the guide"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        collection, queries, table = self.pairs(path_of)
        documents = np.unique(table[table >= 0])
        passages, model = collection.passages(), self.guide.load()
        asked = [collection.queries[row] for row in queries.tolist()]
        read = [passages[row] for row in documents.tolist()]
        targets = VectorTargets(
            queries,
            self.guide.vectors(model, asked, "query", self.precision),
            documents,
            self.guide.vectors(model, read, "document", self.precision),
        )
        save_arrays(targets, out)
        return {"queries_encoded": float(len(queries)), "documents_encoded": float(len(documents))}

    def read(self, folder: Path) -> VectorTargets:
        return load_arrays(VectorTargets, folder)


@dataclass(frozen=True, eq=False, kw_only=True)
class TeacherVectorStage(GuideStage):
    """A teacher's vectors, stored as a guide's are: the same model's serve both."""

    provides: ClassVar[type[PairTarget]] = TeacherMatch

    @classmethod
    def provide(cls, requirement: TeacherMatch, planned: PlannedPairs) -> Self:  # type: ignore[override]
        """Encode by the required teacher."""
        return cls.of_teacher(requirement.teacher, planned)
