"""The stage that tells which part of a training's gradient falls on false negatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from negbench.asks import AverageTargets
from negbench.evaluation.gradient import Batch, on_false_negatives
from negbench.evaluation.shares import Share
from negbench.losses import Scored
from negbench.plan import details
from negbench.plan.repair import truth_of
from negbench.plan.sources import At, Embed, read_collection, read_vectors
from negbench.plan.training import Train
from negbench.store import Stage
from negbench.training.data import Instances, marks, told
from negbench.types import Int32, Int64, Vectors


@dataclass(frozen=True, eq=False)
class WeighFalseNegatives(Stage):
    """Replay the batches of a training with the vectors of one encoder, and see whom its loss pushes.

    ``start`` and ``trained`` are vectors of the documents and of the training queries, by the encoder before and after
    the training; without dropout, and once each: what lies between is not replayed. An average of the encoder that the
    loss asks for is taken to be where the encoder is.
    """

    kind: ClassVar[str] = "gradient"
    training: Train
    start: tuple[Embed, Embed]
    trained: tuple[Embed, Embed]

    @cached_property
    def inputs(self) -> tuple[Stage, ...]:
        """The vectors, and what decides which rows each batch holds."""
        training = self.training
        rows = (training.collection, training.negatives, training.clusters, training.targets, training.guide)
        return (training, *self.start, *self.trained, *[stage for stage in rows if stage is not None])

    @property
    def label(self) -> str:
        """What it is."""
        return "weigh false negatives"

    def run(self, at: At, out: Path) -> dict[str, float]:
        """Replay all batches twice. Raises InputError for a collection without truth."""
        training = self.training
        collection = read_collection(at(training.collection))
        truth = truth_of(collection, training.split, "gradient")
        data, batches = training.replay(at, collection)
        data = training.told(at, data)
        asked = collection.split_queries(training.split)
        follows = isinstance(training.loss.asks, AverageTargets)
        found: dict[str, Share] = {}
        for name, (documents, queries) in (("start", self.start), ("trained", self.trained)):
            vectors = read_vectors(at(documents)), read_vectors(at(queries))
            seen = (scored(data, batch, asked, *vectors, follows) for batch in batches)
            shares = on_false_negatives(training.loss, seen, truth)
            found |= {f"{kind}, {name}": share for kind, share in shares.items()}
        details.write({"gradient": found}, out)
        return {}


def scored(
    data: Instances, rows: Int64, asked: Int32, documents: Vectors, queries: Vectors, follows: bool = False
) -> Batch:
    """Return a batch of ``rows`` [B] as training scores it, by stored vectors.

    ``queries`` [Q, d] belong to ``asked`` [Q], ascending query rows, ``documents`` [N, d] to the corpus. ``follows``:
    what the loss is told is what the encoder says.
    """
    import torch

    mine = data.queries[rows]
    used = np.unique(np.concatenate([data.positives[rows], data.negatives[rows].ravel()]))
    used = used[used >= 0]
    left = np.asarray(queries[np.searchsorted(asked, mine)], np.float32)
    read = np.asarray(documents[used], np.float32)
    target, relevant, own = marks(data, rows, used)
    arrays = [left @ read.T, target, relevant, own, read[target] @ read.T]
    answers = {"targets": arrays[0]} if follows else told(data, rows, used)
    batch = Scored(*map(torch.from_numpy, arrays), **{name: torch.from_numpy(it) for name, it in answers.items()})
    return Batch(mine, used, batch, torch.from_numpy(data.weights[rows]))
