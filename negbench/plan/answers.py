"""Stages that answer what filters, samplers and label rules ask about candidates."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.collections.duplicates import groups
from negbench.encoders.precision import Precision
from negbench.plan.current import Current
from negbench.plan.mining import BuildPool, TrainTeacher
from negbench.plan.sources import At, Embed, LoadCollection, read_collection, read_vectors
from negbench.retrieval.blocks import pair_scores
from negbench.store import Stage, load_arrays
from negbench.teachers import Teacher
from negbench.types import Bool, CandidatePool, Collection, Float32, Float64, Int32, Vectors


@dataclass(frozen=True, eq=False)
class Answer(Stage):
    """A stage that knows something about the candidates of a pool."""

    @abstractmethod
    def attach(self, pool: CandidatePool, folder: Path) -> CandidatePool:
        """Return the pool with the answer, which lies in ``folder``, put into it."""

    def attach_now(self, pool: CandidatePool, current: Current, at: At) -> CandidatePool:
        """Return a pool, which an encoder that is being trained found, with the answer about it put into it."""
        raise TypeError(f"{self.label}: known of the first candidates alone")


@dataclass(frozen=True, eq=False)
class ScorePool(Answer):
    """A teacher's scores of the first ``depth`` ranks of a pool and of the labelled positives."""

    kind: ClassVar[str] = "scores"
    version: ClassVar[int] = 3
    pool: BuildPool
    teacher: Teacher
    fingerprint: str
    depth: int
    copies: tuple[TrainTeacher, ...]
    precision: Precision

    @property
    def label(self) -> str:
        """Whose scores."""
        return f"score {self.depth} ranks by {self.teacher.name}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Score each query by the copy that was not trained on it, or by the given model.

        ``teacher_auc`` is the share of (positive, candidate) pairs of a query that it orders right, ties counted half.
        """
        collection = read_collection(at(self.pool.collection))
        candidates = load_arrays(CandidatePool, at(self.pool))
        texts = [collection.queries[row] for row in candidates.queries]
        asked = candidates.available()
        asked[:, self.depth :] = False
        # candidates and positives side by side, so that one pass scores both
        documents = np.concatenate([candidates.documents, candidates.positives], axis=1)
        wanted = np.concatenate([asked, candidates.positives >= 0], axis=1)
        scores = cross_fitted(self.teacher, self.copies, at, self.precision, texts, collection, documents, wanted)
        self.teacher.require_some(scores[wanted])
        of_candidates, of_positives = scores[:, : asked.shape[1]], scores[:, asked.shape[1] :]
        np.save(out / "candidates.npy", of_candidates)
        np.save(out / "positives.npy", of_positives)
        return {
            "teacher_calls": float(wanted.sum()),
            "unscored": float((wanted & np.isnan(scores)).sum()),
            "teacher_auc": ordered_share(of_positives, of_candidates),
        }

    def attach(self, pool: CandidatePool, folder: Path) -> CandidatePool:
        """Fill ``teacher_scores`` and ``positive_teacher_scores``."""
        return replace(
            pool,
            teacher_scores=np.load(folder / "candidates.npy", allow_pickle=False),
            positive_teacher_scores=np.load(folder / "positives.npy", allow_pickle=False),
        )


def cross_fitted(
    teacher: Teacher,
    copies: tuple[TrainTeacher, ...],
    at: At,
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
        mine = wanted & (fold == copy)[:, None]
        rows, columns = np.nonzero(mine)
        pairs = [
            (texts[row], passages[document])
            for row, document in zip(rows.tolist(), documents[rows, columns].tolist(), strict=True)
        ]
        folder = at(copies[copy]) / "model" if copies else None
        scores[mine] = teacher.checked_scores(pairs, folder, precision)
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
class GroupDuplicates(Answer):
    """Groups of documents that say the same."""

    kind: ClassVar[str] = "duplicates"
    collection: LoadCollection
    threshold: float

    @property
    def label(self) -> str:
        """What it looks for."""
        return "group equal documents" if self.threshold == 1 else "group near-duplicates"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Group them."""
        found = groups(read_collection(at(self.collection)).passages(), self.threshold)
        np.save(out / "groups.npy", found)
        return {"duplicates": float(len(found) - len(np.unique(found)))}

    def attach(self, pool: CandidatePool, folder: Path) -> CandidatePool:
        """Fill ``groups`` and ``positive_groups``."""
        found = np.load(folder / "groups.npy", allow_pickle=False)

        def of(documents: Int32) -> Int32:
            return np.where(documents >= 0, found[np.maximum(documents, 0)], np.int32(-1)).astype(np.int32)

        return replace(pool, groups=of(pool.documents), positive_groups=of(pool.positives))

    def attach_now(self, pool: CandidatePool, current: Current, at: At) -> CandidatePool:
        """Look up: texts do not change."""
        return self.attach(pool, at(self))


@dataclass(frozen=True, eq=False)
class CompareWithPositives(Answer):
    """The similarity of each candidate to the nearest labelled positive, by the vectors of the pool's encoder."""

    kind: ClassVar[str] = "similarity"
    pool: BuildPool
    documents: Embed

    @property
    def label(self) -> str:
        """What is compared."""
        return "compare candidates with positives"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Multiply vectors, one positive after another."""
        pool = load_arrays(CandidatePool, at(self.pool))
        np.save(out / "similarity.npy", similarity(pool, read_vectors(at(self.documents))))
        return {}

    def attach(self, pool: CandidatePool, folder: Path) -> CandidatePool:
        """Fill ``similarity``."""
        return replace(pool, similarity=np.load(folder / "similarity.npy", allow_pickle=False))

    def attach_now(self, pool: CandidatePool, current: Current, at: At) -> CandidatePool:
        """Multiply the vectors as they are now."""
        return replace(pool, similarity=similarity(pool, current.vectors(self.documents)))


def similarity(pool: CandidatePool, documents: Vectors) -> Float32:
    """Return the highest dot product [Q, K] of each candidate with a labelled positive, by vectors [N, d]."""
    nearest = np.full(pool.documents.shape, np.nan, np.float32)
    for column in range(pool.positives.shape[1]):
        there = np.flatnonzero(pool.positives[:, column] >= 0)
        anchors = np.asarray(documents[pool.positives[there, column]])
        nearest[there] = np.fmax(nearest[there], pair_scores(anchors, documents, pool.documents[there]))
    return nearest


@dataclass(frozen=True, eq=False)
class CountJudgedRanks(Answer):
    """How often the document of each rank is labelled relevant, in a pool of judged queries."""

    kind: ClassVar[str] = "judged-ranks"
    judged: BuildPool

    @property
    def label(self) -> str:
        """Where it looks."""
        return f"count relevant ranks on {self.judged.split}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Count."""
        found = load_arrays(CandidatePool, at(self.judged))
        np.save(out / "judged.npy", self._count(found, read_collection(at(self.judged.collection))))
        return {}

    def _count(self, pool: CandidatePool, collection: Collection) -> Float64:
        labels = collection.qrels[self.judged.split].at_least(1)
        relevant = labels.contains(pool.queries[:, None], pool.documents)
        return np.asarray(relevant.mean(axis=0), np.float64)

    def attach(self, pool: CandidatePool, folder: Path) -> CandidatePool:
        """Fill ``judged``."""
        return replace(pool, judged=np.load(folder / "judged.npy", allow_pickle=False))

    def attach_now(self, pool: CandidatePool, current: Current, at: At) -> CandidatePool:
        """Search the judged queries again, and count."""
        return replace(pool, judged=self._count(current.search(self.judged), current.collection))
