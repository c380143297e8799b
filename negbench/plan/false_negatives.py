"""The stage that estimates false-negative rates."""

from __future__ import annotations

import json
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


@dataclass(frozen=True, eq=False)
class CountFalseNegatives(Stage):
    """Estimate the false-negative rate of what a course of trainings is handed, by every estimator that applies.

    Only this stage, those of ``plan.where`` and ``plan.gradient``, and ``RepairNegatives`` read a collection's truth.
    """

    kind: ClassVar[str] = "false-negatives"
    version: ClassVar[int] = 4
    course: Course
    estimators: tuple[Estimator, ...]
    judging: JudgeNegatives | None = None
    held_out: DrawNegatives | None = None

    def identity(self) -> dict[str, Any]:
        """Return what decides which negatives are handed to the trainings: not the encoder, nor the loss.

        Unless these move with the encoder: then the training itself decides.
        """
        course = self.course
        clusters = [training.clusters for training in course.on_labels]
        parts = (course.collection, handing(course), *clusters, self.judging, self.held_out)
        content = {
            "inputs": [None if stage is None else stage.key for stage in parts],
            "estimators": [estimator.identity() for estimator in self.estimators],
            **course.schedule,
        }
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """What decides: as a rule the training itself need not have run."""
        drawn = handing(self.course)
        parts: list[Stage | None] = [*self.course.deciding, drawn, self.judging, self.held_out]
        if drawn is not None:
            parts += [drawn.pool, *(it for it in drawn.answers if isinstance(it, ScorePool))]
        if self.held_out is not None:
            parts.append(self.held_out.pool.collection)
        return tuple({stage.key: stage for stage in parts if stage is not None}.values())

    @property
    def label(self) -> str:
        """What is counted."""
        return "count false negatives"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Replay which rows each batch holds, and look."""
        course = self.course
        collection = read_collection(at(course.collection))
        replay = course.replay(at, collection)
        data, batches = replay.data, replay.batches
        truth = collection.truth.get(course.split)
        handed = evidence.handed(data, np.concatenate(batches), collection, course.split)
        if (drawn := handing(course)) is not None:
            handed = evidence.add(handed, at, drawn, self.judging, self.held_out)
        rates: dict[str, Rate] = {}
        for estimator in self.estimators:
            rates |= estimator.estimate(handed)
        if truth is not None:
            kind = "exact" if collection.truth_kind == "complete" else "exact-proxy"
            rows = [batch.astype(np.int32) for batch in batches]
            rates[f"{kind}/in-batch"] = in_batch.false_negatives(
                rows, data.queries, data.positives, evidence.in_corpus(data, collection), data.known, truth
            )
        told = ("rate", "low", "high", "unit", "note")
        plain = {name: {key: _known(getattr(rate, key)) for key in told} for name, rate in rates.items()}
        (out / "rates.json").write_text(json.dumps(plain, indent=1) + "\n")
        for name, rate in rates.items():
            if rate.clusters is not None:
                np.save(out / f"{name}.npy", rate.clusters, allow_pickle=False)
        return {}


def _known(value: float | str) -> float | str | None:
    """Return None for NaN, which JSON does not have."""
    return None if value != value else value
