"""Stages that choose negatives: the pool, the teacher and its scores, the draw."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.encoders.precision import Precision
from negbench.filters import Filter
from negbench.mining import mine
from negbench.plan.sources import At, Embed, LoadCollection, read_collection, read_vectors
from negbench.retrieval import Retriever, pool
from negbench.samplers import Sampler
from negbench.store import Stage, load_arrays, save_arrays
from negbench.teachers import Teacher
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import CandidatePool, Float32


@dataclass(frozen=True, eq=False)
class BuildPool(Stage):
    """The candidate pool of one retriever for the training queries; shared by every sampler that draws from it."""

    kind: ClassVar[str] = "pool"
    collection: LoadCollection
    retriever: Retriever
    split: str
    seed: int | None
    documents: Embed | None
    queries: Embed | None

    @property
    def label(self) -> str:
        """Which retriever."""
        return f"candidates by {self.retriever.spelling}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Search."""
        collection = read_collection(at(self.collection))
        queries = collection.split_queries(self.split)
        found = pool.build(
            self.retriever,
            collection,
            queries,
            self.split,
            self.seed or 0,
            None if self.queries is None else read_vectors(at(self.queries)),
            None if self.documents is None else read_vectors(at(self.documents)),
        )
        save_arrays(found, out)
        return {"searches": len(queries), "recall": found.recall}


@dataclass(frozen=True, eq=False)
class TrainTeacher(Stage):
    """One copy of a cross-fitted teacher: trained on the queries outside of ``fold``."""

    kind: ClassVar[str] = "teacher"
    version: ClassVar[int] = 2
    pool: BuildPool
    teacher: TrainedCrossEncoder
    fingerprint: str
    fold: int
    precision: Precision

    @property
    def label(self) -> str:
        """Which copy."""
        return f"train teacher {self.fold + 1} of {self.teacher.folds}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Train it. The seed is 0 for all trials: they share the teacher where they share the pool."""
        from negbench.training.teacher import train_fold

        collection = read_collection(at(self.pool.collection))
        candidates = load_arrays(CandidatePool, at(self.pool))
        with tempfile.TemporaryDirectory() as scratch:
            return train_fold(
                self.teacher, candidates, collection, self.fold, 0, self.precision, out / "model", Path(scratch)
            )


@dataclass(frozen=True, eq=False)
class ScorePool(Stage):
    """A teacher's scores of the first ``depth`` ranks of a pool, known positives left out."""

    kind: ClassVar[str] = "scores"
    version: ClassVar[int] = 2
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

        The labelled positives are scored too, only to say how well the teacher tells them from the candidates:
        ``teacher_auc`` is the share of (positive, candidate) pairs of a query that it orders so, ties counted half.
        """
        from negbench.training.teacher import fold_of

        collection = read_collection(at(self.pool.collection))
        candidates = load_arrays(CandidatePool, at(self.pool))
        texts = [collection.queries[row] for row in candidates.queries]
        asked = candidates.available()
        asked[:, self.depth :] = False
        # candidates and positives side by side, so that one pass scores both
        documents = np.concatenate([candidates.documents, candidates.positives], axis=1)
        wanted = np.concatenate([asked, candidates.positives >= 0], axis=1)
        scores = np.full(documents.shape, np.nan, np.float32)
        fold = fold_of(texts, len(self.copies)) if self.copies else np.zeros(len(texts), np.int64)
        passages = collection.passages()
        for copy in range(max(1, len(self.copies))):
            mine = wanted & (fold == copy)[:, None]
            rows, columns = np.nonzero(mine)
            pairs = [
                (texts[row], passages[document])
                for row, document in zip(rows.tolist(), documents[rows, columns].tolist(), strict=True)
            ]
            folder = at(self.copies[copy]) / "model" if self.copies else None
            scores[mine] = self.teacher.score(pairs, folder, self.precision)
        of_candidates, of_positives = scores[:, : asked.shape[1]], scores[:, asked.shape[1] :]
        np.save(out / "scores.npy", of_candidates)
        return {"teacher_calls": float(asked.sum()), "teacher_auc": ordered_share(of_positives, of_candidates)}


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
class DrawNegatives(Stage):
    """The negatives that training is handed: filters, sampler, fill."""

    kind: ClassVar[str] = "negatives"
    pool: BuildPool
    filters: tuple[Filter, ...]
    sampler: Sampler
    scores: ScorePool | None
    k: int
    seed: int

    @property
    def label(self) -> str:
        """Which sampler."""
        return f"draw by {self.sampler.spelling}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Draw."""
        collection = read_collection(at(self.pool.collection))
        candidates = load_arrays(CandidatePool, at(self.pool))
        if self.scores is not None:
            candidates = replace(candidates, teacher_scores=np.load(at(self.scores) / "scores.npy"))
        own = collection.own_documents()[candidates.queries]
        size = len(collection.document_ids)
        drawn = mine(candidates, self.filters, self.sampler, self.k, self.seed, own, size)
        save_arrays(drawn, out)
        filled = (drawn.origins == 1) & (drawn.documents >= 0)
        return {"drawn": float((drawn.origins == 0).sum()), "filled": float(filled.sum())}
