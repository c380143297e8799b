"""All trainings of a trial, one after another."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from negbench.plan.sources import At, LoadCollection
from negbench.plan.training import Train
from negbench.store import Stage, Store
from negbench.training.data import Instances, in_rounds
from negbench.types import Collection, Int64


@dataclass(frozen=True, slots=True)
class Replay:
    """Which rows trainings saw: ``data`` holds the rows of all, ``batches`` them in order, as row numbers.

    By row [N]: ``epochs`` and ``rounds`` in which it stands; ``columns``, where its negatives begin among those of all
    rounds (``plan.handed``). A round is a search for candidates: a stage of a method has its own, a refresh makes more.
    """

    data: Instances
    batches: list[Int64]
    epochs: Int64
    rounds: Int64
    columns: Int64


@dataclass(frozen=True)
class Course:
    """The trainings of a trial that end in its encoder; one, unless its method has stages."""

    trainings: tuple[Train, ...]

    @property
    def last(self) -> Train:
        """The one that makes the encoder."""
        return self.trainings[-1]

    @property
    def on_labels(self) -> tuple[Train, ...]:
        """Those on the collection's own labels; what is false among negatives for made-up queries is not known."""
        return tuple(training for training in self.trainings if training.collection == self.collection)

    @property
    def collection(self) -> LoadCollection:
        """The collection with its labels."""
        return self.last.collection

    @property
    def split(self) -> str:
        """Whose queries are trained on."""
        return self.last.split

    @property
    def moves(self) -> bool:
        """Whether there are several rounds of negatives."""
        return any(training.refresh.moves for training in self.trainings) or len(self.on_labels) > 1

    @property
    def schedule(self) -> dict[str, Any]:
        """What decides, beside ``deciding`` and the negatives, which rows each batch holds."""
        schedules = [training.schedule for training in self.on_labels]
        return schedules[0] if len(schedules) == 1 else {"stages": schedules}

    @property
    def deciding(self) -> tuple[Stage, ...]:
        """What must be there for ``replay``: as a rule no training need have run."""
        found: list[Stage | None] = [self.collection]
        for training in self.on_labels:
            found += [training.negatives, training.clusters]
            found += [] if training.redrawn is None else [training, training.redrawn]
            found += [] if training.detector is None else [training]
        return tuple({stage.key: stage for stage in found if stage is not None}.values())

    def replay(self, at: At, collection: Collection) -> Replay:
        """Return the rows of all trainings on the labels, batch by batch."""
        parts: list[Instances] = []
        batches: list[Int64] = []
        epochs, rounds, columns = [], [], []
        begin = first = column = 0
        for training in self.on_labels:
            data, mine = training.replay(at, collection)
            rows, k = data.negatives.shape
            block, epoch = np.divmod(np.arange(rows) // len(data.keys), training.recipe.epochs)
            draws = 1 if training.negatives is None else training.negatives.epochs
            parts.append(data)
            batches += [batch + begin for batch in mine]
            epochs.append(epoch)
            rounds.append(first + block)
            columns.append(column + k * (block * draws + (epoch if draws > 1 else 0)))
            begin, first, column = begin + rows, int(first + block[-1] + 1), int(column + k * draws * (block[-1] + 1))
        if len(parts) == 1:
            data = parts[0]
        else:
            widest = max(data.negatives.shape[1] for data in parts)
            data = in_rounds([_widened(data, widest) for data in parts])
        return Replay(data, batches, np.concatenate(epochs), np.concatenate(rounds), np.concatenate(columns))

    def curves(self, store: Store) -> dict[str, list[tuple[int, float]]]:
        """Return the curves of all trainings, which have run, by the steps of all; the last value of a step counts."""
        found: dict[str, dict[int, float]] = {}
        before = 0
        for training in self.trainings:
            for name, points in json.loads((store.path(training) / "curves.json").read_text()).items():
                found.setdefault(name, {}).update({before + step: value for step, value in points})
            if training is not self.last:
                before += int(store.cost(training)["steps"])
        return {name: sorted(points.items()) for name, points in found.items()}


def _widened(data: Instances, k: int) -> Instances:
    rows, mine = data.negatives.shape
    return replace(data, negatives=np.hstack([data.negatives, np.full((rows, k - mine), -1, np.int32)]))
