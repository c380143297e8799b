"""The definition of a training: rows, batching, loss and recipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from negbench.batching import Batching
from negbench.batching.random import Random
from negbench.losses import Loss
from negbench.training.batches import all_batches, epoch_ends
from negbench.training.data import Instances
from negbench.training.recipe import Recipe
from negbench.types import Collection, Int32, Int64, Vectors


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """The rows of a training, their batches, the loss and the recipe; every process of the training gets a copy.

    ``data``: the rows of all epochs, as ``training.data.instances`` makes them. ``collection``: their texts. ``seed``:
    batches follow from it alone. ``batching``: how rows are put into batches; ``clusters`` int32 [R] are those of the
    R rows of an epoch, where it requires them. ``step_range``: train only the steps between two shares of the whole
    training, (0.2, 0.5) say. ``documents`` [N, d]: vectors of the corpus, where queries alone are trained.
    ``stored``: the folder that ``collection`` was read from (``collections.storage``), but for documents added at its
    end; the other processes read it there. None where there is none: then they get a copy.
    """

    data: Instances
    collection: Collection
    loss: Loss
    recipe: Recipe
    seed: int
    batching: Batching = field(default_factory=Random)
    clusters: Int32 | None = None
    step_range: tuple[float, float] | None = None
    documents: Vectors | None = None
    stored: Path | None = None

    @cached_property
    def epochs(self) -> list[list[Int64]]:
        """The batches by epoch, as row numbers of ``data``; InputError where no step lies in ``step_range``."""
        return all_batches(self.data, self.recipe, self.seed, self.batching, self.clusters, self.step_range)

    @property
    def batches(self) -> list[Int64]:
        """The batches of all epochs."""
        return [batch for epoch in self.epochs for batch in epoch]

    @property
    def epoch_ends(self) -> list[int]:
        """How many optimizer steps are done at the end of each epoch."""
        return epoch_ends(self.epochs)
