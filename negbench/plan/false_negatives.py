"""The stages that estimate false-negative rates: one an estimator, and one for the documents of a batch."""

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
from negbench.plan import evidence
from negbench.plan.answers import ScorePool
from negbench.plan.course import Course
from negbench.plan.draw import DrawNegatives
from negbench.plan.handed import handing
from negbench.plan.judging import JudgeNegatives
from negbench.plan.sources import At, read_collection
from negbench.store import Stage
from negbench.types import Float64


@dataclass(frozen=True, eq=False)
class CountInBatch(Stage):
    """Count the false negatives among the in-batch documents of a course of trainings, by the collection's truth.

    Only this stage, ``EstimateFalseNegatives``, those of ``plan.where`` and ``plan.gradient``, and ``RepairNegatives``
    read a collection's truth.
    """

    kind: ClassVar[str] = "in-batch-false-negatives"
    version: ClassVar[int] = 1
    course: Course

    @property
    def parameters(self) -> dict[str, Any]:
        """What decides beside the negatives that are handed to the trainings."""
        return {}

    @property
    def read(self) -> tuple[Stage, ...]:
        """What is read beside these."""
        return ()

    def identity(self) -> dict[str, Any]:
        """Return what decides which negatives are handed to the trainings: not the encoder, nor the loss.

        Unless these move with the encoder: then the training itself decides.
        """
        course = self.course
        clusters = [training.clusters for training in course.on_labels]
        parts = (course.collection, handing(course), *clusters, *self.read)
        inputs = [None if stage is None else stage.key for stage in parts]
        content = {"inputs": inputs, **self.parameters, **course.schedule}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """What decides: as a rule the training itself need not have run."""
        drawn = handing(self.course)
        parts: list[Stage | None] = [*self.course.deciding, drawn, *self.read]
        if drawn is not None:
            parts += [drawn.pool, *(it for it in drawn.answers if isinstance(it, ScorePool))]
        return tuple({stage.key: stage for stage in parts if stage is not None}.values())

    @property
    def label(self) -> str:
        """What is counted."""
        return "count false negatives in batches"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Replay which rows each batch holds, and look."""
        course = self.course
        collection = read_collection(at(course.collection))
        replay = course.replay(at, collection)
        rates: dict[str, Rate] = {}
        if (truth := collection.truth.get(course.split)) is not None:
            data, batches = replay.data, [batch.astype(np.int32) for batch in replay.batches]
            kind = "exact" if collection.truth_kind == "complete" else "exact-proxy"
            rates[f"{kind}/in-batch"] = in_batch.false_negatives(
                batches, data.queries, data.positives, evidence.in_corpus(data, collection), data.known, truth
            )
        _write(rates, out)
        return {}


@dataclass(frozen=True, eq=False)
class EstimateFalseNegatives(CountInBatch):
    """Estimate the false-negative rate of the negatives that a course of trainings is handed, by one estimator.

    One stage an estimator: what is estimated by the others does not depend on it.
    """

    kind: ClassVar[str] = "false-negatives"
    version: ClassVar[int] = 5
    estimator: Estimator
    judging: JudgeNegatives | None = None
    held_out: DrawNegatives | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The estimator."""
        return {"estimator": self.estimator.identity()}

    @property
    def read(self) -> tuple[Stage, ...]:
        """The judge's scores and the held-out pass, with its labels."""
        parts: list[Stage | None] = [self.judging, self.held_out]
        parts += [] if self.held_out is None else [self.held_out.pool.collection]
        return tuple(stage for stage in parts if stage is not None)

    @property
    def label(self) -> str:
        """What is estimated."""
        return f"estimate false negatives, {self.estimator.spelling}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Replay which rows each batch holds, and ask the estimator."""
        course = self.course
        collection = read_collection(at(course.collection))
        replay = course.replay(at, collection)
        handed = evidence.handed(replay.data, np.concatenate(replay.batches), collection, course.split)
        if (drawn := handing(course)) is not None:
            handed = evidence.add(handed, at, drawn, self.judging, self.held_out)
        _write(self.estimator.estimate(handed), out)
        return {}


def read_rates(stages: Sequence[CountInBatch], at: At) -> dict[str, dict[str, Any]]:
    """Return the rates of finished ``stages`` by name, each as plain data, None for what is not known."""
    found: dict[str, dict[str, Any]] = {}
    for stage in stages:
        found |= json.loads((at(stage) / "rates.json").read_text())
    return found


def read_clusters(stages: Sequence[CountInBatch], at: At) -> dict[str, Float64]:
    """Return hits and totals by distinct query [2, n] of the rates of finished ``stages`` that have them, by name."""
    found: dict[str, Float64] = {}
    for stage in stages:
        for name in json.loads((at(stage) / "rates.json").read_text()):
            if (path := _clusters(at(stage), name)).exists():
                found[name] = np.load(path, allow_pickle=False)
    return found


def _write(rates: Mapping[str, Rate], out: Path) -> None:
    told = ("rate", "low", "high", "unit", "note")
    plain = {name: {key: _known(getattr(rate, key)) for key in told} for name, rate in rates.items()}
    (out / "rates.json").write_text(json.dumps(plain, indent=1) + "\n")
    for name, rate in rates.items():
        if rate.clusters is not None:
            np.save(_clusters(out, name), rate.clusters, allow_pickle=False)


def _clusters(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '-')}.npy"


def _known(value: float | str) -> float | str | None:
    """Return None for NaN, which JSON does not have."""
    return None if value != value else value
