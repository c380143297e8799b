"""Stages that choose candidates: the pool, and the teacher that is trained from it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from negbench import noise
from negbench.encoders.precision import Precision
from negbench.plan.sources import At, Embed, LoadCollection, read_collection, read_vectors, split_queries
from negbench.retrieval import Retriever, pool, unanswered
from negbench.store import Stage, load_arrays, save_arrays, save_notes
from negbench.teachers.trained_cross_encoder import TrainedCrossEncoder
from negbench.types import CandidatePool, Collection, Int32, Vectors


@dataclass(frozen=True, eq=False)
class BuildPool(Stage):
    """The candidate pool of one retriever for the training queries; shared by every sampler that draws from it."""

    kind: ClassVar[str] = "pool"
    version: ClassVar[int] = 2
    collection: LoadCollection
    retriever: Retriever
    split: str
    seed: int | None
    documents: Embed | None
    queries: Embed | None

    def identity(self) -> dict[str, Any]:
        """Return the fields, and the digest of what the retriever reads beside them."""
        found = super().identity()
        if read := self.retriever.fingerprint():
            found["parameters"]["read"] = read
        return found

    @property
    def label(self) -> str:
        """Which retriever."""
        return f"candidates by {self.retriever.spelling}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Search."""
        queries, documents = (None if it is None else read_vectors(at(it)) for it in (self.queries, self.documents))
        found = self.search(read_collection(at(self.collection)), queries, documents)
        save_arrays(found, out)
        told = [*unanswered(found.documents, self.split), *filter(None, [found.note])]
        save_notes([f"{self.label}: {note}" for note in told], out)
        return {"searches": len(found.queries), "recall": found.recall}

    def check(self, collection: Collection) -> None:
        """Raise InputError where the retriever reads something that does not go with the collection."""
        if not self.retriever.fingerprint():
            return
        asked = split_queries(collection, self.split)
        self.retriever.check(
            noise.keys([collection.query_ids[row] for row in asked]), noise.keys(collection.document_ids)
        )

    def search(
        self,
        collection: Collection,
        queries: Vectors | None,
        documents: Vectors | None,
        asked: Int32 | None = None,
        ground: pool.Ground | None = None,
    ) -> CandidatePool:
        """Return the pool, with these vectors of the queries and of the documents where it wants any.

        ``asked`` are rows of queries, those of the split where it is None.
        """
        asked = collection.split_queries(self.split) if asked is None else asked
        return pool.build(self.retriever, collection, asked, self.split, self.seed or 0, queries, documents, ground)


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
