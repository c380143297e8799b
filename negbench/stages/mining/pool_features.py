"""Stages that provide the features which filters, samplers and label rules require of a candidate pool."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from negbench.collections.duplicates import groups
from negbench.encoders.precision import Precision
from negbench.features import Feature, PerCandidate, PerCandidateAndPositive, PerRank
from negbench.requirements import (
    AdapterScores,
    NearDuplicates,
    PoolFeature,
    PositiveSimilarity,
    Provider,
    RelevanceByRank,
    TeacherScores,
)
from negbench.retrieval.blocks import pair_scores
from negbench.stages.inputs import Embed, LoadCollection, PathOf, read_collection, read_vectors
from negbench.stages.mining.live_encoder import LiveEncoder
from negbench.stages.mining.pool import BuildPool, TrainTeacher, copies_of
from negbench.store import Stage, load_arrays
from negbench.teachers import Teacher
from negbench.types import Bool, CandidatePool, Collection, Float32, Float64, Int32, Vectors


@dataclass(frozen=True, kw_only=True)
class PlannedPool:
    """A planned pool whose features are required.

    ``collection`` has its own labels, where the pool may have others, those of crops say. ``documents`` are the vectors
    of the corpus by the encoder that finds candidates, made where a stage reads them. ``fingerprint`` gives the digest
    of a teacher's weights.
    """

    pool: BuildPool
    collection: LoadCollection
    documents: Embed
    precision: Precision
    fingerprint: Callable[[Teacher], str]


@dataclass(frozen=True, eq=False)
class FeatureStage(Stage, Provider):
    """A feature of a candidate pool.

    A subclass names in ``provides`` the requirement that it answers, and has a ``kind`` of its own.
    """

    provides: ClassVar[type[PoolFeature[Any]]]

    @classmethod
    @abstractmethod
    def provide(cls, requirement: Any, planned: PlannedPool) -> Self:
        """Return the stage for a requirement of class ``provides``."""

    @abstractmethod
    def read(self, folder: Path, pool: CandidatePool) -> Feature:
        """Read the feature of ``pool`` from ``folder``."""

    def compute(self, pool: CandidatePool, current: LiveEncoder, path_of: PathOf) -> Feature:
        """Return the feature of a pool that was retrieved by an encoder in training.

        Only for stages whose requirement is allowed with a refresh (``PoolFeature.beside_refresh``).
        """
        raise TypeError(f"{self.label}: known of the first candidates alone")

    def attach(self, pool: CandidatePool, folder: Path) -> CandidatePool:
        """Return the pool with the feature."""
        return pool.with_feature(self.provides, self.read(folder, pool))

    def attach_now(self, pool: CandidatePool, current: LiveEncoder, path_of: PathOf) -> CandidatePool:
        """Return the pool, retrieved by an encoder in training, with the feature."""
        return pool.with_feature(self.provides, self.compute(pool, current, path_of))


def stage_of(stages: Iterable[FeatureStage], kind: type[PoolFeature[Any]]) -> FeatureStage | None:
    """Return the stage that provides ``kind``; None where there is none among ``stages``."""
    return next((stage for stage in stages if stage.provides is kind), None)


SCORED = ("candidates", "positives")
"""Names of the files of a teacher's scores."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ScorePool(FeatureStage):
    """A teacher's scores of the first ``depth`` ranks of a pool and of the labelled positives."""

    kind: ClassVar[str] = "scores"
    on_gpu: ClassVar[bool] = True
    version: ClassVar[int] = 3
    provides: ClassVar[type[PoolFeature[Any]]] = TeacherScores
    pool: BuildPool
    teacher: Teacher
    fingerprint: str
    depth: int
    copies: tuple[TrainTeacher, ...]
    precision: Precision

    @classmethod
    def provide(cls, requirement: TeacherScores, planned: PlannedPool) -> Self:
        """Score by the required teacher, as deep as required."""
        teacher, pool, fingerprint = requirement.teacher, planned.pool, planned.fingerprint(requirement.teacher)
        copies = copies_of(teacher, pool, fingerprint, planned.precision)
        return cls(
            pool=pool,
            teacher=teacher,
            fingerprint=fingerprint,
            depth=requirement.depth,
            copies=copies,
            precision=planned.precision,
        )

    @property
    def label(self) -> str:
        what = f"the top {self.depth} candidates" if self.depth else "the positives"
        return f"score {what} with {self.teacher.name}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Score each query by the copy that was not trained on it, or by the given model.

        ``teacher_auc`` is the share of (positive, candidate) pairs of a query that it orders right, ties counted half.
        """
        collection = read_collection(path_of(self.pool.collection))
        candidates = load_arrays(CandidatePool, path_of(self.pool))
        texts = [collection.queries[row] for row in candidates.queries]
        asked = candidates.available()
        asked[:, self.depth :] = False
        # candidates and positives side by side, so that one pass scores both
        documents = np.concatenate([candidates.documents, candidates.positives], axis=1)
        wanted = np.concatenate([asked, candidates.positives >= 0], axis=1)
        scores = cross_fitted(self.teacher, self.copies, path_of, self.precision, texts, collection, documents, wanted)
        self.teacher.require_some(scores[wanted])
        of_candidates, of_positives = scores[:, : asked.shape[1]], scores[:, asked.shape[1] :]
        for name, values in zip(SCORED, (of_candidates, of_positives), strict=True):
            np.save(out / f"{name}.npy", values)
        return {
            "teacher_calls": float(wanted.sum()),
            "unscored": float((wanted & np.isnan(scores)).sum()),
            "teacher_auc": ordered_share(of_positives, of_candidates),
        }

    def read(self, folder: Path, pool: CandidatePool) -> PerCandidateAndPositive:
        return PerCandidateAndPositive(
            np.load(folder / "candidates.npy", allow_pickle=False),
            np.load(folder / "positives.npy", allow_pickle=False),
        )


def cross_fitted(
    teacher: Teacher,
    copies: tuple[TrainTeacher, ...],
    path_of: PathOf,
    precision: Precision,
    texts: list[str],
    collection: Collection,
    documents: Int32,
    wanted: Bool,
) -> Float32:
    """Return a teacher's scores of queries ``texts`` [Q] with their ``documents`` [Q, W] where ``wanted`` [Q, W].

    NaN elsewhere. Each query is scored by the one of ``copies`` that was not trained on it, or by the given model.
    Raises InputError as ``Teacher.checked_scores`` does.
    """
    from negbench.training.teacher import fold_of

    scores = np.full(documents.shape, np.nan, np.float32)
    fold = fold_of(texts, len(copies)) if copies else np.zeros(len(texts), np.int64)
    passages = collection.passages()
    for copy in range(max(1, len(copies))):
        of_copy = wanted & (fold == copy)[:, None]
        rows, columns = np.nonzero(of_copy)
        pairs = [
            (texts[row], passages[document])
            for row, document in zip(rows.tolist(), documents[rows, columns].tolist(), strict=True)
        ]
        folder = path_of(copies[copy]) / "model" if copies else None
        scores[of_copy] = teacher.checked_scores(pairs, folder, precision)
    return scores


def ordered_share(positives: Float32, candidates: Float32) -> float:
    """Return the share of pairs in a row of ``positives`` [Q, P] and ``candidates`` [Q, K] with the positive above.

    Ties count half and NaN not at all; NaN where there is no pair.
    """
    above = pairs = 0.0
    for row, others in zip(positives, candidates, strict=True):
        high, low = row[~np.isnan(row)][:, None], others[~np.isnan(others)]
        above += float((high > low).sum() + 0.5 * (high == low).sum())
        pairs += high.size * low.size
    return above / pairs if pairs else float("nan")


@dataclass(frozen=True, eq=False)
class GroupDuplicates(FeatureStage):
    """Groups of near-duplicate documents."""

    kind: ClassVar[str] = "duplicates"
    provides: ClassVar[type[PoolFeature[Any]]] = NearDuplicates
    collection: LoadCollection
    threshold: float

    @classmethod
    def provide(cls, requirement: NearDuplicates, planned: PlannedPool) -> Self:
        """Return the stage that groups the whole corpus at the required threshold."""
        return cls(planned.collection, requirement.threshold)

    @property
    def label(self) -> str:
        return "group equal documents" if self.threshold == 1 else "group near-duplicates"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        numbers = groups(read_collection(path_of(self.collection)).passages(), self.threshold)
        np.save(out / "groups.npy", numbers)
        return {"duplicates": float(len(numbers) - len(np.unique(numbers)))}

    def read(self, folder: Path, pool: CandidatePool) -> PerCandidateAndPositive:
        numbers = np.load(folder / "groups.npy", allow_pickle=False)

        def of(documents: Int32) -> Int32:
            return np.where(documents >= 0, numbers[np.maximum(documents, 0)], np.int32(-1)).astype(np.int32)

        return PerCandidateAndPositive(of(pool.documents), of(pool.positives))

    def compute(self, pool: CandidatePool, current: LiveEncoder, path_of: PathOf) -> PerCandidateAndPositive:
        """Read the stored groups: texts do not change."""
        return self.read(path_of(self), pool)


@dataclass(frozen=True, eq=False)
class CompareWithPositives(FeatureStage):
    """The similarity of each candidate to the nearest labelled positive, by the vectors of the pool's encoder."""

    kind: ClassVar[str] = "similarity"
    provides: ClassVar[type[PoolFeature[Any]]] = PositiveSimilarity
    pool: BuildPool
    documents: Embed

    @classmethod
    def provide(cls, requirement: PositiveSimilarity, planned: PlannedPool) -> Self:
        """Compare by the vectors of the encoder that finds candidates."""
        return cls(planned.pool, planned.documents)

    @property
    def label(self) -> str:
        return "compare candidates with positives"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Compute dot products, one column of positives at a time."""
        pool = load_arrays(CandidatePool, path_of(self.pool))
        np.save(out / "similarity.npy", similarity(pool, read_vectors(path_of(self.documents))))
        return {}

    def read(self, folder: Path, pool: CandidatePool) -> PerCandidate:
        return PerCandidate(np.load(folder / "similarity.npy", allow_pickle=False))

    def compute(self, pool: CandidatePool, current: LiveEncoder, path_of: PathOf) -> PerCandidate:
        """Compare by the current vectors."""
        return PerCandidate(similarity(pool, current.vectors(self.documents)))


def similarity(pool: CandidatePool, documents: Vectors) -> Float32:
    """Return the highest dot product [Q, K] of each candidate with a labelled positive, by vectors [N, d]."""
    nearest = np.full(pool.documents.shape, np.nan, np.float32)
    for column in range(pool.positives.shape[1]):
        rows = np.flatnonzero(pool.positives[:, column] >= 0)
        anchors = np.asarray(documents[pool.positives[rows, column]])
        nearest[rows] = np.fmax(nearest[rows], pair_scores(anchors, documents, pool.documents[rows]))
    return nearest


@dataclass(frozen=True, eq=False, kw_only=True)
class FitAdapter(FeatureStage):
    """Classifiers of the vectors of the pool's encoder, one a fold of the queries, and what they say of candidates."""

    kind: ClassVar[str] = "adapter"
    provides: ClassVar[type[PoolFeature[Any]]] = AdapterScores
    pool: BuildPool
    queries: Embed
    documents: Embed

    @classmethod
    def provide(cls, requirement: AdapterScores, planned: PlannedPool) -> Self:
        """Classify by the vectors that find candidates; ValueError where candidates are found without any."""
        if planned.pool.queries is None:
            raise ValueError(
                f"{planned.pool.retriever.name} finds candidates without the vectors that an adapter reads; give "
                "candidates=dense"
            )
        return cls(pool=planned.pool, queries=planned.pool.queries, documents=planned.documents)

    @property
    def label(self) -> str:
        return "classify candidates by their vectors"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        vectors = read_vectors(path_of(self.queries)), read_vectors(path_of(self.documents))
        pool = load_arrays(CandidatePool, path_of(self.pool))
        np.save(out / "adapter.npy", self._relevance(pool, read_collection(path_of(self.pool.collection)), *vectors))
        return {}

    def _relevance(self, pool: CandidatePool, collection: Collection, queries: Vectors, documents: Vectors) -> Float32:
        from negbench.training.adapter import relevance
        from negbench.training.teacher import fold_of

        return relevance(pool, queries, documents, fold_of([collection.queries[row] for row in pool.queries], 2))

    def read(self, folder: Path, pool: CandidatePool) -> PerCandidate:
        return PerCandidate(np.load(folder / "adapter.npy", allow_pickle=False))

    def compute(self, pool: CandidatePool, current: LiveEncoder, path_of: PathOf) -> PerCandidate:
        """Fit and classify by the current vectors."""
        queries, documents = current.vectors(self.queries), current.vectors(self.documents)
        return PerCandidate(self._relevance(pool, current.collection, queries, documents))


@dataclass(frozen=True, eq=False)
class MeasureRelevanceByRank(FeatureStage):
    """Share of queries whose document of each rank is labelled relevant, in a pool of another split."""

    kind: ClassVar[str] = "judged-ranks"
    provides: ClassVar[type[PoolFeature[Any]]] = RelevanceByRank
    judged: BuildPool

    @classmethod
    def provide(cls, requirement: RelevanceByRank, planned: PlannedPool) -> Self:
        """Search for the queries of the required split with the pool's own retriever."""
        return cls(planned.pool.of_split(requirement.split, planned.collection))

    @property
    def label(self) -> str:
        return f"count relevant documents by rank on {self.judged.split}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        pool = load_arrays(CandidatePool, path_of(self.judged))
        np.save(out / "judged.npy", self._count(pool, read_collection(path_of(self.judged.collection))))
        return {}

    def _count(self, pool: CandidatePool, collection: Collection) -> Float64:
        labels = collection.qrels[self.judged.split].at_least(1)
        relevant = labels.contains(pool.queries[:, None], pool.documents)
        return np.asarray(relevant.mean(axis=0), np.float64)

    def read(self, folder: Path, pool: CandidatePool) -> PerRank:
        return PerRank(np.load(folder / "judged.npy", allow_pickle=False))

    def compute(self, pool: CandidatePool, current: LiveEncoder, path_of: PathOf) -> PerRank:
        """Search for the split's queries with the current encoder, and count."""
        return PerRank(self._count(current.search(self.judged), current.collection))
