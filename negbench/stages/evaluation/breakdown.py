"""Stages that break down false negatives by rank, score gap and epoch, and measure filters and detectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from negbench.evaluation.breakdown import breakdown
from negbench.evaluation.denoising import denoising
from negbench.evaluation.detection import detection
from negbench.mining import apply_label_rules
from negbench.stages.evaluation import breakdown_files, estimator_inputs
from negbench.stages.inputs import PathOf, read_collection
from negbench.stages.mining.negatives_stage import NegativesStage
from negbench.stages.training.detecting import read_clean
from negbench.stages.training.sequence import TrainingSequence
from negbench.stages.training.train import Train
from negbench.store import Stage


@dataclass(frozen=True, eq=False)
class LocateFalseNegatives(Stage):
    """Count the negatives of a sequence of trainings by rank, score gap, epoch and source, and the relevant ones.

    Empty without truth. No training need have run, unless its pool is searched again.
    """

    kind: ClassVar[str] = "where"
    version: ClassVar[int] = 3
    sequence: TrainingSequence
    negatives: NegativesStage

    def identity(self) -> dict[str, Any]:
        """Return what determines the negatives of the trainings: neither the encoder nor the loss."""
        content = {"inputs": [stage.key for stage in self.inputs], **self.sequence.schedule}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The stages that determine the negatives, and the pools for their scores."""
        parts = (*self.sequence.deciding, *[it.pool for it in self.negatives.by_pool], self.negatives)
        return tuple({stage.key: stage for stage in parts}.values())

    @property
    def label(self) -> str:
        return "locate false negatives by rank, gap and epoch"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Replay the rows of each epoch and count."""
        sequence = self.sequence
        collection = read_collection(path_of(sequence.collection))
        replay = sequence.replay(path_of, collection)
        seen = np.concatenate(replay.batches)
        negatives = estimator_inputs.training_negatives(replay.data, seen, collection, sequence.split)
        drawn = self.negatives.located(path_of)
        rows = np.searchsorted(drawn.negatives.queries, negatives.queries)[:, None]
        columns = replay.columns[seen][:, None] + np.arange(negatives.documents.shape[1])
        columns = np.minimum(columns, drawn.ranks.shape[1] - 1)  # a stage with fewer negatives has gaps in its place
        rounds = replay.rounds[seen] if sequence.is_dynamic else None
        sources = None
        if drawn.sources is not None:
            names = [it.pool.retriever.spelling for it in self.negatives.by_pool]
            sources = drawn.sources[rows, columns], [*names, "filled"]
        details = breakdown(
            negatives,
            drawn.ranks[rows, columns],
            drawn.gaps[rows, columns],
            epochs=replay.epochs[seen],
            rounds=rounds,
            sources=sources,
        )
        breakdown_files.write(details, out)
        return {}


@dataclass(frozen=True, eq=False)
class FilterQuality(Stage):
    """Precision and recall of a draw's filters, against the truth; empty without truth."""

    kind: ClassVar[str] = "denoising"
    version: ClassVar[int] = 2
    draw: NegativesStage

    def identity(self) -> dict[str, Any]:
        """Return the inputs, filters and label rules: draws with other samplers and seeds share this stage."""
        content = {
            "inputs": [stage.key for stage in self.inputs],
            "filters": [rule.identity() for rule in self.draw.rules.filters],
            "labels": [rule.identity() for rule in self.draw.rules.labels],
        }
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The pool, and the features that the filters require."""
        return (self.draw.pool.collection, self.draw.pool, *self.draw.features)

    @property
    def label(self) -> str:
        return f"measure precision and recall of {', '.join(rule.name for rule in self.draw.rules.filters)}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Filter again, and compare the rejected candidates with the truth."""
        collection = read_collection(path_of(self.draw.pool.collection))
        truth = collection.truth.get(self.draw.pool.split)
        if truth is None:
            breakdown_files.write({}, out)
            return {}
        copies = collection.known_copies()
        pool, _ = apply_label_rules(self.draw.candidates(path_of), self.draw.rules, copies)
        relevant = truth.at_least(1).contains(pool.queries[:, None], pool.documents)
        breakdown_files.write(denoising(pool, self.draw.rules.filters, relevant), out)
        return {}


@dataclass(frozen=True, eq=False)
class DetectorQuality(Stage):
    """Precision and recall of the rows that a training's detector flagged, against the truth; empty without truth."""

    kind: ClassVar[str] = "detection"
    version: ClassVar[int] = 2
    training: Train

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The training, and the stages that its rows are made from."""
        made_of = (self.training.collection, self.training.negatives, self.training.clusters)
        return (self.training, *(stage for stage in made_of if stage is not None))

    @property
    def label(self) -> str:
        assert self.training.detector is not None
        return f"measure precision and recall of {self.training.detector.name}"

    def run(self, path_of: PathOf, out: Path) -> dict[str, float]:
        """Compare with the labelled pairs that truth does not call relevant."""
        training = self.training
        collection = read_collection(path_of(training.collection))
        truth = collection.truth.get(training.split)
        if truth is None:
            breakdown_files.write({}, out)
            return {}
        data, _ = training.rows(path_of, collection)
        clean = read_clean(path_of(training))
        mismatched = ~truth.at_least(1).contains(data.queries, data.positives).reshape(clean.shape)
        breakdown_files.write(detection(data.queries[: len(data.keys)], ~clean, mismatched), out)
        return {}
