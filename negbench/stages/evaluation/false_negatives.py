"""Stages that estimate false-negative rates: one per estimator, and one for in-batch documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from negbench.evaluation import in_batch
from negbench.evaluation.false_negatives import Estimator, Rate
from negbench.requirements import TeacherScores
from negbench.stages.evaluation import estimator_inputs
from negbench.stages.evaluation.judging import JudgeNegatives
from negbench.stages.evaluation.training_negatives import negatives_of
from negbench.stages.inputs import PathOf, read_collection
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.mining.pool_features import stage_of
from negbench.stages.training.sequence import TrainingSequence
from negbench.store import Stage
from negbench.types import Float64


@dataclass(frozen=True, eq=False)
class CountInBatch(Stage):
    """Count the false negatives among the in-batch documents of a sequence of trainings, by the collection's truth.

    Only this stage, ``EstimateFalseNegatives``, those of ``stages.evaluation.breakdown`` and of
    ``stages.evaluation.gradient``, and ``RepairNegatives`` read a collection's truth.
    """

    kind: ClassVar[str] = "in-batch-false-negatives"
    version: ClassVar[int] = 2
    sequence: TrainingSequence

    @property
    def parameters(self) -> dict[str, Any]:
        """Further parameters of the identity."""
        return {}

    @property
    def read(self) -> tuple[Stage, ...]:
        """Further input stages."""
        return ()

    def identity(self) -> dict[str, Any]:
        """Return what determines the negatives of the trainings: neither the encoder nor the loss.

        Where negatives are replaced during a training, the training itself is part of it.
        """
        sequence = self.sequence
        clusters = [training.clusters for training in sequence.on_labels]
        parts = (sequence.collection, negatives_of(sequence), *clusters, *self.read)
        inputs = [None if stage is None else stage.key for stage in parts]
        content = {"inputs": inputs, **self.parameters, **sequence.schedule}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The stages that determine the batches; the training itself only where negatives or weights depend on it."""
        drawn = negatives_of(self.sequence)
        parts: list[Stage | None] = [*self.sequence.deciding, drawn, *self.read]
        if drawn is not None:
            parts += [it.pool for it in drawn.by_pool]
            parts += [stage_of(it.features, TeacherScores) for it in drawn.by_pool]
        return tuple({stage.key: stage for stage in parts if stage is not None}.values())

    @property
    def label(self) -> str:
        return "count in-batch false negatives"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Replay the rows of each batch and count."""
        sequence = self.sequence
        collection = read_collection(path_of(sequence.collection))
        replay = sequence.replay(path_of, collection)
        rates: dict[str, Rate] = {}
        if (truth := collection.truth.get(sequence.split)) is not None:
            data, batches = replay.data, [batch.astype(np.int32) for batch in replay.batches]
            negatives = estimator_inputs.in_corpus(data, collection)
            if data.further_positives is not None:  # to other rows they are negatives, to their own known positives
                negatives = np.hstack([negatives, data.further_positives])
            rates[in_batch.NAMES[collection.truth_kind]] = in_batch.false_negatives(
                batches, data.queries, data.positives, negatives, data.known, truth
            )
        _write(rates, out)
        return {}


@dataclass(frozen=True, eq=False)
class EstimateFalseNegatives(CountInBatch):
    """False-negative rate of the mined negatives of a sequence of trainings, by one estimator.

    Each estimator has a stage of its own, so that a change of one leaves the others stored.
    """

    kind: ClassVar[str] = "false-negatives"
    version: ClassVar[int] = 6
    estimator: Estimator
    judging: JudgeNegatives | None = None
    held_out: NegativesStage | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        return {"estimator": self.estimator.identity()}

    @property
    def read(self) -> tuple[Stage, ...]:
        """The judge's scores and the held-out pass, with its labels."""
        parts: list[Stage | None] = [self.judging, self.held_out]
        parts += [] if self.held_out is None else [self.held_out.pool.collection]
        return tuple(stage for stage in parts if stage is not None)

    @property
    def label(self) -> str:
        return f"estimate the false-negative rate, {self.estimator.spelling}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Replay the rows of each batch, and estimate."""
        sequence = self.sequence
        collection = read_collection(path_of(sequence.collection))
        replay = sequence.replay(path_of, collection)
        negatives = estimator_inputs.training_negatives(
            replay.data, np.concatenate(replay.batches), collection, sequence.split
        )
        if (drawn := negatives_of(sequence)) is not None:
            negatives = estimator_inputs.add(negatives, path_of, drawn, self.judging, self.held_out)
        _write(self.estimator.checked_rates(negatives), out)
        return {}


def read_rates(stages: Sequence[CountInBatch], path_of: PathOf) -> dict[str, dict[str, Any]]:
    """Return the rates of finished ``stages`` by name, each as plain data, None for NaN."""
    rates: dict[str, dict[str, Any]] = {}
    for stage in stages:
        rates |= json.loads((path_of(stage) / "rates.json").read_text())
    return rates


def read_clusters(stages: Sequence[CountInBatch], path_of: PathOf) -> dict[str, Float64]:
    """Return hits and totals by distinct query [2, n] of the rates of finished ``stages`` that have them, by name."""
    clusters: dict[str, Float64] = {}
    for stage in stages:
        for name in json.loads((path_of(stage) / "rates.json").read_text()):
            if (path := _clusters(path_of(stage), name)).exists():
                clusters[name] = np.load(path, allow_pickle=False)
    return clusters


def _write(rates: Mapping[str, Rate], out: Path) -> None:
    fields = ("rate", "low", "high", "unit", "note")
    plain = {name: {key: _known(getattr(rate, key)) for key in fields} for name, rate in rates.items()}
    (out / "rates.json").write_text(json.dumps(plain, indent=1) + "\n")
    for name, rate in rates.items():
        if rate.clusters is not None:
            np.save(_clusters(out, name), rate.clusters, allow_pickle=False)


def _clusters(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '-')}.npy"


def _known(value: float | str) -> float | str | None:
    """Return None for NaN, which JSON does not have."""
    return None if value != value else value
