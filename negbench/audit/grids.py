"""The negatives of a grid's methods, weighted as their trainings see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from negbench.audit.rows import Negative, Row
from negbench.config.grid import read
from negbench.errors import InputError
from negbench.plan.sources import read_collection
from negbench.plan.trials import Trial, trials
from negbench.plan.writing import extended, texts_of
from negbench.store import Store
from negbench.types import Collection, Negatives, Passages


def rows(path: Path, store: Store) -> tuple[dict[str, list[Row]], Collection]:
    """Return by method what the trials of a grid file, or of a manifest, draw; and the collection.

    Seeds are put together; a method at several points of the grid's axes is several methods. Where the grid has
    several collections, those of the first are read. Raises InputError where something was not drawn yet.
    """
    asked = [trial for trial in trials(read(path)) if trial.negatives is not None]
    if not asked:
        raise InputError(f"{path}: none of its methods draws negatives")
    first = asked[0].evaluation.collection
    same = [trial for trial in asked if trial.evaluation.collection.key == first.key]
    for trial in same:
        assert trial.false_negatives is not None
        if missing := [stage for stage in trial.false_negatives.inputs if not store.has(stage)]:
            raise InputError(
                f"{path}: the negatives of {trial.name} are not stored ({missing[0].label}); "
                f"`negbench run {path}` draws them"
            )
    collection = read_collection(store.path(first))
    found: dict[str, list[Row]] = {}
    for trial in same:
        name = trial.spelling + "".join(f" {key}={value}" for key, value in trial.point.items())
        found.setdefault(name, []).extend(_of(trial, store, collection))
    return found, collection


def _of(trial: Trial, store: Store, collection: Collection) -> list[Row]:
    """Return a row a query: its negatives, each with the sum of its weights over all batches."""
    course = trial.course
    assert course is not None
    assert trial.negatives is not None
    table = store.load(Negatives, trial.negatives)
    replay = course.replay(store.path, collection)
    data, seen = replay.data, np.concatenate(replay.batches)
    times = np.bincount(seen, minlength=len(data.queries)) * data.weights.astype(np.float64)
    written = trial.negatives.written
    read = collection if written is None else extended(collection, texts_of(store.path(written)))
    passages = Passages(read.titles, read.texts)
    weights: dict[tuple[int, int], float] = {}
    for query, mine, weight in zip(data.queries.tolist(), data.negatives.tolist(), times.tolist(), strict=True):
        for document in mine:
            if document >= 0:
                weights[query, document] = weights.get((query, document), 0.0) + weight
    labels, nothing = collection.qrels[course.split].at_least(1).by_query(), np.zeros(0, np.int32)
    found = []
    for query, documents, ranks, scores in zip(
        table.queries.tolist(), table.documents.tolist(), table.ranks.tolist(), table.scores.tolist(), strict=True
    ):
        negatives: dict[int, Negative] = {}
        for document, rank, score in zip(documents, ranks, scores, strict=True):
            if document >= 0 and document not in negatives:  # a later round may draw it again
                weight = weights.get((query, document), 0.0)
                negatives[document] = Negative(passages[document], rank, score, weight)
        positives = tuple(passages[row] for row in labels.get(query, nothing).tolist())
        found.append(Row(trial.name, collection.queries[query], positives, tuple(negatives.values())))
    return found
