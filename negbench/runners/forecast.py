"""What a run of a plan takes, roughly: trainings and steps, seconds, bytes; and the sizes of its collections."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from negbench.collections import Source
from negbench.config.grid import Grid
from negbench.encoders import files
from negbench.encoders.modules import dimensions_of
from negbench.plan.graph import Planned
from negbench.plan.trials import Trial
from negbench.report.sizes import Sizes
from negbench.runners.reading_times import ReadingTimes
from negbench.stages.evaluation.quality import EvaluateEncoder, EvaluateRetriever
from negbench.stages.inputs import (
    Embed,
    LoadCollection,
    StartEncoder,
    read_collection,
    split_queries,
    start_of,
)
from negbench.stages.mining.pool import BuildPool
from negbench.stages.training.train import Train
from negbench.store import Stage, Store, ancestors
from negbench.store.integrity import DamagedError, read_record
from negbench.types import Collection

Amount = TypeVar("Amount", int, float)
SecondsOf = Callable[[Stage], float | None]

ROOTS: Final = (LoadCollection.kind, StartEncoder.kind)
"""Stages of equal kind that rest on the same stages of these kinds take about the same time."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Stages that are alike: how many there are, how many of them are stored, damaged and left to run.

    ``seconds`` is what those that are left take, None where nothing tells for one of them. ``by_stored``: the store has
    some like one of them, by which these are timed.
    """

    name: str
    stages: int
    stored: int
    damaged: int
    left: int
    seconds: float | None
    by_stored: bool


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is left of a plan: ``trainings`` and their ``steps``, None where the size of a collection is not known.

    ``all_trainings`` and ``all_steps`` count the stored ones too. ``steps_a_training`` are the fewest and the most
    steps that a trial's encoder is trained for, over all phases. ``model_bytes`` and ``vector_bytes`` are what the
    encoders and the vectors that are left take in the store. Each is None where that is not known. ``sizes`` are those
    of the collections that are at hand, ``unread`` the names of those that would have to be downloaded first.
    ``speeds`` are the tokens a second that times rest on, by encoder and collection, where no stage like it is stored.
    """

    groups: list[Group]
    all_trainings: int
    trainings: int
    all_steps: int | None
    steps: int | None
    steps_a_training: tuple[int, int] | None
    model_bytes: int | None
    vector_bytes: int | None
    sizes: list[Sizes]
    unread: list[str]
    speeds: dict[str, float]

    @property
    def seconds(self) -> float | None:
        """Seconds of what is left whose time is known; None where that of the trainings, which take most, is not."""
        if Train.kind in self.untimed:
            return None
        return sum(one.seconds for one in self.groups if one.seconds is not None)

    @property
    def by_stored(self) -> bool:
        """Whether ``seconds`` rests on stored stages, among others."""
        return any(one.by_stored and one.seconds is not None for one in self.groups)

    @property
    def untimed(self) -> list[str]:
        """Names of the groups of which something is left that has no known time."""
        return [one.name for one in self.groups if one.left and one.seconds is None]


def forecast(grid: Grid, trials: Sequence[Trial], stages: Sequence[Planned], store: Store) -> Forecast:
    """Return what is left of a plan. Collections are read, but nothing is stored and nothing downloaded.

    Raises InputError for a collection that cannot be read, and for one without a split that a missing stage needs.
    """
    at_hand = _Collections(store)
    left = [one.stage for one in stages if not one.stored]
    for stage in left:
        if isinstance(stage, EvaluateEncoder | EvaluateRetriever | Train | BuildPool):
            with grid.located(stage.collection.source.spelling):
                collection = at_hand.of(stage.collection)
                if collection is not None:
                    split_queries(collection, stage.split)
    trainings = [one.stage for one in stages if isinstance(one.stage, Train)]
    steps = {stage.key: steps_of(stage, at_hand.of(stage.collection)) for stage in trainings}
    times, reading = _Times(store, left), ReadingTimes(store)

    def by_stored(stage: Stage) -> float | None:
        return times.of(stage, steps.get(stage.key))

    def by_reading(stage: Stage) -> float | None:
        if not isinstance(stage, Embed | Train):
            return None
        collection = at_hand.of(stage.collection)
        return reading.of(stage, rows_of(stage, collection) if isinstance(stage, Train) else None, collection)

    groups: dict[str, list[Planned]] = {}
    for one in stages:
        groups.setdefault(one.stage.effort, []).append(one)
    used = {
        (trial.axis_values.get("collection", trial.collection_name), trial.settings.split): trial.evaluation.collection
        for trial in trials
    }
    known = {names: at_hand.of(loaded) for names, loaded in used.items()}
    missing = [stage for stage in trainings if stage in left]
    return Forecast(
        groups=[_group(name, planned, by_stored, by_reading) for name, planned in groups.items()],
        all_trainings=len(trainings),
        trainings=len(missing),
        all_steps=_sum(steps[stage.key] for stage in trainings),
        steps=_sum(steps[stage.key] for stage in missing),
        steps_a_training=_fewest_and_most(trials, steps),
        model_bytes=_sum(_model_bytes(stage) for stage in left if isinstance(stage, StartEncoder | Train)),
        vector_bytes=_sum(_vector_bytes(it, at_hand.of(it.collection)) for it in left if isinstance(it, Embed)),
        sizes=[Sizes.of(name, it, split) for (name, split), it in known.items() if it is not None],
        unread=[name for (name, _), it in known.items() if it is None],
        speeds=reading.speeds,
    )


class _Collections:
    """Collections of a plan: from the store, or read from where they are unless that may download them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Collection | None] = {}

    def of(self, loaded: LoadCollection) -> Collection | None:
        if loaded.fingerprint not in self._read:
            found = None
            if self._store.has(loaded):
                found = read_collection(self._store.path(loaded))
            elif not _is_remote(loaded.source):
                found = loaded.source.load()
            self._read[loaded.fingerprint] = found
        return self._read[loaded.fingerprint]


def _is_remote(source: Source) -> bool:
    inner = source.parameters.get("collection")
    return source.downloads or (isinstance(inner, Source) and _is_remote(inner))


def _group(name: str, planned: Sequence[Planned], by_stored: SecondsOf, by_reading: SecondsOf) -> Group:
    left = [one.stage for one in planned if not one.stored]
    stored = {stage: seconds for stage in left if (seconds := by_stored(stage)) is not None}
    return Group(
        name=name,
        stages=len(planned),
        stored=len(planned) - len(left),
        damaged=sum(one.damaged for one in planned),
        left=len(left),
        seconds=_sum(stored[stage] if stage in stored else by_reading(stage) for stage in left),
        by_stored=bool(stored),
    )


def _sum(amounts: Iterable[Amount | None]) -> Amount | None:
    """Return the sum, None where one is unknown."""
    total: Any = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return cast("Amount", total)


def steps_of(stage: Train, collection: Collection | None) -> int | None:
    """Return the number of steps of a training, none of whose rows is left out."""
    if collection is None:
        return None
    steps = stage.recipe.epochs * math.ceil(_rows_an_epoch(stage, collection) / stage.recipe.batch_size)
    first, last = stage.step_range or (0.0, 1.0)
    return round(last * steps) - round(first * steps)


def rows_of(stage: Train, collection: Collection | None) -> float | None:
    """Return the number of pairs that a training reads over all epochs, none of which is left out."""
    if collection is None:
        return None
    first, last = stage.step_range or (0.0, 1.0)
    return (last - first) * stage.recipe.epochs * _rows_an_epoch(stage, collection)


def _rows_an_epoch(stage: Train, collection: Collection) -> int:
    recipe, labels = stage.recipe, collection.qrels[stage.split].at_least(1)
    queries = len(collection.split_queries(stage.split))
    rows = queries if recipe.positives == "one" else len(labels)
    if recipe.queries is not None and queries:
        rows = round(rows * min(1.0, recipe.queries / queries))
    return rows


def _fewest_and_most(trials: Sequence[Trial], steps: dict[str, int | None]) -> tuple[int, int] | None:
    """Return the fewest and the most steps that the encoder of a trial is trained for, None where one is unknown."""
    found = []
    for trial in trials:
        if trial.training is not None:
            amount = _sum(steps[stage.key] for stage in ancestors(trial.training) if isinstance(stage, Train))
            if amount is None:
                return None
            found.append(amount)
    return (min(found), max(found)) if found else None


def _model_bytes(stage: Stage) -> int | None:
    """Return the size of the weights of the encoder that a stage writes, as that of the start's; None if unknown."""
    start = start_of(stage)
    folder = None if start is None else files.snapshot(start.spec)
    weights = [] if folder is None else list(folder.rglob("*.safetensors"))
    return sum(map(_size, weights)) if weights else None


def _size(path: Path) -> int:
    return path.stat().st_size


def _vector_bytes(stage: Embed, collection: Collection | None) -> int | None:
    start = start_of(stage)
    width = None if start is None else dimensions_of(start.spec)
    if width is None or collection is None:
        return None
    if stage.split is None:
        return len(collection.document_ids) * width * stage.bytes_a_number
    return len(collection.split_queries(stage.split)) * width * stage.bytes_a_number


@dataclass
class _Times:
    """Measured seconds of the stored stages that are like those that are left."""

    store: Store
    left: Sequence[Stage]
    _records: dict[str, dict[str, Any]] = field(init=False, default_factory=dict)
    _roots: dict[str, frozenset[str]] = field(init=False, default_factory=dict)
    _measured: dict[tuple[Any, ...], list[dict[str, float]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read the records of the store; those that are damaged count as not there."""
        kinds = {stage.kind for stage in self.left}
        for folder in self.store.folders() if self.left else ():
            try:
                self._records[folder.name] = read_record(folder)
            except DamagedError:
                continue
        for key, record in self._records.items():
            if record["stage"] in kinds:
                alike = (record["stage"], record["parameters"].get("side"), self._stored_roots(key))
                self._measured.setdefault(alike, []).append(record["cost"])

    def of(self, stage: Stage, steps: int | None) -> float | None:
        """Return the seconds of a stage; a training's by its steps."""
        costs = self._measured.get((stage.kind, getattr(stage, "side", None), self._planned_roots(stage)), [])
        if not costs:
            return None
        if isinstance(stage, Train):
            done = sum(cost.get("steps", 0.0) for cost in costs)
            return None if not done or steps is None else steps * sum(cost["seconds"] for cost in costs) / done
        return statistics.fmean(cost["seconds"] for cost in costs)

    def _stored_roots(self, key: str) -> frozenset[str]:
        """Return the keys of the collections and starting encoders that an artifact rests on."""
        if key not in self._roots:
            record = self._records.get(key, {"stage": "", "inputs": ()})
            own = frozenset({key} if record["stage"] in ROOTS else ())
            self._roots[key] = own.union(*map(self._stored_roots, record["inputs"]))
        return self._roots[key]

    def _planned_roots(self, stage: Stage) -> frozenset[str]:
        if stage.key not in self._roots:
            own = frozenset({stage.key} if stage.kind in ROOTS else ())
            self._roots[stage.key] = own.union(*map(self._planned_roots, stage.inputs))
        return self._roots[stage.key]
