"""Negatives of a grid's methods, weighted as in their trainings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from negbench.collections.layouts.rows import Negative, Row
from negbench.config.grid import read
from negbench.errors import InputError
from negbench.plan.damage import repeat_if_damaged
from negbench.plan.trials import Trial, trials
from negbench.stages.inputs import read_collection
from negbench.stages.mining.writing import texts_of, with_synthetic
from negbench.store import Stage, Store
from negbench.types import Collection, Negatives, Passages


def rows(path: Path, store: Store) -> tuple[dict[str, list[Row]], Collection]:
    """Return the negatives of a grid file or a manifest by method, and the collection.

    Seeds are pooled; a method at several points of the axes is several methods. Of several collections the first is
    read. Raises InputError if the negatives are not stored yet.
    """
    return of_trials(trials(read(path)), str(path), store)


def of_trials(planned: Sequence[Trial], place: str, store: Store) -> tuple[dict[str, list[Row]], Collection]:
    """Return what ``rows`` returns, of a grid's trials; errors begin with ``place``."""
    same = audited(planned)
    if not same:
        raise InputError(f"{place}: none of its methods mines negatives; add one that does, such as bm25")
    needed = [stage for trial in same for stage in _needed(trial)]
    return repeat_if_damaged(store, needed, partial(_read, place, store, same))


def audited(planned: Sequence[Trial]) -> list[Trial]:
    """Return the trials that an audit covers: those that mine negatives, on the first collection of these."""
    mining = [trial for trial in planned if trial.negatives is not None]
    return [trial for trial in mining if trial.evaluation.collection.key == mining[0].evaluation.collection.key]


def method_of(trial: Trial) -> str:
    """Return the name of a trial's method in an audit: its spelling, and its point on the axes."""
    return trial.spelling + "".join(f" {key}={value}" for key, value in trial.axis_values.items())


def _needed(trial: Trial) -> tuple[Stage, ...]:
    assert trial.false_negatives is not None
    return (trial.evaluation.collection, *trial.false_negatives.inputs)


def _read(place: str, store: Store, same: Sequence[Trial]) -> tuple[dict[str, list[Row]], Collection]:
    for trial in same:
        if missing := [stage for stage in _needed(trial) if not store.has(stage)]:
            raise InputError(
                f"{place}: the negatives of {trial.name} are not stored (missing stage: {missing[0].label}); "
                f"run `negbench run {place}` first"
            )
    collection = read_collection(store.path(same[0].evaluation.collection))
    by_method: dict[str, list[Row]] = {}
    for trial in same:
        by_method.setdefault(method_of(trial), []).extend(_of(trial, store, collection))
    return by_method, collection


def _of(trial: Trial, store: Store, collection: Collection) -> list[Row]:
    """Return one row per query: its negatives, each with the sum of its weights over all batches."""
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
    training_rows = []
    for query, documents, ranks, scores in zip(
        table.queries.tolist(), table.documents.tolist(), table.ranks.tolist(), table.scores.tolist(), strict=True
    ):
        negatives: dict[int, Negative] = {}
        for document, rank, score in zip(documents, ranks, scores, strict=True):
            if document >= 0 and document not in negatives:  # a later round may draw it again
                weight = weights.get((query, document), 0.0)
                negatives[document] = Negative(passages[document], rank, score, weight)
        positives = tuple(passages[row] for row in labels.get(query, nothing).tolist())
        training_rows.append(Row(trial.name, collection.queries[query], positives, tuple(negatives.values())))
    return training_rows
