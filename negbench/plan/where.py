"""The stages that tell where false negatives lie, and what filters and detectors find."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from negbench.evaluation.denoising import denoising
from negbench.evaluation.detection import detection
from negbench.evaluation.where import where
from negbench.mining import apply_label_rules
from negbench.plan import details, evidence
from negbench.plan.course import Course
from negbench.plan.detecting import read_clean
from negbench.plan.draw import DrawNegatives
from negbench.plan.handed import Handing, read_drawn
from negbench.plan.sources import At, read_collection
from negbench.plan.training import Train
from negbench.store import Stage


@dataclass(frozen=True, eq=False)
class LocateFalseNegatives(Stage):
    """Count what a course of trainings is handed by rank, score gap and epoch, and how much of it is relevant.

    Without truth it finds nothing. No training need have run, unless its pool is searched again.
    """

    kind: ClassVar[str] = "where"
    version: ClassVar[int] = 2
    course: Course
    negatives: Handing

    def identity(self) -> dict[str, Any]:
        """Return what decides which negatives are handed to the trainings: not the encoder, nor the loss."""
        content = {"inputs": [stage.key for stage in self.inputs], **self.course.schedule}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """What decides, and the pool for its scores."""
        parts = (*self.course.deciding, self.negatives.pool, self.negatives)
        return tuple({stage.key: stage for stage in parts}.values())

    @property
    def label(self) -> str:
        """What it is."""
        return "locate false negatives"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Replay which rows each epoch holds, and look."""
        course = self.course
        collection = read_collection(at(course.collection))
        replay = course.replay(at, collection)
        seen = np.concatenate(replay.batches)
        handed = evidence.handed(replay.data, seen, collection, course.split)
        drawn = read_drawn(self.negatives, at)
        rows = np.searchsorted(drawn.negatives.queries, handed.queries)[:, None]
        columns = replay.columns[seen][:, None] + np.arange(handed.documents.shape[1])
        columns = np.minimum(columns, drawn.ranks.shape[1] - 1)  # a stage with fewer negatives has gaps in its place
        told = replay.rounds[seen] if course.moves else None
        found = where(handed, drawn.ranks[rows, columns], drawn.gaps[rows, columns], replay.epochs[seen], told)
        details.write(found, out)
        return {}


@dataclass(frozen=True, eq=False)
class JudgeFilters(Stage):
    """Precision and recall of a draw's filters, against the truth; nothing without truth."""

    kind: ClassVar[str] = "denoising"
    draw: DrawNegatives

    def identity(self) -> dict[str, Any]:
        """Return what the filters see: neither sampler nor seed have a say, so draws share it."""
        content = {
            "inputs": [stage.key for stage in self.inputs],
            "filters": [rule.identity() for rule in self.draw.filters],
            "labels": [rule.identity() for rule in self.draw.labels],
        }
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The pool, and the answers that the filters ask for."""
        return (self.draw.pool.collection, self.draw.pool, *self.draw.answers)

    @property
    def label(self) -> str:
        """Whose."""
        return f"judge {', '.join(rule.name for rule in self.draw.filters)}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Filter again, and look."""
        collection = read_collection(at(self.draw.pool.collection))
        truth = collection.truth.get(self.draw.pool.split)
        if truth is None:
            details.write({}, out)
            return {}
        copies = collection.known_copies()
        pool, _ = apply_label_rules(self.draw.candidates(at), self.draw.rules, copies)
        relevant = truth.at_least(1).contains(pool.queries[:, None], pool.documents)
        details.write(denoising(pool, self.draw.filters, relevant), out)
        return {}


@dataclass(frozen=True, eq=False)
class JudgeDetector(Stage):
    """Precision and recall of what a training's detector flagged, against the truth; nothing without truth."""

    kind: ClassVar[str] = "detection"
    training: Train

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The training, and what its rows are made of."""
        made_of = (self.training.collection, self.training.negatives, self.training.clusters)
        return (self.training, *(stage for stage in made_of if stage is not None))

    @property
    def label(self) -> str:
        """Whose."""
        assert self.training.detector is not None
        return f"judge {self.training.detector.name}"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Compare with the labelled pairs that truth does not call relevant."""
        training = self.training
        collection = read_collection(at(training.collection))
        truth = collection.truth.get(training.split)
        if truth is None:
            details.write({}, out)
            return {}
        data, _ = training.rows(at, collection)
        clean = read_clean(at(training))
        mismatched = ~truth.at_least(1).contains(data.queries, data.positives).reshape(clean.shape)
        details.write(detection(data.queries[: len(data.keys)], ~clean, mismatched), out)
        return {}
