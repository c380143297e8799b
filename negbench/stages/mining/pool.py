"""The stages of the candidate pool, and of a teacher that is trained on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from negbench import rng
from negbench.encoders.precision import Precision
from negbench.errors import InputError
from negbench.retrieval import Retriever, pool, unanswered
from negbench.stages.inputs import Embed, LoadCollection, PathOf, read_collection, read_vectors, split_queries
from negbench.store import Stage, load_arrays, save_arrays, save_notes, scratch
from negbench.teachers import Teacher
from negbench.teachers.trained import TrainedTeacher
from negbench.types import CandidatePool, Collection, Int32, Vectors


@dataclass(frozen=True, eq=False, kw_only=True)
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
        """Return the fields, and the digest of any files that the retriever reads."""
        identity = super().identity()
        if read := self.retriever.fingerprint():
            identity["parameters"]["read"] = read
        return identity

    @property
    def label(self) -> str:
        return f"retrieve candidates with {self.retriever.spelling}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        queries, documents = (
            None if it is None else read_vectors(path_of(it)) for it in (self.queries, self.documents)
        )
        candidates = self.search(read_collection(path_of(self.collection)), queries, documents)
        save_arrays(candidates, out)
        notes = [*unanswered(candidates.documents, self.split), *filter(None, [candidates.note])]
        save_notes([f"{self.label}: {note}" for note in notes], out)
        return {"searches": len(candidates.queries), "recall": candidates.recall}

    def check(self, collection: Collection) -> None:
        """Raise InputError where the collection lacks what the retriever reads, or does not match its files."""
        if self.retriever.needs_given and collection.given is None:
            raise InputError(
                f"candidates given: {collection.name} came without negatives; the method is for a collection such as "
                "{pairs: FILE} or {pairs: FILE, collection: NAME} whose file has some: give one"
            )
        if not self.retriever.fingerprint():
            return
        asked = split_queries(collection, self.split)
        self.retriever.check(rng.keys([collection.query_ids[row] for row in asked]), rng.keys(collection.document_ids))

    def search(
        self,
        collection: Collection,
        queries: Vectors | None,
        documents: Vectors | None,
        asked: Int32 | None = None,
        ground: pool.PoolContext | None = None,
    ) -> CandidatePool:
        """Return the pool; ``queries`` and ``documents`` are vectors, where the retriever needs them.

        ``asked`` are rows of queries, those of the split where it is None.
        """
        asked = collection.split_queries(self.split) if asked is None else asked
        return pool.build(self.retriever, collection, asked, self.split, self.seed or 0, queries, documents, ground)

    def of_split(self, split: str, collection: LoadCollection) -> BuildPool:
        """Return the pool of the same retriever and encoder for the queries of another split of ``collection``."""
        queries = None if self.queries is None else replace(self.queries, collection=collection.texts, split=split)
        return replace(self, collection=collection, split=split, queries=queries)


def read_pool(folder: Path) -> CandidatePool:
    """Open a stored pool; its arrays are views of the files, so that memory need not hold them."""
    return load_arrays(CandidatePool, folder, mapped=True)


@dataclass(frozen=True, eq=False)
class TrainTeacher(Stage):
    """One copy of a cross-fitted teacher: trained on the queries outside of ``fold``."""

    kind: ClassVar[str] = "teacher"
    on_gpu: ClassVar[bool] = True
    version: ClassVar[int] = 2
    pool: BuildPool
    teacher: TrainedTeacher
    fingerprint: str
    fold: int
    precision: Precision

    @property
    def label(self) -> str:
        return f"train teacher {self.fold + 1} of {self.teacher.folds}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Train the copy. The seed is 0 for all trials: they share the teacher where they share the pool."""
        from negbench.training.teacher import train_fold

        collection = read_collection(path_of(self.pool.collection))
        candidates = load_arrays(CandidatePool, path_of(self.pool))
        with scratch(out) as folder:
            return train_fold(
                self.teacher, candidates, collection, self.fold, 0, self.precision, out / "model", Path(folder)
            )


def copies_of(teacher: Teacher, pool: BuildPool, fingerprint: str, precision: Precision) -> tuple[TrainTeacher, ...]:
    """Return the stages that train the copies of a teacher, one a fold; none for a given model."""
    if not isinstance(teacher, TrainedTeacher):
        return ()
    return tuple(TrainTeacher(pool, teacher, fingerprint, fold, precision) for fold in range(teacher.folds))
