"""Negatives of a grid's methods, weighted as in their trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from negbench.collections.layouts.rows import Negative, Row
from negbench.config.collection_axis import AXIS
from negbench.config.grid import read
from negbench.errors import InputError
from negbench.plan.damage import repeat_if_damaged
from negbench.plan.trials import Trial, trials
from negbench.stages.inputs import read_collection
from negbench.stages.mining.writing import texts_of, with_synthetic
from negbench.store import Stage, Store
from negbench.types import Collection, Negatives, Passages


def rows(path: Path, store: Store, collection: str | None = None) -> tuple[dict[str, list[Row]], Collection]:
    """Return the negatives of a grid file or a manifest by method, and the collection.

    Seeds are pooled; a method at several points of the axes is several methods. ``collection`` names one of several;
    without it the first is read. Raises InputError for a collection that the grid lacks, and if the negatives are not
    stored yet.
    """
    by_collection = audited(trials(read(path)))
    if collection is not None and collection not in by_collection:
        known = f"has negatives on {', '.join(by_collection)}; give one of these" if by_collection else "has none"
        raise InputError(f"--collection {collection}: {path} {known}")
    chosen = by_collection.get(collection) if collection is not None else next(iter(by_collection.values()), None)
    if chosen is None:
        raise InputError(f"{path}: none of its methods mines negatives; add one that does, such as bm25")
    return of_methods(by_method(chosen), str(path), store)


def audited(planned: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Return the trials that an audit covers, those that mine negatives, by the collection's name in the grid.

    Where an axis reads a collection in several ways (``equal_texts``), they are those of the first.
    """
    found: dict[str, list[Trial]] = {}
    for trial in planned:
        if trial.negatives is not None:
            same = found.setdefault(str(trial.axis_values.get(AXIS, trial.collection_name)), [trial])
            if same[0] is not trial and trial.evaluation.collection.key == same[0].evaluation.collection.key:
                same.append(trial)
    return found


def by_method(same: Sequence[Trial], named: bool = True) -> dict[str, list[Trial]]:
    """Return the trials of each method, by its name in an audit: its spelling, and its point on the axes.

    Not ``named``: without the collection, as a grid of that collection alone calls it.
    """
    found: dict[str, list[Trial]] = {}
    for trial in same:
        point = {key: value for key, value in trial.axis_values.items() if named or key != AXIS}
        name = trial.spelling + "".join(f" {key}={value}" for key, value in point.items())
        found.setdefault(name, []).append(trial)
    return found


def of_methods(
    methods: Mapping[str, Sequence[Trial]], place: str, store: Store
) -> tuple[dict[str, list[Row]], Collection]:
    """Return the negatives by method, as ``rows`` does, and the collection; errors begin with ``place``."""
    needed = [stage for same in methods.values() for trial in same for stage in _needed(trial)]
    return repeat_if_damaged(store, needed, partial(_read, place, store, methods))


def _needed(trial: Trial) -> tuple[Stage, ...]:
    assert trial.false_negatives is not None
    return (trial.evaluation.collection, *trial.false_negatives.inputs)


def _read(place: str, store: Store, methods: Mapping[str, Sequence[Trial]]) -> tuple[dict[str, list[Row]], Collection]:
    every = [trial for same in methods.values() for trial in same]
    for trial in every:
        if missing := [stage for stage in _needed(trial) if not store.has(stage)]:
            raise InputError(
                f"{place}: the negatives of {trial.name} are not stored (missing stage: {missing[0].label}); "
                f"run `negbench run {place}` first"
            )
    collection = read_collection(store.path(every[0].evaluation.collection))
    found = {name: [row for trial in same for row in _of(trial, store, collection)] for name, same in methods.items()}
    return found, collection


def _of(trial: Trial, store: Store, collection: Collection) -> list[Row]:
    """Return one row per query: its negatives, each with the sum of its weights over all batches.

    The rank of a random candidate is unknown.
    """
    sequence = trial.sequence
    assert sequence is not None
    assert trial.negatives is not None
    table = store.load(Negatives, trial.negatives)
    replay = sequence.replay(store.path, collection)
    data, seen = replay.data, np.concatenate(replay.batches)
    times = np.bincount(seen, minlength=len(data.queries)) * data.weights.astype(np.float64)
    written = trial.negatives.written
    read = collection if written is None else with_synthetic(collection, texts_of(store.path(written)))
    passages = Passages(read.titles, read.texts)
    weights: dict[tuple[int, int], float] = {}
    for query, of_query, weight in zip(data.queries.tolist(), data.negatives.tolist(), times.tolist(), strict=True):
        for document in of_query:
            if document >= 0:
                weights[query, document] = weights.get((query, document), 0.0) + weight
    labels, nothing = collection.qrels[sequence.split].at_least(1).by_query(), np.zeros(0, np.int32)
    places = table.ranks if trial.negatives.ranked else np.full_like(table.ranks, -1)
    training_rows = []
    for query, documents, ranks, scores in zip(
        table.queries.tolist(), table.documents.tolist(), places.tolist(), table.scores.tolist(), strict=True
    ):
        negatives: dict[int, Negative] = {}
        for document, rank, score in zip(documents, ranks, scores, strict=True):
            if document >= 0 and document not in negatives:  # a later round may draw it again
                weight = weights.get((query, document), 0.0)
                negatives[document] = Negative(passages[document], rank, score, weight)
        positives = tuple(passages[row] for row in labels.get(query, nothing).tolist())
        training_rows.append(Row(trial.name, collection.queries[query], positives, tuple(negatives.values())))
    return training_rows
