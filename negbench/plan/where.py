"""The stages that tell where false negatives lie, and what filters find of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from negbench.evaluation.denoising import denoising
from negbench.evaluation.where import where
from negbench.mining import judged
from negbench.plan import details, evidence
from negbench.plan.draw import DrawNegatives
from negbench.plan.handed import Handing, read_drawn
from negbench.plan.sources import At, read_collection
from negbench.plan.training import Train
from negbench.store import Stage


@dataclass(frozen=True, eq=False)
class LocateFalseNegatives(Stage):
    """Count what a training is handed by rank, score gap and epoch, and which of it the truth calls relevant.

    Without truth it finds nothing. The training itself need not have run, unless its pool is searched again.
    """

    kind: ClassVar[str] = "where"
    training: Train
    negatives: Handing

    def identity(self) -> dict[str, Any]:
        """Return what decides which negatives are handed to the training: not its encoder, nor its loss."""
        content = {"inputs": [stage.key for stage in self.inputs], **self.training.schedule}
        return {"stage": self.kind, "version": self.version, "parameters": content}

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """What decides, and the pool for its scores."""
        training = self.training
        again = () if training.redrawn is None else (training, training.redrawn)
        parts = (training.collection, self.negatives.pool, self.negatives, training.clusters, *again)
        return tuple(stage for stage in parts if stage is not None)

    @property
    def label(self) -> str:
        """What it is."""
        return "locate false negatives"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Replay which rows each epoch holds, and look."""
        training = self.training
        collection = read_collection(at(training.collection))
        data, batches = training.replay(at, collection)
        seen = np.concatenate(batches)
        handed = evidence.handed(data, seen, collection, training.split)
        drawn = read_drawn(self.negatives, at)
        rounds, epochs = np.divmod(seen // len(data.keys), training.recipe.epochs)
        k = handed.documents.shape[1]
        rows = np.searchsorted(drawn.negatives.queries, handed.queries)[:, None]
        columns = k * rounds[:, None] + np.arange(k)
        told = rounds if training.refresh.moves else None
        details.write(where(handed, drawn.ranks[rows, columns], drawn.gaps[rows, columns], epochs, told), out)
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
        pool, _ = judged(self.draw.candidates(at), self.draw.rules)
        relevant = truth.at_least(1).contains(pool.queries[:, None], pool.documents)
        details.write(denoising(pool, self.draw.filters, relevant), out)
        return {}
