"""A training job, and rows that replace its own, as files that another process reads; nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from negbench.batching import Batching
from negbench.collections import storage
from negbench.losses import Loss
from negbench.registry import Part
from negbench.requirements import PairTarget
from negbench.store import load_arrays, save_arrays
from negbench.training.data import Instances
from negbench.training.job import TrainingJob
from negbench.training.recipe import Recipe
from negbench.training.targets import Targets
from negbench.types import Collection, Qrels, Vectors

COLLECTION = "collection"
"""The folder of a job with a copy of its collection."""


def save_job(job: TrainingJob, folder: Path) -> None:
    """Write a job into ``folder``, which is created: its collection, rows and arrays, and the rest as JSON.

    A stored collection, and vectors of documents that are mapped from a file, stay where they are; the job names these
    places. Raises ValueError for a loss or a batching that is not registered.
    """
    folder.mkdir(parents=True)
    if job.stored is None:
        (folder / COLLECTION).mkdir()
        storage.save(job.collection, folder / COLLECTION)
    (folder / "rows").mkdir()
    save_rows(job.data, folder / "rows")
    if job.clusters is not None:
        np.save(folder / "clusters.npy", job.clusters, allow_pickle=False)
    rest = {
        "loss": _spelled(Loss, job.loss),
        "batching": _spelled(Batching, job.batching),
        "recipe": job.recipe.model_dump(mode="json"),
        "seed": job.seed,
        "step_range": job.step_range,
        "documents": None if job.documents is None else file_of(job.documents, folder),
        "stored": None if job.stored is None else str(job.stored.absolute()),
        "added": None if job.stored is None else _added(job.collection, storage.count(job.stored)),
    }
    (folder / "job.json").write_text(json.dumps(rest) + "\n", encoding="utf-8")


def load_job(folder: Path) -> TrainingJob:
    """Read a job that ``save_job`` wrote."""
    rest = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    loss, clusters = Loss.model_validate(rest["loss"]), folder / "clusters.npy"
    return TrainingJob(
        data=load_rows(folder / "rows", loss.requires),
        collection=_collection(folder, rest["stored"], rest["added"]),
        loss=loss,
        recipe=Recipe.model_validate(rest["recipe"]),
        seed=rest["seed"],
        batching=Batching.model_validate(rest["batching"]),
        clusters=np.load(clusters, allow_pickle=False) if clusters.exists() else None,
        step_range=None if rest["step_range"] is None else tuple(rest["step_range"]),
        documents=None if rest["documents"] is None else np.load(rest["documents"], mmap_mode="r", allow_pickle=False),
        stored=None if rest["stored"] is None else Path(rest["stored"]),
    )


def _added(collection: Collection, stored: int) -> dict[str, list[str]]:
    """Return what stands after the first ``stored`` documents of a collection, by field."""
    return {name: list(getattr(collection, name)[stored:]) for name in ("document_ids", "titles", "texts")}


def _collection(folder: Path, stored: str | None, added: dict[str, list[str]]) -> Collection:
    """Read the collection of a job; a stored one is read once, however many trainings a process helps with."""
    if stored is None:
        return storage.load(folder / COLLECTION)
    collection = storage.load_once(Path(stored))
    if not any(added.values()):
        return collection
    return replace(
        collection,
        document_ids=[*collection.document_ids, *added["document_ids"]],
        titles=[*collection.titles, *added["titles"]],
        texts=[*collection.texts, *added["texts"]],
    )


def _spelled(kind: type[Part], part: Part) -> str:
    if kind.model_validate(part.spelling) != part:
        raise ValueError(f"another process would take {part.spelling} for something else: {type(part)} has no name")
    return part.spelling


def file_of(vectors: Vectors, folder: Path) -> str:
    """Return the path of a file with these vectors; those in memory are written into ``folder``."""
    if isinstance(vectors, np.memmap) and vectors.filename is not None:
        mapped = np.load(vectors.filename, mmap_mode="r", allow_pickle=False)
        if (mapped.shape, mapped.dtype, mapped.offset) == (vectors.shape, vectors.dtype, vectors.offset):
            return str(Path(vectors.filename).absolute())
    np.save(folder / "documents.npy", vectors, allow_pickle=False)
    return str((folder / "documents.npy").absolute())


def save_rows(data: Instances, folder: Path) -> None:
    """Write rows into ``folder``: an array a field, known positives and targets in folders of their own."""
    (folder / "known").mkdir()
    save_arrays(data.known, folder / "known")
    for required, targets in data.targets.items():
        place = folder / "targets" / required.__name__
        place.mkdir(parents=True)
        save_arrays(targets, place)
        (place / "kind").write_text(type(targets).__name__, encoding="utf-8")
    save_arrays(replace(data, known=None, targets={}), folder)  # type: ignore[arg-type]


def load_rows(folder: Path, requires: Iterable[PairTarget]) -> Instances:
    """Read rows that ``save_rows`` wrote, with the targets that a loss ``requires``."""
    required = {kind.__name__: kind for one in requires for kind in type(one).__mro__ if issubclass(kind, PairTarget)}
    kinds = {kind.__name__: kind for kind in Targets.__subclasses__()}
    targets = {
        required[place.name]: load_arrays(kinds[(place / "kind").read_text(encoding="utf-8")], place)
        for place in folder.glob("targets/*")
    }
    return replace(load_arrays(Instances, folder), known=load_arrays(Qrels, folder / "known"), targets=targets)
