"""All trainings of a trial, one after another."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from negbench.stages.inputs import LoadCollection, PathOf
from negbench.stages.training.train import Train
from negbench.store import Stage, Store
from negbench.training.data import Instances, in_rounds
from negbench.types import Collection, Int64


@dataclass(frozen=True, slots=True)
class Replay:
    """The rows of all trainings in ``data``, and their ``batches`` in order, as row numbers.

    By row [N]: its ``epochs`` and ``rounds``; ``columns``, the first column of its negatives among those of all rounds
    (``stages.evaluation.training_negatives``). A round is a search for candidates: each phase of a method has its
    own, and each refresh adds one.
    """

    data: Instances
    batches: list[Int64]
    epochs: Int64
    rounds: Int64
    columns: Int64


@dataclass(frozen=True)
class TrainingSequence:
    """The trainings of a trial that end in its encoder; one, unless its method has phases."""

    trainings: tuple[Train, ...]

    @property
    def last(self) -> Train:
        """The training of the final encoder."""
        return self.trainings[-1]

    @property
    def on_labels(self) -> tuple[Train, ...]:
        """The trainings on the collection's own labels; false negatives of made-up queries cannot be known."""
        return tuple(training for training in self.trainings if training.collection == self.collection)

    @property
    def collection(self) -> LoadCollection:
        """The collection with its labels."""
        return self.last.collection

    @property
    def split(self) -> str:
        """The split whose queries are trained on."""
        return self.last.split

    @property
    def is_dynamic(self) -> bool:
        """Whether there are several rounds of negatives."""
        return any(training.is_dynamic for training in self.trainings) or len(self.on_labels) > 1

    @property
    def schedule(self) -> dict[str, Any]:
        """The parameters that determine the rows of each batch, in addition to ``deciding`` and the negatives."""
        schedules = [training.schedule for training in self.on_labels]
        return schedules[0] if len(schedules) == 1 else {"stages": schedules}

    @property
    def deciding(self) -> tuple[Stage, ...]:
        """The stages that ``replay`` reads; a training only where it is refreshed or has a detector."""
        stages: list[Stage | None] = [self.collection]
        for training in self.on_labels:
            stages += [training.negatives, training.clusters]
            stages += [training] if training.is_dynamic else []
            stages += [] if training.detector is None else [training]
        return tuple({stage.key: stage for stage in stages if stage is not None}.values())

    def replay(self, path_of: PathOf, collection: Collection) -> Replay:
        """Return the rows of all trainings on the labels, batch by batch."""
        parts: list[Instances] = []
        batches: list[Int64] = []
        epochs, rounds, columns = [], [], []
        begin = first = column = 0
        for training in self.on_labels:
            data, of_training = training.replay(path_of, collection)
            rows, k = data.negatives.shape
            block, epoch = np.divmod(np.arange(rows) // len(data.keys), training.recipe.epochs)
            draws = 1 if training.negatives is None else training.negatives.epochs
            parts.append(data)
            batches += [batch + begin for batch in of_training]
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
        """Return the curves of all trainings, which have run, by steps counted from the first training on.

        The last value of a step counts.
        """
        curves: dict[str, dict[int, float]] = {}
        before = 0
        for training in self.trainings:
            for name, points in json.loads((store.path(training) / "curves.json").read_text()).items():
                curves.setdefault(name, {}).update({before + step: value for step, value in points})
            if training is not self.last:
                before += int(store.cost(training)["steps"])
        return {name: sorted(points.items()) for name, points in curves.items()}


def _widened(data: Instances, k: int) -> Instances:
    rows, width = data.negatives.shape
    return replace(data, negatives=np.hstack([data.negatives, np.full((rows, k - width), -1, np.int32)]))
